"""A Gaussian process over mixtures, for surfaces that are smooth and known from few noisy runs."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mixtune.recipe import FloatArray

_STARTS = ((0.0, 0.0, -1.0, -1.0), (-1.0, -1.0, 0.0, -3.0))
"""Logarithms of plane, bump, length and noise at which a fit starts (ours), in standard deviations of the values."""

_BOUNDS = ((-4.0, 3.0), (-4.0, 2.0), (-2.5, 1.5), (-6.0, 1.0))


@dataclass(frozen=True, slots=True)
class GaussianProcess:
    """Posterior mean: a plane in the weights, plus bumps in their square roots, plus noise.

    Covariance of mixtures v and w: plane ** 2 (1 + v . w) + bump ** 2 exp(-|sqrt v - sqrt w| ** 2 / (2 length ** 2)).
    Square roots, because a source's first tenth does more than its last. Fitted values are in standard deviations
    around their mean; coefficients holds (K + noise ** 2)^-1 of them, shape (n,), and at the mixtures, shape (n, M).
    """

    plane: float
    bump: float
    length: float
    noise: float
    mean: float
    scale: float
    at: FloatArray
    coefficients: FloatArray

    def __call__(self, features: npt.NDArray[np.floating]) -> FloatArray:
        """Values of shape (n,) at mixtures of shape (n, M)."""
        covariance = _covariance(features, self.at, self.plane, self.bump, self.length)
        return np.asarray(self.mean + self.scale * (covariance @ self.coefficients), dtype=np.float64)

    def refitted(self, features: FloatArray, values: FloatArray) -> "GaussianProcess":
        """The same covariance, told of other runs."""
        mean, scale = float(values.mean()), max(float(values.std()), 1e-12)
        covariance = _covariance(features, features, self.plane, self.bump, self.length)
        covariance[np.diag_indices(len(values))] += self.noise**2
        told = np.asarray(np.linalg.solve(covariance, (values - mean) / scale), dtype=np.float64)
        return replace(self, mean=mean, scale=scale, at=features, coefficients=told)


def fit_process(features: FloatArray, values: FloatArray) -> GaussianProcess:
    """The process under which values (n,) at mixtures (n, M) are likeliest, found from two starts; deterministic."""
    from scipy.optimize import minimize  # takes its time: only where it is used

    y = (values - values.mean()) / max(float(values.std()), 1e-12)
    inner, apart = 1 + features @ features.T, _apart(features, features)

    def unlikely(place: FloatArray) -> tuple[float, FloatArray]:
        plane, bump, length, noise = np.exp(place)
        flat, round_ = plane**2 * inner, bump**2 * np.exp(-apart / (2 * length**2))
        covariance = flat + round_
        covariance[np.diag_indices(len(y))] += noise**2
        inverse = np.linalg.inv(covariance)
        told = inverse @ y
        _, size = np.linalg.slogdet(covariance)
        outer = inverse - np.outer(told, told)
        slope = np.array(
            [
                np.sum(outer * flat),
                np.sum(outer * round_),
                np.sum(outer * round_ * apart) / (2 * length**2),
                noise**2 * np.trace(outer),
            ]
        )
        return float(0.5 * (y @ told + size)), slope

    found = [minimize(unlikely, np.array(start), jac=True, bounds=_BOUNDS, method="L-BFGS-B") for start in _STARTS]
    plane, bump, length, noise = np.exp(min(found, key=lambda each: float(each.fun)).x).tolist()
    empty = GaussianProcess(plane, bump, length, noise, 0.0, 1.0, features, np.zeros(len(y)))
    return empty.refitted(features, values)


def _covariance(
    first: npt.NDArray[np.floating], second: FloatArray, plane: float, bump: float, length: float
) -> FloatArray:
    inner = 1 + first @ second.T
    return np.asarray(plane**2 * inner + bump**2 * np.exp(-_apart(first, second) / (2 * length**2)))


def _apart(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> FloatArray:
    """Squared distances of square roots: rows sum to 1, so they are 2 - 2 sqrt v . sqrt w."""
    return np.asarray(np.maximum(2 - 2 * np.sqrt(first) @ np.sqrt(second).T, 0.0))
