"""Task-level distributionally robust optimisation: weight follows the sources that can still be learnt."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mixtune.policies import dro
from mixtune.recipe import FloatArray
from mixtune.rules.base import (
    DEAD,
    RuleState,
    StepSignals,
    by_batch,
    log_weights,
    mean_by_source,
    moved,
    required,
    weights_of,
)

FLOOR = 0.05
"""A reference loss counts for no less than this share of the sources' median (ours), or of the batch's mean."""


@dataclass(frozen=True, slots=True)
class TDRO:
    """tDRO: log w += eta * v, v the sources' ratios of proxy to reference loss, clipped to norm 1 (arXiv 2408.10613).

    min over theta, max over w of sum_i w_i M_i(theta). The ratio of mean losses, clipping the gradient of w to norm 1
    and eta 0.02 are the paper's. mode says what M is:

    - `ratio` (default): P / max(Q, 0.05 median Q), P and Q being bias-corrected moving averages (`decay`) of a
      source's mean proxy and reference loss over the batches that hold it. A source not seen yet has the mean of
      those that were. Averages and floor are ours.
    - `authors`: as in the published code. Per example the proxy loss over its reference loss, clamped at 0, where
      reference losses are divided by their sum over the micro-batch (`micro_batch` examples, None: the whole batch) and
      entries below 5 % of their mean set to 1 (the code: 1e-4 at 512 examples); the mean per source, 0 for an absent
      one; the mean over micro-batches; scaled to norm 1.
    - `difference` (P - Q) and `loss` (P): both collapse onto the noisiest source, and are here to show that.

    clip False leaves the norm as it is, to show what that does. State: `log_w`, `mean` and `ema` of w over the steps
    (decay `ema`, ours), `proxy_loss` P, `reference_loss` Q, `seen` batches per source, and `steps`.
    """

    name: ClassVar[str] = "tdro"
    reads: ClassVar[frozenset[str]] = frozenset({"reference"})

    mode: Literal["ratio", "authors", "difference", "loss"] = "ratio"
    eta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.02
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.9
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.99
    micro_batch: Annotated[int, Field(ge=1)] | None = None
    clip: bool = True

    def start(self, prior: FloatArray) -> RuleState:
        """The prior, and no loss seen."""
        none = np.zeros(len(prior))
        averages = {"mean": prior, "ema": prior, "proxy_loss": none, "reference_loss": none, "seen": none}
        return {"log_w": log_weights(prior), **averages, "steps": np.zeros(1)}

    def step(self, state: RuleState, signals: StepSignals) -> RuleState:
        """Take the batch's losses in and move the weights."""
        reference = required(signals.reference, "reference", self.name)
        count, new = len(state["log_w"]), dict(state)
        proxy_now = mean_by_source(signals.loss, signals.sources, count)
        reference_now = mean_by_source(reference, signals.sources, count)
        present = np.isfinite(proxy_now)
        new["seen"] = state["seen"] + present
        counts = np.maximum(new["seen"], 1)
        for key, now in (("proxy_loss", proxy_now), ("reference_loss", reference_now)):
            new[key] = np.where(present, moved(state[key], np.nan_to_num(now), counts, self.decay), state[key])
        gain = self._authors(signals, reference, count) if self.mode == "authors" else self.measured(new)
        gain = np.where(state["log_w"] > DEAD / 2, gain, 0.0)  # a source without weight is never drawn
        if self.mode == "authors":
            gain = gain / max(float(np.linalg.norm(gain)), 1e-300)
        new["log_w"] = dro(state["log_w"], gain, self.eta, clip=self.clip)
        new["steps"] = state["steps"] + 1
        new["mean"] = moved(state["mean"], weights_of(new), new["steps"], 1)
        new["ema"] = moved(state["ema"], weights_of(new), new["steps"], self.ema)
        return new

    def measured(self, state: RuleState) -> FloatArray:
        """M of each source from the averages of its losses, shape (M,); 0 for all before the first step."""
        proxy, reference, seen = state["proxy_loss"], state["reference_loss"], state["seen"] > 0
        if not seen.any():
            return np.zeros(len(seen))
        if self.mode == "loss":
            found = proxy
        elif self.mode == "difference":
            found = proxy - reference
        else:
            found = proxy / np.maximum(reference, max(FLOOR * float(np.median(reference[seen])), 1e-12))
        return np.asarray(np.where(seen, found, found[seen].mean()))

    def _authors(self, signals: StepSignals, reference: FloatArray, count: int) -> FloatArray:
        """Mean over the micro-batches of the sources' mean ratios, shape (count,)."""
        parts = -(-len(reference) // (self.micro_batch or len(reference)))
        ratios = []
        for part in (slice(first, None, parts) for first in range(parts)):  # a batch's examples stand source by source
            share = reference[part] / max(float(reference[part].sum()), 1e-300)
            share = np.where(share < FLOOR * share.mean(), 1.0, share)
            ratio = np.maximum(signals.loss[part] / share, 0.0)
            ratios.append(np.nan_to_num(mean_by_source(ratio, signals.sources[part], count)))
        return np.asarray(np.mean(ratios, axis=0))

    def weights(self, state: RuleState) -> FloatArray:
        """The weights as they stand, shape (M,)."""
        return weights_of(state)

    def example_weights(self, state: RuleState, sources: npt.NDArray[np.int64]) -> FloatArray:
        """Give each example the weight of its source, divided by the sum over the batch, shape (B,)."""
        return by_batch(state, sources)
