"""Update rules of mixtures: pure functions from rewards to weights, numpy only.

First come the rules of influence-guided dynamic data sampling (Inf-DDS, arXiv 2601.21759), then those of tDRO, DoReMi,
DoGE and MultiDDS. "paper" marks what the paper states, "ours" what it leaves open and mixtune decides.
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


def log_softmax(scores: npt.ArrayLike) -> FloatArray:
    """Logarithms of the weights of softmax, shape (M,)."""
    s = np.asarray(scores, dtype=np.float64)
    shifted = s - s.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def dro(log_w: npt.ArrayLike, gain: npt.ArrayLike, eta: float = 0.02, *, clip: bool = True) -> FloatArray:
    """Log weights after one step of tDRO (arXiv 2408.10613): log w += eta * v, then log-softmax.

    v is the gain, shape (M,), scaled down to norm 1 where it is longer (clip). Over a run eta * steps is the dose, 20
    in the paper (0.02 x 1,000). With the same gain S steps are one of S * eta: of 25 sources one whose gain is 1.2
    where the others have 1 ends, after that dose, 2.2 times as heavy as they are, and without clip 55 times.
    """
    v = np.asarray(gain, dtype=np.float64)
    scale = max(1.0, float(np.linalg.norm(v))) if clip else 1.0
    return log_softmax(np.asarray(log_w, dtype=np.float64) + eta * v / scale)


def doremi(log_w: npt.ArrayLike, excess: npt.ArrayLike, eta: float = 1.0, smoothing: float = 1e-3) -> FloatArray:
    """Log weights after one step of DoReMi (arXiv 2305.10429): log w += eta * excess, then w <- (1 - c) w + c / M.

    The uniform part goes to sources with any weight only; one without stays without.
    """
    start = np.asarray(log_w, dtype=np.float64)
    alive = np.exp(start) > 0
    w = softmax(start + eta * np.asarray(excess, dtype=np.float64))
    mixed = np.where(alive, (1 - smoothing) * w + smoothing / alive.sum(), 1.0)
    return np.asarray(np.where(alive, np.log(mixed), start))


def doge(log_w: npt.ArrayLike, product: npt.ArrayLike, mean_norm: float, eta: float = 0.05) -> FloatArray:
    """Log weights after one step of DoGE (arXiv 2310.15393): log w += eta * W, then log-softmax.

    W is the product, shape (M,), divided by the mean norm of the gradients and clipped to [0, 5]; nan counts as 0.
    """
    gain = np.nan_to_num(np.asarray(product, dtype=np.float64)) / max(mean_norm, 1e-12)
    return log_softmax(np.asarray(log_w, dtype=np.float64) + eta * np.clip(gain, 0.0, 5.0))


def adam(
    psi: npt.ArrayLike,
    moments: tuple[FloatArray, FloatArray, int],
    rewards: npt.ArrayLike,
    *,
    updates: int,
    rate: float,
) -> tuple[FloatArray, tuple[FloatArray, FloatArray, int]]:
    """Scores and moments after so many steps of Adam on -sum_i R_i log w_i (MultiDDS, arXiv 2004.06748).

    The gradient is w sum R - R, so that w proportional to R is its only resting point. moments are the running means of
    the gradient and its square, shape (M,) each, and the steps so far (betas 0.9 and 0.999, epsilon 1e-8). Rewards that
    are all 0 change nothing.
    """
    scores, r = np.asarray(psi, dtype=np.float64), np.asarray(rewards, dtype=np.float64)
    if not r.any():
        return scores, moments
    first, second, done = moments
    for step in range(done + 1, done + updates + 1):
        slope = softmax(scores) * r.sum() - r
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        scores = scores - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return scores, (first, second, done + updates)
