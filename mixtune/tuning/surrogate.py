"""What finished studies say about every mixture: surfaces of the scores of runs, with their noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mixtune.recipe import FloatArray
from mixtune.searchers.candidates import into_space
from mixtune.searchers.law import Law
from mixtune.searchers.regmix import objective_at
from mixtune.searchers.regression import Error
from mixtune.study import Study
from mixtune.tuning.gaussian import GaussianProcess

CANDIDATES = 6_000
"""Mixtures among which the best of a surface is looked for, before the best of them are moved about."""

Model: TypeAlias = Law | GaussianProcess


@dataclass(frozen=True, slots=True)
class Fitted:
    """How well a target's metric and its dev loss are told for mixtures that were not fitted on, and by which model.

    errors holds the out-of-fold error of each model that was tried.
    """

    target: str
    measure: str
    model: str
    errors: Mapping[str, Error]


@dataclass(frozen=True, slots=True)
class Surface:
    """What full-length runs lose, per target: 1 - the metric, then the dev loss, as a function of the weights."""

    models: tuple[Model, ...]

    def __call__(self, weights: npt.NDArray[np.floating]) -> FloatArray:
        """Losses of shape (n, 2 N) at weights of shape (n, M)."""
        return np.stack([model(weights) for model in self.models], axis=1).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Surrogate:
    """Surfaces fitted to the runs of finished studies, and the noise around them.

    surfaces[0] is fitted to all runs, the others to resamples of the mixtures. base holds the losses of the untrained
    model, shape (2 N,). Noise has two parts. Rows of seed_noise, shape (k, 2 N), are what runs of one mixture differ
    by; rows of misfit, shape (n, 2 N), what the surface misses of a mixture beyond that. Each sum of the rows with
    standard normal weights is one draw: it has their covariance between targets. seed_sd and misfit_sd are the two on
    the score. quality is the out-of-fold error of the score; covered is the share of scores that lie within 1.96
    standard deviations of the prediction, both from other folds. runs and mixtures count what was fitted on, and
    reruns the runs beyond the first of a mixture.
    """

    study: Study
    surfaces: tuple[Surface, ...]
    base: FloatArray
    seed_noise: FloatArray
    misfit: FloatArray
    seed_sd: float
    misfit_sd: float
    fitted: tuple[Fitted, ...]
    quality: Error
    covered: float
    runs: int
    mixtures: int
    reruns: int

    def scores(self, surface: int, weights: npt.NDArray[np.floating]) -> FloatArray:
        """True scores of shape (n,) at weights of shape (n, M)."""
        return score_of_losses(self.study, self.surfaces[surface](weights))

    def best(self, surface: int) -> tuple[FloatArray, float]:
        """Weights (M,) and score of the best mixture of a surface that the study's space allows, nearly.

        The best of many drawn ones, then of many around those; the same at every call.
        """
        rng, study = np.random.default_rng(surface), self.study
        size, proportional = len(study.names), study.proportional().array(study.names)
        centres = (np.full(size, 1.0), np.full(size, 0.3), size * proportional)
        drawn = np.concatenate([rng.dirichlet(centre, CANDIDATES // len(centres)) for centre in centres])
        found = into_space(study, drawn.astype(np.float32))
        for strength in (30.0, 100.0, 300.0, 1000.0):
            kept = found[np.argsort(-self.scores(surface, found), kind="stable")[:20]]
            moved = np.concatenate([rng.dirichlet(strength * each + 0.05, 100) for each in kept.astype(np.float64)])
            found = np.concatenate([kept, into_space(study, moved.astype(np.float32))])
        scores = self.scores(surface, found)
        place = int(scores.argmax())
        return found[place].astype(np.float64), float(scores[place])


def score_of_losses(study: Study, losses: FloatArray) -> FloatArray:
    """The study's objective (n,) from losses (n, 2 N) as a Surface gives them."""
    return objective_at(study, 1 - losses[:, : len(study.targets)])
