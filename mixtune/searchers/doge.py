"""DoGE: domain reweighting with generalisation estimation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from mixtune.proposal import Gradients, Proposal, Rule
from mixtune.recipe import Recipe
from mixtune.searchers.rounds import (
    Length,
    Rounds,
    Ruled,
    most_rounds,
    next_round,
    recommended,
    require_round,
    steps_of,
    weights_in,
)
from mixtune.study import Study
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class DoGESearch(Ruled):
    """DoGE for target tasks: sources gain weight whose gradients point where the targets' do (arXiv 2310.15393).

    A chain of rounds of `steps` steps each, `length` in all (None: as a fresh trial; "budget": until the budget ends
    it), after which it is exhausted. Batches mix sources uniformly. At every step each source's gradient is compared
    with the targets', log w += eta * W (see `mixtune.rules.doge`), then theta moves on losses weighted by w; gradients
    of targets never move it. A chain in rounds ends where one long run would. The recommendation is the mean of w over
    all steps.

    The authors': W, its norms and clips, the mean. Ours: eta as a setting (theirs is the learning rate over mu, 0.01 to
    0.05 per step; default 1, since W is as small as the targets' gradients: about 0.01 on a linear head, and a proxy
    has a few hundred steps), a contrastive loss against `negatives` own hard negatives (7, as in tDRO), rounds and
    lengths, and what the targets' gradients are taken on: at every step `queries` dev queries of each target, drawn
    anew, against one positive each, the others' positives and `dev_negatives` sampled documents (queries None: all of
    it). Gradients are taken of the trainable parameters whose names hold `parameters`; "" (default) is all of them, on
    proxy `all` the transformer's last layer alone, "*" all of them there too.

    It reads `rule` and `checkpoint` of a Measurement. It compares sources within a batch, never runs, so open
    keep levels and other choices of the space make no difference that it could see: they hold their first value, keep
    levels everything.
    """

    name: ClassVar[str] = "doge"

    eta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    negatives: Annotated[int, Field(ge=1)] = 7
    queries: Annotated[int, Field(ge=2)] | None = 8
    dev_negatives: Annotated[int, Field(ge=0)] = 8
    parameters: str = ""
    steps: Annotated[int, Field(ge=1)] = 10
    length: Length = None

    def propose(self, state: Rounds, study: Study, rng: np.random.Generator) -> Proposal:
        """The next round.

        Raises:
            SearchExhausted: the chain has its length.
            ValueError: the bounds leave no mixture.
        """
        gradients = Gradients(
            study.names,
            queries=self.queries,
            negatives=self.dev_negatives if self.queries is not None else 0,
            parameters=self.parameters,
        )
        rule = Rule("doge", {"eta": self.eta}, negatives=self.negatives)
        length = steps_of(study, self.length)
        return next_round(study, state, rule, steps=self.steps, length=length, gradients=gradients)

    def most(self, study: Study) -> int | None:
        """The rounds of the chain."""
        return most_rounds(study, self.length, self.steps)

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """The mean of w over the steps of all complete rounds.

        Raises:
            SearchExhausted: no round is complete.
        """
        state = self.fold(study, trials)
        require_round(state, self.name)
        return recommended(study, weights_in(state, "mean"))
