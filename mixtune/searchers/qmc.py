"""Quasi-random search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from mixtune.searchers.blackbox import BlackBox, Point
from mixtune.searchers.cube import dimensions, point_in
from mixtune.study import Study
from mixtune.trial import Trial

_SEQUENCE = 0x736F626F6C


@dataclass(frozen=True, slots=True)
class QMC(BlackBox):
    """A scrambled Sobol sequence: like random search, but the points keep out of each other's way.

    The study's seed decides the sequence, the number of search trials so far the place in it, so no point comes twice
    and results play no part. Keep levels are one more side of the box each.

    prior is proposed first unless it is `none`, the default (ours); the sequence follows it from its start.
    """

    name: ClassVar[str] = "qmc"
    prior: Literal["proportional", "uniform", "expert", "none"] = "none"

    def point(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Point:
        """The next point of the sequence."""
        from scipy.stats import qmc  # takes its time: only where it is used

        sides = dimensions(study)
        if not sides:
            return Point((), {})
        sequence = qmc.Sobol(sides, scramble=True, rng=np.random.default_rng([study.seed, _SEQUENCE]))
        place = len(trials) - (self.prior != "none")
        if place:
            sequence.fast_forward(place)
        return point_in(study, sequence.random()[0])
