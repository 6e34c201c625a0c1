"""Rules that move the weights at every step of a run: pure functions of what a step showed, numpy only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from mixtune.recipe import FloatArray

RuleState: TypeAlias = Mapping[str, FloatArray]
"""Where a rule stands: arrays of shape (M,) over the usable sources, or (1,); never changed in place."""


@dataclass(frozen=True, slots=True)
class StepSignals:
    """What a step on a mixed batch of B examples showed, before its parameters move.

    sources (B,) are positions of the examples' sources, loss (B,) their losses, reference (B,) those of the reference
    model (None where the rule does not read it). product (M,) is the inner product of each present source's gradient,
    clipped to norm 1, with the targets', nan where the source is absent (None where the rule does not read it).
    """

    sources: npt.NDArray[np.int64]
    loss: FloatArray
    reference: FloatArray | None = None
    product: FloatArray | None = None


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


RULES: dict[str, type[StepRule]] = {}
"""Rules by name."""
