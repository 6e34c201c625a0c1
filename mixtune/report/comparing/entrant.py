"""Who takes part in a comparison, and what each of its replicates showed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mixtune.measurement import Scores
from mixtune.recipe import FloatArray, Recipe
from mixtune.report.intervals import Interval, interval
from mixtune.report.judged import Judged
from mixtune.search import Search
from mixtune.study import Study


@dataclass(frozen=True, slots=True)
class Spent:
    """What one search used: floating-point operations, the same in fresh runs, wall seconds of trials, and trials.

    reused counts those of its trials, judging included, that took an equal run over; they cost what that run cost.
    """

    flops: float = 0.0
    runs: float = 0.0
    seconds: float = 0.0
    trials: int = 0
    reused: int = 0


@dataclass(frozen=True, slots=True)
class Showing:
    """What an entrant showed in one replicate: its recipe, judged on all judging seeds, and what it took to find it.

    path holds, in the order of trials, what the search had spent after each fresh run and that run's score on dev. A
    chain has no fresh run before its recommendation, so its path is empty.
    """

    recipe: Recipe
    judged: Judged
    spent: Spent = field(default_factory=Spent)
    path: tuple[tuple[Spent, float], ...] = ()

    def dev(self, study: Study) -> float | None:
        """The objective on dev, mean over the judging seeds."""
        found = self.judged.dev
        return None if found is None else study.score(found)


@dataclass(frozen=True, slots=True)
class Entrant:
    """A contender, or a baseline (search None), by replicate.

    showings lacks replicates that are not judged yet. vain holds what its searches used that are over without anything
    to show: nothing to recommend, or no complete run of it to judge.
    """

    label: str
    search: Search | None
    showings: Mapping[int, Showing] = field(default_factory=dict)
    vain: Mapping[int, Spent] = field(default_factory=dict)

    @property
    def used(self) -> dict[int, Spent]:
        """What each of its searches used that is over, by replicate."""
        return dict(sorted({**self.vain, **{each: shown.spent for each, shown in self.showings.items()}}.items()))

    def values(self, target: str, metric: str, replicates: Sequence[int]) -> FloatArray:
        """Test values per query, mean over the judging seeds of each replicate, shape (R, Q).

        Of a single replicate its judging seeds by themselves, shape (J, Q): so at least luck in training is counted.
        """
        if len(replicates) == 1:
            return per_seed(self.showings[replicates[0]], target, metric)
        return np.array([per_seed(self.showings[each], target, metric).mean(axis=0) for each in replicates])

    def on(self, target: str, metric: str) -> Interval | None:
        """A metric on test with its interval over replicates and queries; None if there is nothing to tell it from."""
        return interval_of([self.values(target, metric, sorted(self.showings))]) if self.showings else None

    def overall(self, study: Study) -> Interval | None:
        """The objective on test."""
        return interval_of(counted(study, self.parts(study, sorted(self.showings)))) if self.showings else None

    def parts(self, study: Study, replicates: Sequence[int]) -> dict[str, FloatArray]:
        """Test values of the objective's metric per target, see `values`."""
        metric = study.objective.metric
        return {target.name: self.values(target.name, metric, replicates) for target in study.targets}


def per_seed(showing: Showing, target: str, metric: str) -> FloatArray:
    """Test values per query of one replicate, shape (J judging seeds, Q)."""
    scores: Iterable[Scores] = (showing.judged.scores[seed] for seed in sorted(showing.judged.scores))
    return np.array([each[target][metric] for each in scores], dtype=np.float64)


def counted(study: Study, parts: Mapping[str, FloatArray]) -> list[FloatArray]:
    """Parts of shape (R, Q) times what their targets count for in the objective, in the order of the targets.

    With `worst` all of it falls on the target that is worst on average: the objective's slope at that point.
    """
    if study.objective.aggregate == "worst":
        worst = min(parts, key=lambda name: float(parts[name].mean()))
        weights = {name: float(name == worst) for name in parts}
    elif study.objective.aggregate == "macro":
        weights = dict.fromkeys(parts, 1 / len(parts))
    else:
        weights = {each.name: weight for each, weight in zip(study.targets, study.target_weights(), strict=True)}
    return [weights[name] * part for name, part in parts.items()]


def interval_of(parts: Sequence[FloatArray]) -> Interval | None:
    """The interval of parts, None where a target has a single query."""
    return interval(parts) if parts and all(part.shape[1] > 1 for part in parts) else None
