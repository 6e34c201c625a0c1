"""Rules that move the weights at every step of a run: what a step shows them, and what they promise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from mixtune.recipe import FloatArray

RuleState: TypeAlias = Mapping[str, FloatArray]
"""Where a rule stands: arrays of shape (M,) over the usable sources, or (1,); never changed in place."""

DEAD = -1e4
"""Log weight of a source without any: finite, and its weight is exactly 0."""


@dataclass(frozen=True, slots=True)
class StepSignals:
    """What a step on a mixed batch of B examples showed, before its parameters move.

    sources (B,) are positions of the examples' sources, loss (B,) their losses, reference (B,) those of the reference
    model (None where the rule does not read it). product (M,) is the inner product of each present source's gradient,
    scaled down to norm 1 where it is longer, with the mean of the targets' gradients by their importance; norm (M,) is
    the norm of each present source's gradient (before or after that scaling, the rule takes at most 1). Both are nan
    where the source is absent, and None where the rule does not read them.
    """

    sources: npt.NDArray[np.int64]
    loss: FloatArray
    reference: FloatArray | None = None
    product: FloatArray | None = None
    norm: FloatArray | None = None


class StepRule(Protocol):
    """A rule. Implementations are frozen dataclasses whose fields are its settings.

    reads names the StepSignals that it needs besides sources and loss.
    """

    name: ClassVar[str]
    reads: ClassVar[frozenset[str]]

    def start(self, prior: FloatArray) -> RuleState:
        """State before the first step, from the weights (M,) that it starts with; `log_w` is always among it."""
        ...

    def step(self, state: RuleState, signals: StepSignals) -> RuleState:
        """State after a step; a run moves its parameters on the new weights."""
        ...

    def weights(self, state: RuleState) -> FloatArray:
        """Weights of the sources, shape (M,), summing to 1."""
        ...

    def example_weights(self, state: RuleState, sources: npt.NDArray[np.int64]) -> FloatArray:
        """Weights (B,) of a batch's examples: a run moves its parameters on the sum of weight times loss.

        sources are those of StepSignals; the state is the one after the step.
        """
        ...


def log_weights(prior: FloatArray) -> FloatArray:
    """Logarithms of weights, shape (M,), DEAD where a weight is 0."""
    alive = prior > 0
    return np.where(alive, np.log(np.where(alive, prior, 1.0)), DEAD)


def weights_of(state: RuleState) -> FloatArray:
    """Weights of a state, shape (M,), summing to 1."""
    w = np.exp(state["log_w"])
    return np.asarray(w / w.sum())


def by_share(state: RuleState, sources: npt.NDArray[np.int64]) -> FloatArray:
    """Example weights w_g / p_g / B, where p is the probability of a source in a mixed batch: 1 over those with weight.

    So a batch that happens to hold little of a heavy source weighs less than one that holds much of it.
    """
    w = weights_of(state)
    return np.asarray(w[sources] * np.count_nonzero(w) / len(sources))


def by_batch(state: RuleState, sources: npt.NDArray[np.int64]) -> FloatArray:
    """Example weights w_g scaled to sum 1 over the batch."""
    w = weights_of(state)[sources]
    return np.asarray(w / max(float(w.sum()), 1e-300))


def moved(mean: FloatArray, value: FloatArray, count: FloatArray, decay: float) -> FloatArray:
    """A bias-corrected moving average after one more value, `count` values in all with this one (elementwise).

    It is the exponential average divided by 1 - decay ** count, kept corrected: the first value is the average, and
    equal values leave it exactly as it is. decay 1 gives the plain mean.
    """
    rate = 1 / count if decay == 1 else (1 - decay) / (1 - decay**count)
    return np.asarray(mean + (value - mean) * rate)


def mean_by_source(values: FloatArray, sources: npt.NDArray[np.int64], count: int) -> FloatArray:
    """Mean of the examples' values per source, shape (count,), nan where a source is absent."""
    total = np.bincount(sources, weights=values, minlength=count)
    drawn = np.bincount(sources, minlength=count)
    return np.asarray(np.where(drawn > 0, total / np.maximum(drawn, 1), np.nan))


def required(values: FloatArray | None, name: str, rule: str) -> FloatArray:
    """A signal that the rule reads.

    Raises:
        ValueError: the step did not show it.
    """
    if values is None:
        raise ValueError(f"rule {rule!r} reads {name}: give StepSignals that hold it")
    return values
