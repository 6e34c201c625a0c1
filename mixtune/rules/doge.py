"""DoGE: weight follows the sources whose gradients point where the targets' do."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mixtune.policies import doge
from mixtune.recipe import FloatArray
from mixtune.rules.base import RuleState, StepSignals, by_share, log_weights, moved, required, weights_of


@dataclass(frozen=True, slots=True)
class DoGE:
    """DoGE with targets: log w += eta * W, w proportional to exp(log w) (arXiv 2310.15393, mirror descent).

    W is the inner product of the source's gradient, clipped to norm 1, with the mean of the targets' gradients by
    their importance, divided by the mean norm of the sources' clipped gradients and clipped to [0, 5]; 0 for a source
    that is not in the batch. The rule is the authors'. There eta is the learning rate over mu, 0.01 to 0.05 per step at
    their settings; here it is a setting (default 0.05), since weights must not follow the encoder's rate. W is as small
    as the targets' gradients, so the eta that is right depends on what trains. Gradients of targets move no parameter.
    Examples weigh w over their source's probability of being drawn, and what comes of it is the mean of w over all
    steps. State: `log_w`, `mean`, `seen` batches per source, and `steps`.
    """

    name: ClassVar[str] = "doge"
    reads: ClassVar[frozenset[str]] = frozenset({"product", "norm"})

    eta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.05

    def start(self, prior: FloatArray) -> RuleState:
        """The prior, and nothing seen."""
        return {"log_w": log_weights(prior), "mean": prior, "seen": np.zeros(len(prior)), "steps": np.zeros(1)}

    def step(self, state: RuleState, signals: StepSignals) -> RuleState:
        """Take the batch's gradients in and move the weights; a batch without any finite gradient moves nothing."""
        product = required(signals.product, "product", self.name)
        norm = required(signals.norm, "norm", self.name)
        present, new = np.isfinite(product) & np.isfinite(norm), dict(state)
        if present.any():
            mean_norm = float(np.minimum(norm[present], 1.0).mean())
            new["log_w"] = doge(state["log_w"], np.where(present, product, 0.0), mean_norm, self.eta)
        new["seen"] = state["seen"] + present
        new["steps"] = state["steps"] + 1
        new["mean"] = moved(state["mean"], weights_of(new), new["steps"], 1)
        return new

    def weights(self, state: RuleState) -> FloatArray:
        """The weights as they stand, shape (M,)."""
        return weights_of(state)

    def example_weights(self, state: RuleState, sources: npt.NDArray[np.int64]) -> FloatArray:
        """Give each example the weight of its source over its probability of being drawn, over B; shape (B,)."""
        return by_share(state, sources)
