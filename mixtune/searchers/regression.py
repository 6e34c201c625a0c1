"""Regressions of a score on mixtures, and their error on runs that they were not fitted on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mixtune.ranks import spearman
from mixtune.recipe import FloatArray
from mixtune.searchers.law import fit_law

Floats: TypeAlias = npt.NDArray[np.floating]
Predict: TypeAlias = Callable[[Floats], FloatArray]
"""From features (n, D) to scores (n,)."""

FOLDS = 5
"""Parts into which runs are split for the out-of-fold error (ours)."""

_TREES = {
    "objective": "regression",
    "learning_rate": 0.05,
    "num_iterations": 200,
    "min_data_in_leaf": 3,
    "min_data_in_bin": 1,
    "feature_pre_filter": False,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 42,
    "verbosity": -1,
}
"""LightGBM's settings. The authors' code: 1,000 rounds at .01 ended early on other runs, leaves of 20. Ours: as much
learning in 200 rounds, which predict faster, and leaves of 3, since 20 makes a constant of so few runs."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs to fit on: features (n, D), scores (n,), values (n, T) whose columns combine to the score.

    groups (n,) numbers the recipes: equal ones are always on the same side of a fold.
    """

    features: FloatArray
    scores: FloatArray
    values: FloatArray
    groups: npt.NDArray[np.int64]
    combine: Callable[[FloatArray], FloatArray]

    def at(self, rows: npt.NDArray[np.bool_]) -> "Runs":
        """Some of the runs."""
        return Runs(self.features[rows], self.scores[rows], self.values[rows], self.groups[rows], self.combine)


@dataclass(frozen=True, slots=True)
class Error:
    """Out-of-fold error: root mean square, and Spearman's rank correlation (None where either side is constant)."""

    rmse: float
    spearman: float | None


Fit: TypeAlias = Callable[[Runs], Predict]


def law_of(runs: Runs) -> Predict:
    """A mixing law for each column of values; a loss is what is missing of it."""
    laws = [fit_law(runs.features, -column) for column in runs.values.T]
    return lambda features: runs.combine(np.stack([-law(features) for law in laws], axis=1).astype(np.float64))


def trees_of(runs: Runs) -> Predict:
    """LightGBM on the score."""
    import lightgbm  # takes its time: only where it is used

    data = lightgbm.Dataset(np.ascontiguousarray(runs.features), runs.scores, params=_TREES)
    booster = lightgbm.train(_TREES, data)
    return lambda features: np.asarray(booster.predict(np.ascontiguousarray(features), num_threads=1))


MODELS: Mapping[str, Fit] = {"law": law_of, "lightgbm": trees_of}


def out_of_fold(runs: Runs, fit: Fit) -> Error | None:
    """Error on runs that the model was not fitted on, over FOLDS folds of recipes; None with a single recipe."""
    predicted = held_out(runs, fit)
    if predicted is None:
        return None
    return Error(float(np.sqrt(np.mean((predicted - runs.scores) ** 2))), spearman(predicted, runs.scores))


def held_out(runs: Runs, fit: Fit) -> FloatArray | None:
    """Predictions (n,) of each run by a model fitted on the other folds; None with a single recipe."""
    _, place = np.unique(runs.groups, return_inverse=True)
    fold = place % FOLDS
    if place.max() == 0:
        return None
    predicted = np.empty(len(runs.scores))
    for number in np.unique(fold):
        left_out = fold == number
        predicted[left_out] = fit(runs.at(~left_out))(runs.features[left_out])
    return predicted
