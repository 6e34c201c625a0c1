"""A recipe as its judged runs showed it: means over the judging seeds, with intervals on test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mixtune.measurement import Metrics, Scores
from mixtune.recipe import FloatArray, Recipe
from mixtune.report.contrast import Contrast, contrast
from mixtune.report.intervals import Interval, interval
from mixtune.study import Study
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class Judged:
    """One recipe and its complete judged runs, one per judging seed.

    recipe is None for the base model as it is, which no recipe made. runs holds the trial of each replicate, scores
    its test values per query; a replicate without scores does not count for intervals.
    """

    recipe: Recipe | None
    runs: Mapping[int, Trial] = field(default_factory=dict)
    scores: Mapping[int, Scores] = field(default_factory=dict)

    @property
    def dev(self) -> Metrics | None:
        """Dev metrics, mean over the runs; None before any has finished."""
        return _mean([trial.measurement.dev for trial in self.runs.values() if trial.measurement is not None])

    @property
    def test(self) -> Metrics | None:
        """Test metrics, mean over the runs; None before any has finished."""
        return _mean([trial.measurement.test for trial in self.runs.values() if trial.measurement is not None])

    def intervals(self) -> dict[str, dict[str, Interval]]:
        """Target -> metric -> mean over test queries and seeds; targets of a single query have none."""
        if not self.scores:
            return {}
        first = next(iter(self.scores.values()))
        return {
            target: {metric: interval([self._values(target, metric, sorted(self.scores))]) for metric in values}
            for target, values in first.items()
            if all(len(column) > 1 for column in values.values())
        }

    def overall(self, study: Study, metric: str) -> Interval | None:
        """The metric over all targets on test, put together as the study's objective does; None if not judged."""
        return _combined(list(self._parts(study, metric, sorted(self.scores)).values()))

    def minus(self, other: "Judged", study: Study, metric: str) -> Contrast | None:
        """The metric over all targets against another recipe's, on the judging seeds that both have; None without one.

        None also where a target that counts has a single query.
        """
        shared = sorted(self.scores.keys() & other.scores.keys())
        mine, theirs = self._parts(study, metric, shared), other._parts(study, metric, shared)
        # With `worst` the two may be judged on different targets; what is left out counts nothing.
        either = {**mine, **theirs}
        if not either or any(part.shape[1] < 2 for part in either.values()):
            return None
        return contrast(
            [mine.get(name, np.zeros_like(part)) for name, part in either.items()],
            [theirs.get(name, np.zeros_like(part)) for name, part in either.items()],
        )

    def _values(self, target: str, metric: str, replicates: Sequence[int]) -> FloatArray:
        """Test values per query, shape (R, Q)."""
        return np.array([self.scores[replicate][target][metric] for replicate in replicates], dtype=np.float64)

    def _parts(self, study: Study, metric: str, replicates: Sequence[int]) -> dict[str, FloatArray]:
        """Per-query values of each target that counts, times what the target counts for in the objective.

        With `worst` all of it falls on the target that is worst on average: the objective's slope at that point.
        """
        if not replicates:
            return {}
        values = {target.name: self._values(target.name, metric, replicates) for target in study.targets}
        if study.objective.aggregate == "worst":
            worst = min(values, key=lambda name: float(values[name].mean()))
            return {worst: values[worst]}
        if study.objective.aggregate == "macro":
            return {name: part / len(values) for name, part in values.items()}
        counts = zip(study.targets, study.target_weights(), strict=True)
        return {target.name: count * values[target.name] for target, count in counts if count > 0}


def _combined(parts: Sequence[FloatArray]) -> Interval | None:
    """Interval over the targets that count; None if there is none, or one has a single query."""
    if not parts or any(part.shape[1] < 2 for part in parts):
        return None
    return interval(parts)


def _mean(runs: Sequence[Metrics]) -> Metrics | None:
    runs = [run for run in runs if run]
    if not runs:
        return None
    return {
        target: {metric: float(np.mean([run[target][metric] for run in runs])) for metric in values}
        for target, values in runs[0].items()
    }
