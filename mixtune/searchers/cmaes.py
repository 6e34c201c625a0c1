"""Covariance matrix adaptation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from mixtune.recipe import FloatArray
from mixtune.searchers.blackbox import BlackBox, Point, completed, prior_point, score_of
from mixtune.searchers.cube import dimensions, point_in, position_of
from mixtune.searchers.prior import prior_mixture
from mixtune.study import Study
from mixtune.trial import Trial

if TYPE_CHECKING:
    from cmaes import CMA

_SEED = 0


@dataclass(frozen=True, slots=True)
class CMAES(BlackBox):
    """CMA-ES of the package cmaes: a normal distribution that moves and stretches towards the better points.

    The distribution is that of all complete generations, told in number order: search trials after the prior, cut
    into blocks of the population's size, each at the point that it was trained at (Point.trained). A block with a trial
    that is not finished is not told yet, and neither are those behind it, so parallel trials draw from the distribution
    before. A trial without a score counts as the worst
    of its generation, one that was ended early as `completed` has it from the trials up to its generation; a generation
    without any score is left out. Keep levels are ordered numbers among the others.

    prior is the mean at the start, and proposed first (ours; `none`: the middle of the box, as in Optuna). spread is
    the standard deviation at the start, as a share of each side of the box (1/6 as in Optuna). population None means
    4 + 3 ln(dimensions), the usual size. Where the distribution has collapsed or diverged, it starts again (ours).
    """

    name: ClassVar[str] = "cmaes"
    prior: Literal["proportional", "uniform", "expert", "none"] = "proportional"
    spread: Annotated[float, Field(gt=0, le=1)] = 1 / 6
    population: Annotated[int, Field(ge=4)] | None = None

    def point(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Point:
        """Draw from the distribution that the complete generations leave."""
        if not dimensions(study):
            return Point((), {})
        with threadpool_limits(1):  # the same numbers on any machine, and no waiting for threads on a busy one
            cma = self._distribution(study, trials[0 if self.prior == "none" else 1 :])
            cma.reseed_rng(int(rng.integers(2**32)))
            return point_in(study, cma.ask())

    def _distribution(self, study: Study, trials: Sequence[Trial]) -> "CMA":
        cma = self._start(study)
        size = cma.population_size
        for first in range(0, len(trials) - size + 1, size):
            generation = completed(trials[: first + size])[first:]
            if not all(trial.state.finished for trial in generation):
                break
            losses = [np.inf if (score := score_of(trial)) is None else -score for trial in generation]
            known = [loss for loss in losses if np.isfinite(loss)]
            if known:
                places = [position_of(study, Point.trained(study, trial)) for trial in generation]
                cma.tell([(place, min(loss, max(known))) for place, loss in zip(places, losses, strict=True)])
            if cma.should_stop():
                cma = self._start(study)
        return cma

    def _start(self, study: Study) -> "CMA":
        from cmaes import CMA  # takes its time: only where it is used

        mean: FloatArray = np.full(dimensions(study), 0.5)
        if self.prior != "none":
            mean = position_of(study, prior_point(study, prior_mixture(study, self.prior)))
        bounds = np.array([[0.0, 1.0]] * len(mean))
        return CMA(mean, self.spread, bounds=bounds, seed=_SEED, population_size=self.population)
