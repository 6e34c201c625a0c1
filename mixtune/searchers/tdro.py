"""Task-level distributionally robust optimisation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from mixtune.proposal import Proposal, Rule
from mixtune.recipe import FloatArray, Recipe
from mixtune.searchers.rounds import (
    Length,
    Lengths,
    Rounds,
    Ruled,
    lengths_of,
    next_round,
    recommended,
    reference_run,
    require_round,
    rounds_in,
    weights_in,
)
from mixtune.study import Study
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class TDROSearch(Ruled):
    """tDRO: sources whose loss lies furthest above a reference model's gain weight (arXiv 2408.10613).

    No dev set is read: min over theta, max over w of sum_i w_i M_i(theta), M_i the ratio of a source's proxy to its
    reference loss. First a reference: a fresh uniform run of `reference_steps` (None: as a fresh trial), repeated if it
    failed. Then a chain of rounds of `steps` steps each, `length` in all (None: as a fresh trial; "budget": reference
    and chain as long as the budget pays for, see `lengths_of`), after which it is exhausted. Batches mix sources
    uniformly, an example's loss is told from `negatives` own hard negatives alone, and at every step w moves by log w
    += eta * v (`mixtune.rules.tdro` says how, and what `mode` is), then theta on losses weighted by w. A chain in
    rounds ends where one long run would.

    The paper's: the ratio, clipping to norm 1, 7 negatives, a dose eta * length of 20 (0.02 x 1,000; kept when the
    length is another), the last w, and both transfers: `top_p` (default) keeps the `percent` % largest, 70 in the
    paper, and samples them uniformly, `reweight` samples by w. Ours: moving averages (`decay`) and floor of the losses,
    rounds and lengths, and `keep` mean or ema (decay `ema`) instead of last.

    It reads `rule` and `checkpoint` of a Measurement. It sees no dev data, so open keep levels and other choices
    of the space make no difference that it could see: they hold their first value, keep levels everything.
    """

    name: ClassVar[str] = "tdro"

    mode: Literal["ratio", "authors", "difference", "loss"] = "ratio"
    dose: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 20.0
    transfer: Literal["top_p", "reweight"] = "top_p"
    percent: Annotated[int, Field(ge=1, le=100)] = 70
    keep: Literal["last", "mean", "ema"] = "last"
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.9
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.99
    negatives: Annotated[int, Field(ge=1)] = 7
    steps: Annotated[int, Field(ge=1)] = 30
    length: Length = None
    reference_steps: Annotated[int, Field(ge=1)] | None = None

    def propose(self, state: Rounds, study: Study, rng: np.random.Generator) -> Proposal:
        """The reference, then the next round.

        Raises:
            SearchExhausted: the chain has its length.
            ValueError: the bounds leave no mixture.
        """
        if state.reference is None:
            return reference_run(study, self._lengths(study).reference)
        length = self._lengths(study).chain
        settings = {"mode": self.mode, "eta": self.dose / length, "decay": self.decay, "ema": self.ema}
        rule = Rule("tdro", settings, negatives=self.negatives)
        return next_round(study, state, rule, steps=self.steps, length=length)

    def most(self, study: Study) -> int | None:
        """The reference and the rounds of the chain."""
        return 1 + rounds_in(self._lengths(study).chain, self.steps)

    def _lengths(self, study: Study) -> Lengths:
        return lengths_of(study, self.length, self.reference_steps, steps=self.steps, negatives=self.negatives)

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """The transfer of the weights that the last complete round ended with.

        Raises:
            SearchExhausted: no round is complete.
        """
        state = self.fold(study, trials)
        require_round(state, self.name)
        weights = weights_in(state, {"last": "log_w"}.get(self.keep, self.keep))
        return recommended(study, top_p(weights, self.percent) if self.transfer == "top_p" else weights)


def top_p(weights: FloatArray, percent: int) -> FloatArray:
    """1 for the max(1, percent * M // 100) largest of the M weights, 0 for the others; of equal ones the first."""
    kept = max(1, percent * len(weights) // 100)
    chosen = np.zeros(len(weights))
    chosen[np.argsort(-weights, kind="stable")[:kept]] = 1.0
    return chosen
