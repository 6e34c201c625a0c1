"""DoReMi: domain reweighting by excess loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from mixtune.proposal import Proposal, Rule
from mixtune.recipe import Recipe
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
class DoReMiSearch(Ruled):
    """DoReMi: sources gain weight by their loss in excess of a reference model's (arXiv 2305.10429, algorithm 1).

    No dev set is read. First a reference: a fresh uniform run of `reference_steps` (None: as a fresh trial), repeated
    if it failed. Then a chain of rounds of `steps` steps each, `length` in all (None: as a fresh trial; "budget":
    reference and chain as long as the budget pays for, see `lengths_of`), after which it is exhausted. Batches mix
    sources uniformly and an example's loss is told from `negatives` own hard negatives alone. At every step log w +=
    eta * excess and w <- (1 - c) w + c / M (see `mixtune.rules.doremi`), then theta moves on losses weighted by w. A
    chain in rounds ends where one long run would. The recommendation is the mean of w over all steps.

    The paper's: the rule, eta 1, c = `smoothing` 1e-3, the mean. Ours: a contrastive loss in place of that of a
    language model, with its negatives (7, as in tDRO), a uniform reference (the paper's also proportional), rounds and
    lengths.

    It reads `rule` and `checkpoint` of a Measurement. It sees no dev data, so open keep levels and other choices
    of the space make no difference that it could see: they hold their first value, keep levels everything.
    """

    name: ClassVar[str] = "doremi"

    eta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 1e-3
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
        rule = Rule("doremi", {"eta": self.eta, "smoothing": self.smoothing}, negatives=self.negatives)
        return next_round(study, state, rule, steps=self.steps, length=self._lengths(study).chain)

    def most(self, study: Study) -> int | None:
        """The reference and the rounds of the chain."""
        return 1 + rounds_in(self._lengths(study).chain, self.steps)

    def _lengths(self, study: Study) -> Lengths:
        return lengths_of(study, self.length, self.reference_steps, steps=self.steps, negatives=self.negatives)

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """The mean of w over the steps of all complete rounds.

        Raises:
            SearchExhausted: no round is complete.
        """
        state = self.fold(study, trials)
        require_round(state, self.name)
        return recommended(study, weights_in(state, "mean"))
