"""Recipes of a list as their runs on the same seeds showed them on dev: means, and differences with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue as Json
from scipy.special import stdtrit

from mixtune.proposal import Role
from mixtune.recipe import FloatArray, Recipe
from mixtune.report.intervals import LEVEL
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class Delta:
    """A mean difference on dev over training seeds; half is half of its 95 % interval, None where seeds are too few."""

    value: float
    half: float | None

    @property
    def beyond_noise(self) -> bool:
        """The interval leaves out zero."""
        return self.half is not None and abs(self.value) > self.half


@dataclass(frozen=True, slots=True)
class Listing:
    """One recipe of a list, with what was noted about it when it was listed."""

    recipe: Recipe
    notes: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Replicates:
    """Dev scores of K recipes on the same S seeds.

    listings are in the order of the list, by label. overall holds the objective and targets the objective's metric of
    each target, of shape (K, S). failed names recipes with a run that failed: they are in neither.
    """

    listings: Mapping[str, Listing]
    overall: FloatArray
    targets: Mapping[str, FloatArray]
    failed: tuple[str, ...] = ()

    @property
    def seeds(self) -> int:
        """S."""
        return int(self.overall.shape[1])

    def place(self, label: str) -> int:
        """Row of a recipe. Raises ValueError if it is not there."""
        return list(self.listings).index(label)


def replicates(study: Study, trials: Sequence[Trial]) -> Replicates | None:
    """The seeds on which every recipe of the list has been run; None before there is one.

    A recipe that failed on any seed is left out, so that the others keep all of theirs.
    """
    runs: dict[str, dict[int, Trial]] = {}
    for trial in trials:
        if trial.role is Role.AUDIT:
            runs.setdefault(trial.proposal.label, {})[trial.proposal.replicate] = trial
    failed = [label for label, own in runs.items() if any(each.state is TrialState.FAILED for each in own.values())]
    kept = {label: own for label, own in runs.items() if label not in failed}
    done = [{number for number, trial in own.items() if trial.state is TrialState.COMPLETE} for own in kept.values()]
    seeds = sorted(set.intersection(*done)) if done else []
    if not seeds:
        return None
    metric = study.objective.metric

    def table(target: str | None) -> FloatArray:
        return np.array([[_value(own[seed], target, metric) for seed in seeds] for own in kept.values()])

    return Replicates(
        listings={
            label: Listing(own[seeds[0]].proposal.recipe, own[seeds[0]].proposal.notes) for label, own in kept.items()
        },
        overall=table(None),
        targets={target.name: table(target.name) for target in study.targets},
        failed=tuple(failed),
    )


def difference(values: FloatArray, place: int, base: int) -> Delta:
    """Mean difference of two recipes of values (K, S), paired by seed, with a t interval over the seeds.

    The noise is taken to be the same for all K recipes, and told from all of them: what is left of the values when each
    recipe's mean and each seed's is taken out has (K - 1) (S - 1) degrees of freedom. Three seeds of a pair alone have
    two, and an interval twice as wide. It is over seeds alone: values per query are not kept for dev. None with one
    seed or recipe.
    """
    noise, value = _noise(values), float(values[place].mean() - values[base].mean())
    return Delta(value, None if noise is None else _half(2 * noise.rest / values.shape[1], noise.freedom))


def against(values: FloatArray, place: int, level: float) -> Delta:
    """Mean difference of a recipe of values (K, S) to a number without noise (the base model), likewise.

    Nothing is paired here, so what a seed does to all recipes alike counts as noise too; the degrees of freedom of the
    sum are those of Welch and Satterthwaite.
    """
    noise, value = _noise(values), float(values[place].mean() - level)
    if noise is None:
        return Delta(value, None)
    count, seeds = values.shape
    shared, own = noise.shared / count, noise.rest * (count - 1) / count
    spread = shared**2 / (seeds - 1) + own**2 / noise.freedom
    return Delta(value, _half((shared + own) / seeds, (shared + own) ** 2 / spread if spread > 0 else noise.freedom))


def reliability(values: FloatArray) -> float | None:
    """Share of the variance of the recipes' means (K, S) that is not the seeds' noise, from 0 to 1.

    What a seed does to all recipes alike changes no ranks and does not count. None with a single seed or recipe.
    """
    noise = _noise(values)
    if noise is None:
        return None
    spread = float(values.mean(axis=1).var(ddof=1))
    return max(0.0, 1 - noise.rest / values.shape[1] / spread) if spread > 0 else None


def told_half(found: Delta | None) -> str:
    """What stands behind a column of differences whose noise is the same: `± 0.0031`, "" where it is not known."""
    return "" if found is None or found.half is None else f" ± {found.half:.4f}"


@dataclass(frozen=True, slots=True)
class _Noise:
    """Mean squares of a table of recipes and seeds: of the seeds, and of what is left, with its degrees of freedom."""

    shared: float
    rest: float
    freedom: float


def _noise(values: FloatArray) -> _Noise | None:
    count, seeds = values.shape
    if count < 2 or seeds < 2:
        return None
    by_seed = values.mean(axis=0)
    rest = values - values.mean(axis=1)[:, None] - by_seed[None] + values.mean()
    freedom = (count - 1) * (seeds - 1)
    return _Noise(count * float(by_seed.var(ddof=1)), float((rest**2).sum()) / freedom, freedom)


def _half(variance: float, freedom: float) -> float:
    return float(stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(variance))


def _value(trial: Trial, target: str | None, metric: str) -> float:
    measurement = trial.measurement
    if measurement is None or measurement.score is None:
        raise ValueError(f"trial {trial.number} is complete and has no score: this is a defect")
    return measurement.score if target is None else measurement.dev[target][metric]
