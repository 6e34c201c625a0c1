"""How good a search was after how much of its budget, and how much it took to get to a given score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from scipy.special import stdtrit

from mixtune.comparison import Equal
from mixtune.report.comparing.entrant import Entrant
from mixtune.report.comparing.evenness import amount
from mixtune.report.intervals import LEVEL
from mixtune.study import Study

Path = tuple[tuple[float, float], ...]
"""What was spent, and the best score by then, rising in both."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Best dev score so far against compute, mean over replicates with its 95 % t interval; four equal lengths.

    It begins where every replicate has a score. low and high equal mean with a single replicate, which has no interval.
    A chain's and a baseline's is one point: the dev score of its judged runs, at all that it spent; a baseline has
    spent nothing.
    """

    compute: tuple[float, ...] = ()
    mean: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    replicates: int = 0

    @property
    def half(self) -> float | None:
        """Half the interval at the end, None where there is none."""
        return (self.high[-1] - self.low[-1]) / 2 if self.replicates > 1 else None

    def at(self, compute: float) -> float | None:
        """The mean at that much compute, None before the curve begins."""
        index = int(np.searchsorted(self.compute, compute * (1 + 1e-9), side="right")) - 1
        return self.mean[index] if index >= 0 else None


@dataclass(frozen=True, slots=True)
class Reach:
    """Compute after which each entrant's best dev score was at least `score`, per replicate; None: never."""

    name: str
    score: float
    compute: Mapping[str, tuple[float | None, ...]]

    def median(self, label: str) -> float | None:
        """Median over replicates, those that never got there counted as infinite; None where it is infinite itself.

        Of an even number it is the mean of the middle two, so with exactly half of them there it is None.
        """
        found = [np.inf if each is None else each for each in self.compute[label]]
        middle = float(np.median(found)) if found else np.inf
        return None if middle == np.inf else middle

    def reached(self, label: str) -> int:
        """Replicates that got there."""
        return sum(each is not None for each in self.compute[label])


def paths(study: Study, entrant: Entrant, equal: Equal) -> dict[int, Path]:
    """The best dev score so far after each fresh run, by replicate; replicates without any score are left out."""
    found: dict[int, Path] = {}
    for replicate, showing in sorted(entrant.showings.items()):
        steps = [(amount(spent, equal), score) for spent, score in showing.path]
        end = showing.dev(study)
        if not steps and end is not None:
            steps = [(amount(showing.spent, equal), end)]
        best = accumulate((score for _, score in steps), max)
        found[replicate] = tuple((spent, top) for (spent, _), top in zip(steps, best, strict=True))
    return {replicate: path for replicate, path in found.items() if path}


def curve(found: Mapping[int, Path]) -> Curve:
    """The mean of paths as steps, over all points at which one of them rises."""
    if not found:
        return Curve()
    begin = max(path[0][0] for path in found.values())
    compute = sorted({begin, *(spent for path in found.values() for spent, _ in path if spent > begin)})
    values = np.array([[_best(path, spent) for spent in compute] for path in found.values()])
    mean, n = values.mean(axis=0), len(values)
    half = np.zeros_like(mean)
    if n > 1:
        half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * values.std(axis=0, ddof=1) / np.sqrt(n)
    low, high = (mean - half).tolist(), (mean + half).tolist()
    return Curve(tuple(compute), tuple(mean.tolist()), tuple(low), tuple(high), n)


def reach(name: str, score: float, found: Mapping[str, Mapping[int, Path]]) -> Reach:
    """When each entrant got to a score; a billionth below counts as there."""
    least = score - 1e-9
    compute = {
        label: tuple(next((spent for spent, best in path if best >= least), None) for path in each.values())
        for label, each in found.items()
    }
    return Reach(name, score, compute)


def final_scores(found: Mapping[str, Mapping[int, Path]]) -> dict[str, float]:
    """The best dev score of each entrant at its end, mean over replicates."""
    return {label: float(np.mean([path[-1][1] for path in each.values()])) for label, each in found.items() if each}


def _best(path: Sequence[tuple[float, float]], spent: float) -> float:
    return max(best for at, best in path if at <= spent)
