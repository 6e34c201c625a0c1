"""DoReMi: weight follows the loss in excess of a reference model's."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mixtune.policies import doremi
from mixtune.recipe import FloatArray
from mixtune.rules.base import (
    RuleState,
    StepSignals,
    by_share,
    log_weights,
    mean_by_source,
    moved,
    required,
    weights_of,
)


@dataclass(frozen=True, slots=True)
class DoReMi:
    """DoReMi: log w += eta * excess, then w <- (1 - c) w + c / M (arXiv 2305.10429, algorithm 1).

    The excess of a source is the mean over its examples of max(proxy loss - reference loss, 0); an absent source keeps
    its last one, 0 before the first. eta 1 and c = `smoothing` 1e-3 are the paper's, examples weigh w over their
    source's probability of being drawn, and what comes of it is the mean of w over all steps. State: `log_w`, `mean`,
    `excess`, the moving averages `proxy_loss` and `reference_loss` (decay 0.9, for display only), `seen` batches per
    source, and `steps`.
    """

    name: ClassVar[str] = "doremi"
    reads: ClassVar[frozenset[str]] = frozenset({"reference"})

    eta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 1e-3

    def start(self, prior: FloatArray) -> RuleState:
        """The prior, and no loss seen."""
        none = np.zeros(len(prior))
        losses = {"excess": none, "proxy_loss": none, "reference_loss": none, "seen": none}
        return {"log_w": log_weights(prior), "mean": prior, **losses, "steps": np.zeros(1)}

    def step(self, state: RuleState, signals: StepSignals) -> RuleState:
        """Take the batch's losses in and move the weights."""
        reference = required(signals.reference, "reference", self.name)
        count, new = len(state["log_w"]), dict(state)
        excess = mean_by_source(np.maximum(signals.loss - reference, 0.0), signals.sources, count)
        present = np.isfinite(excess)
        new["excess"] = np.where(present, excess, state["excess"])
        new["seen"] = state["seen"] + present
        for key, losses in (("proxy_loss", signals.loss), ("reference_loss", reference)):
            now = np.nan_to_num(mean_by_source(losses, signals.sources, count))
            new[key] = np.where(present, moved(state[key], now, np.maximum(new["seen"], 1), 0.9), state[key])
        new["log_w"] = doremi(state["log_w"], new["excess"], self.eta, self.smoothing)
        new["steps"] = state["steps"] + 1
        new["mean"] = moved(state["mean"], weights_of(new), new["steps"], 1)
        return new

    def weights(self, state: RuleState) -> FloatArray:
        """The weights as they stand, shape (M,)."""
        return weights_of(state)

    def example_weights(self, state: RuleState, sources: npt.NDArray[np.int64]) -> FloatArray:
        """Give each example the weight of its source over its probability of being drawn, over B; shape (B,)."""
        return by_share(state, sources)
