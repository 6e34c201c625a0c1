"""A log-linear mixing law: what a few runs say about all mixtures."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mixtune.recipe import FloatArray

RIDGE = 0.01
"""Weight, beside the summed squared error in standard deviations, of the squared norms of t and of the law's slope at
the mean of the features (ours). Without the second, few runs of many sources give steep planes that say nothing."""

_STARTS = (0.5, 4.0)
"""Sizes of exp(b), in standard deviations, at which a fit starts (ours)."""

_STEEPEST = 30.0
"""Bound of |b| and of t along every axis of the features."""

_EXACT = 1e-5
"""Least relative gain of an iteration (ours): what is less is far below the noise of a run."""

_LONGEST = 40
"""Most evaluations from one start."""


@dataclass(frozen=True, slots=True)
class Law:
    """loss = c + k exp(t . x), k > 0: the law of data mixing (Ye et al., arXiv 2403.16952).

    Weights sum to 1, so a shift of all their t is the same as another k: a fit takes the shift of least t squared.
    k exp(t_i), what the loss on source i alone is above c, does not depend on it.
    """

    c: float
    k: float
    t: FloatArray

    def __call__(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Losses of shape (n,) at features of shape (n, D)."""
        return np.asarray(self.c + self.k * np.exp(features @ self.t.astype(features.dtype)))


def fit_law(features: FloatArray, losses: FloatArray, ridge: float = RIDGE) -> Law:
    """The law nearest to losses (n,) at features (n, D), by bounded least squares from two starts.

    The starts are bent more or less sharply around the ridge regression of the same data, so the fit is deterministic.
    Losses that are all equal give a constant.
    """
    from scipy.optimize import least_squares  # takes its time: only where it is used

    mean, scale = float(losses.mean()), float(losses.std())
    if not scale > 1e-12 * max(1.0, abs(mean)):
        return Law(mean, 0.0, np.zeros(features.shape[1]))
    y = (losses - mean) / scale
    # Of all t that do the same on these features the ridge takes one in their row space, which is small for few runs.
    _, size, axes = np.linalg.svd(features, full_matrices=False)
    axes = axes[size > 1e-9 * size[0]]
    x = features @ axes.T
    middle, still = x.mean(axis=0), np.sqrt(ridge) * np.eye(len(axes))

    def miss(place: FloatArray) -> FloatArray:
        t, bend = place[2:], np.exp(place[1] + middle @ place[2:])
        return np.concatenate([place[0] + np.exp(place[1] + x @ t) - y, still @ t, still @ t * bend])

    def slope(place: FloatArray) -> FloatArray:
        t, bend, at = place[2:], np.exp(place[1] + middle @ place[2:]), np.exp(place[1] + x @ place[2:])
        own = np.column_stack([np.ones(len(y)), at, at[:, None] * x])
        flat = np.column_stack([np.zeros((len(t), 2)), still])
        steep = np.column_stack([np.zeros(len(t)), still @ t, still + np.outer(still @ t, middle)]) * bend
        return np.concatenate([own, flat, steep])

    linear = np.linalg.lstsq(np.concatenate([x - middle, still]), np.concatenate([y, 0 * still[0]]))[0]
    steepest = np.r_[np.inf, np.full(1 + len(axes), _STEEPEST)]
    found = []
    for bend in _STARTS:
        t = np.clip(linear / bend, -_STEEPEST / 2, _STEEPEST / 2)
        start = np.r_[-bend, np.clip(np.log(bend) - middle @ t, -_STEEPEST / 2, _STEEPEST / 2), t]
        found.append(least_squares(miss, start, slope, bounds=(-steepest, steepest), ftol=_EXACT, max_nfev=_LONGEST))
    best = min(found, key=lambda each: float(each.cost)).x
    return Law(mean + scale * float(best[0]), scale * float(np.exp(best[1])), np.asarray(best[2:] @ axes))
