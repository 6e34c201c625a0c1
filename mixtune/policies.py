"""Update rules of mixtures: pure functions from rewards to weights, numpy only.

The rules are those of influence-guided dynamic data sampling (Inf-DDS, arXiv 2601.21759). "paper" marks what the
paper states, "ours" what it leaves open and mixtune decides.
"""

import numpy as np
import numpy.typing as npt

from mixtune.recipe import FloatArray

CLIP = 2.0
"""A standardised influence counts for no more than this (ours): otherwise one outlier takes everything."""


def softmax(scores: npt.ArrayLike) -> FloatArray:
    """Weights proportional to exp(scores), shape (M,), summing to 1."""
    s = np.asarray(scores, dtype=np.float64)
    shifted = np.exp(s - s.max())
    return np.asarray(shifted / shifted.sum())


def running_mean(mean: npt.ArrayLike, value: npt.ArrayLike, *, first: npt.ArrayLike, rate: float = 0.3) -> FloatArray:
    """Move a mean towards a new value by `rate` (ours), or set it to the value where it is the first one."""
    old, new = np.asarray(mean, dtype=np.float64), np.asarray(value, dtype=np.float64)
    return np.asarray(np.where(first, new, old + rate * (new - old)))


def running_error(
    error: npt.ArrayLike, value: npt.ArrayLike, *, first: npt.ArrayLike, overlap: npt.ArrayLike, rate: float = 0.3
) -> FloatArray:
    """Standard error of a running_mean of sampled values, from its own so far and that of the new value (ours).

    overlap is the share of a sample that another one is expected to have in common with it: samples that are drawn
    anew from a finite set share part of their error, however many there are. 0 is independent values, whose mean's
    error falls to sqrt(rate / (2 - rate)) of theirs; with 1, all samples being the same, it stays.
    """
    old, new, shared = (np.asarray(x, dtype=np.float64) for x in (error, value, overlap))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.where(old > 0, np.minimum(1.0, shared * new / old), 0.0)
    kept, added = (1 - rate) * old, rate * new
    return np.asarray(np.where(first, new, np.sqrt(kept**2 + added**2 + 2 * correlation * kept * added)))


def standardise(influence: npt.ArrayLike, error: npt.ArrayLike, importance: npt.ArrayLike) -> FloatArray:
    """Standardised influence z of P sources on N targets, shape (P,), each within [-2, 2].

    Per target, z = (u - mean u) / max(std u, s0), with the population std over the sources and s0 the root mean
    square of their standard errors: differences that are smaller than their noise stay small. Several targets are
    averaged by importance and the average is standardised again, its floor averaged likewise, so that z has the same
    spread for any number of targets. With fewer than two sources there is nothing to compare, and z is 0. All ours.

    Args:
        influence: shape (P, N).
        error: standard errors, shape (P, N).
        importance: weight of each target, shape (N,), summing to 1.
    """
    u, e, v = (np.asarray(x, dtype=np.float64) for x in (influence, error, importance))
    if len(u) < 2:
        return np.zeros(len(u))
    noise = np.sqrt(np.mean(e**2, axis=0))
    spread = np.maximum(np.maximum(u.std(axis=0), noise), 1e-12)
    z = ((u - u.mean(axis=0)) / spread) @ v
    if len(v) > 1:
        z = (z - z.mean()) / max(float(z.std()), float((noise / spread) @ v), 1e-12)
    return np.asarray(np.clip(z, -CLIP, CLIP))


def clarity(influence: npt.ArrayLike, error: npt.ArrayLike, importance: npt.ArrayLike) -> float:
    """How clearly P sources differ in influence: the share of the variance between them that is not noise, in [0, 1].

    1 - mean squared standard error / variance over the sources, of the influence averaged over targets by importance;
    0 for fewer than two sources. Arguments as in `standardise`. Ours.
    """
    u, e, v = (np.asarray(x, dtype=np.float64) for x in (influence, error, importance))
    spread = float((u @ v).var()) if len(u) > 1 else 0.0
    return max(0.0, 1 - float(np.mean(e**2 @ v**2)) / spread) if spread > 0 else 0.0


def kl(prior: npt.ArrayLike, z: npt.ArrayLike, beta: float = 1.5) -> FloatArray:
    """Weights proportional to prior * exp(beta * z), shape (M,): the maximum of <w, z> - KL(w || prior) / beta (ours).

    Nothing is accumulated: whatever the start, equal influences give equal weights, and sources that cannot be told
    apart return to their prior.
    """
    return softmax(np.log(np.asarray(prior, dtype=np.float64)) + beta * np.asarray(z, dtype=np.float64))


def faded(prior: npt.ArrayLike, share: float) -> FloatArray:
    """The prior drawn towards uniform, proportional to prior ** (1 - share), shape (M,) (ours).

    A prior stands in for what is not known: the more clearly the sources' influences differ, the less it has to say.
    """
    return softmax((1 - share) * np.log(np.asarray(prior, dtype=np.float64)))


def exponential(psi: npt.ArrayLike, rewards: npt.ArrayLike, gamma: float = 0.1) -> FloatArray:
    """Scores after one step of exponential weights: psi + gamma * (R - mean R) / std R.

    This is what REINFORCE becomes when rewards are standardised. It has no fixed point: in the long run all weight
    ends on the best source. Sources that were not probed are NaN in the rewards and keep their score; fewer than two
    probed sources, or equal rewards, change nothing.
    """
    scores, r = np.asarray(psi, dtype=np.float64), np.asarray(rewards, dtype=np.float64)
    probed = np.isfinite(r)
    spread = float(r[probed].std()) if probed.any() else 0.0
    if spread < 1e-12:
        return scores
    centred = np.where(probed, r - r[probed].mean(), 0.0) / spread
    return np.asarray(scores + gamma * centred)


def reinforce_sum(psi: npt.ArrayLike, rewards: npt.ArrayLike, gamma: float = 0.1) -> FloatArray:
    """Scores after psi_k += gamma * sum_i R_i (1[k = i] - w_k), the sum over the probed sources (paper's REINFORCE).

    Which of the two forms the paper uses is not said. This one has a fixed point at w proportional to R; where some
    R are negative, at the Euclidean projection of R / sum R on the simplex. A step whose rewards do not sum to more
    than 0 is skipped. Sources that were not probed are NaN in the rewards; where sources are not probed equally often,
    the caller divides each reward by its probability of being probed.
    """
    scores, r = np.asarray(psi, dtype=np.float64), np.nan_to_num(np.asarray(rewards, dtype=np.float64))
    if r.sum() <= 0:
        return scores
    return np.asarray(scores + gamma * (r - softmax(scores) * r.sum()))


def reinforce_expected(psi: npt.ArrayLike, rewards: npt.ArrayLike, gamma: float = 0.1) -> FloatArray:
    """Scores after psi_k += gamma * sum_i w_i R_i (1[k = i] - w_k): the gradient of the expected reward.

    As `reinforce_sum`, with each reward weighted by its source's probability; all weight ends on the best source.
    """
    scores, r = np.asarray(psi, dtype=np.float64), np.nan_to_num(np.asarray(rewards, dtype=np.float64))
    if r.sum() <= 0:
        return scores
    w = softmax(scores)
    return np.asarray(scores + gamma * w * (r - w @ r))
