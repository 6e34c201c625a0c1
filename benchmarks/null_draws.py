"""Comparisons drawn from recorded runs, each judged by the function that `mixtune compare` judges by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from null_scores import Arm

from mixtune.recipe import FloatArray
from mixtune.report.contrast import Contrast, contrast

Side = Sequence[FloatArray]
"""One contender: per target the values per query times what the target counts for, shape (R replicates, Q queries)."""


@dataclass(frozen=True)
class Draw:
    """How a comparison is drawn from an arm.

    Of so many seeds without replacement. Where the arm's sides are exchangeable a coin per seed decides which of the
    two runs is mine: the difference that the recorded runs happen to have cancels out, and the truth is exactly zero.
    paired takes both runs of a seed, as `mixtune compare` does, otherwise the two sides have seeds of their own.
    new_queries draws the test queries anew too, with replacement: those recorded are then the population.
    """

    replicates: int = 5
    exchangeable: bool = True
    paired: bool = True
    new_queries: bool = False

    def sides(self, arm: Arm, rng: np.random.Generator) -> tuple[Side, Side]:
        """Mine and the other."""
        count = self.replicates
        seeds = rng.choice(arm.seeds, count if self.paired else 2 * count, replace=False)
        places = rng.integers(2, size=count) if self.exchangeable else np.zeros(count, dtype=int)
        mine, other = [], []
        for values in arm.scores.values():
            asked = rng.integers(values.shape[2], size=values.shape[2]) if self.new_queries else slice(None)
            mine.append(values[places, seeds[:count]][:, asked] / len(arm.scores))
            other.append(values[1 - places, seeds[-count:]][:, asked] / len(arm.scores))
        return mine, other


def noise(arm: Arm) -> float:
    """Standard deviation, over seeds, of the score of one run (mean over queries, then targets), pooled over sides."""
    runs = np.mean([values.mean(axis=2) for values in arm.scores.values()], axis=0)
    return float(np.sqrt(runs.var(axis=1, ddof=1).mean()))


def likeness(arm: Arm) -> float:
    """Correlation, over seeds, of the two sides' scores: what pairing by seed takes out of their difference.

    nan where a side has the same score on every seed.
    """
    runs = np.mean([values.mean(axis=2) for values in arm.scores.values()], axis=0)
    return float(np.corrcoef(runs)[0, 1]) if np.all(np.ptp(runs, axis=1) > 0) else float("nan")


def truth(arm: Arm) -> float:
    """Difference of the sides over all recorded runs and queries."""
    return float(np.mean([values[0].mean() - values[1].mean() for values in arm.scores.values()]))


def compared(arm: Arm, draw: Draw, count: int, *, planted: float = 0.0, seed: int = 0) -> list[Contrast]:
    """So many comparisons; planted is added to every value of mine. Equal seeds draw equal runs."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        mine, other = draw.sides(arm, rng)
        found.append(contrast([part + planted / len(mine) for part in mine], other))
    return found


def coverage(found: Sequence[Contrast], true: float) -> float:
    """Share of the intervals that hold the truth."""
    return float(np.mean([each.low <= true <= each.high for each in found]))


def won(found: Sequence[Contrast]) -> float:
    """Share that mine won."""
    return float(np.mean([each.winner == 1 for each in found]))


def decided(found: Sequence[Contrast]) -> float:
    """Share in which somebody won."""
    return float(np.mean([each.winner != 0 for each in found]))


@dataclass(frozen=True)
class Components:
    """A made-up difference of two recipes: standard deviations of what goes with a query, a seed, and both."""

    query: float
    seed: float
    both: float

    def drawn(self, replicates: int, queries: int, rng: np.random.Generator) -> FloatArray:
        """Differences whose truth is 0, shape (R, Q)."""
        return (
            self.query * rng.normal(size=(1, queries))
            + self.seed * rng.normal(size=(replicates, 1))
            + self.both * rng.normal(size=(replicates, queries))
        )


def simulated(components: Components, replicates: int, queries: int, count: int, seed: int = 0) -> float:
    """Coverage over so many made-up comparisons of two equal targets."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        values = components.drawn(replicates, queries, rng)
        halves = np.split(values / 2, 2, axis=1)
        found.append(contrast(halves, [np.zeros_like(half) for half in halves]))
    return coverage(found, 0.0)
