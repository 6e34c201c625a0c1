"""What a guided searcher probes: arms, each a source at one of its keep levels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mixtune.proposal import arm_name
from mixtune.pruning import Pruning
from mixtune.recipe import FloatArray
from mixtune.searchers.keep import SHARED, keep_choices, pruning_at
from mixtune.study import Study


@dataclass(frozen=True, slots=True)
class Arm:
    """A source at a keep level. level is None where the study leaves no choice of it.

    choice names the keep choice that the level belongs to: the source's own, or SHARED.
    """

    source: str
    level: float | None = None
    choice: str = ""

    @property
    def name(self) -> str:
        """The key of its influence."""
        return arm_name(self.source, self.level)


def arms_of(study: Study) -> tuple[Arm, ...]:
    """All arms, in the order of study.names: a source with open keep levels is one arm per level, any other is one.

    Levels shared by all sources make an arm of each source at each of them: what a level does can only be seen on a
    source, though all of them then take one level.
    """
    choices = keep_choices(study)
    arms: list[Arm] = []
    for name in study.names:
        choice = name if name in study.space.levels else SHARED
        arms.extend(Arm(name, level, choice) for level in choices.get(choice, (None,)))
    return tuple(arms)


def eligible_arms(study: Study, arms: Sequence[Arm]) -> tuple[str, ...]:
    """Names of the arms that can be probed: at least 2 kept pairs, since negatives come from the batch, and a cap."""
    fixed, rows = pruning_at(study), study.rows
    _, high = study.bounds(fixed)
    cap = dict(zip(study.names, high.tolist(), strict=True))
    guard = study.space.keep_least
    kept = {arm: fixed if arm.level is None else Pruning({arm.source: arm.level}, least=guard) for arm in arms}
    return tuple(arm.name for arm in arms if cap[arm.source] > 0 and kept[arm].rows(arm.source, rows[arm.source]) > 1)


def per_source(study: Study, arms: Sequence[Arm], weights: FloatArray) -> dict[str, float]:
    """Weight of each source: the sum over its arms, whose weights have shape (A,)."""
    sums = dict.fromkeys(study.names, 0.0)
    for arm, weight in zip(arms, weights.tolist(), strict=True):
        sums[arm.source] += weight
    return sums


def shares(arms: Sequence[Arm]) -> FloatArray:
    """What part of its source each arm is, shape (A,): 1 over the number of the source's arms."""
    counts: dict[str, int] = {}
    for arm in arms:
        counts[arm.source] = counts.get(arm.source, 0) + 1
    return np.array([1.0 / counts[arm.source] for arm in arms])


def pruning_of(study: Study, arms: Sequence[Arm], weights: FloatArray) -> Pruning:
    """The pruning that weights of shape (A,) stand for.

    Per choice it is the mean level of its arms by weight, rounded to the nearest level of the list (of two that are
    as near, the one that keeps more). The shared level is the mean over the arms of all sources that share it.
    """
    levels: dict[str, float] = {}
    for choice, options in keep_choices(study).items():
        mine = [index for index, arm in enumerate(arms) if arm.level is not None and arm.choice == choice]
        w, at = weights[mine], np.array([arms[index].level for index in mine], dtype=np.float64)
        if w.sum() > 0:
            mean = float(w @ at / w.sum())
            levels[choice] = min(options, key=lambda level: (round(abs(level - mean), 12), -level))
    return pruning_at(study, levels)
