"""A guided search that starts from what the base model sees, and lets probes correct it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from mixtune.errors import SearchExhausted
from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.searchers.base import FoldSearcher
from mixtune.searchers.chain import Chain
from mixtune.searchers.infdds import InfDDS
from mixtune.searchers.influences import last_half, log_prior_of, recipe_of, weights_on_the_way
from mixtune.searchers.prior import prior_mixture
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

SMALLEST_MATCH = 0.02
"""No source counts as less well matched than this: what the base model takes for noise may be a language new to it."""


@dataclass(frozen=True, slots=True)
class Scout(FoldSearcher[Chain]):
    """Neighbours of the targets, discounted by their mismatched pairs, then corrected by influence (ours).

    A search algorithm of mixtune's own, put together from parts that are each known:

    - The survey of the base model gives the prior: per target, each source's share among the training queries nearest
      to the target's dev queries (see `neighbours`), times the share of the source's pairs that the base model finds to
      belong together (see mixtune.training.survey.matched), scaled to sum 1 and averaged over targets by their
      weights. A share `smoothing` of it is spread evenly, so that probes can lift a source that looks like no target.
      prior `proportional`, `uniform` or `expert` starts from those instead, times `matched` likewise.
    - Then rounds as those of Inf-DDS (arXiv 2601.21759; see InfDDS for the settings that both have): short runs on
      single sources from a chain of continued trials. The influence read is the mean of the fall of the dev
      loss and the rise of nDCG on dev, each in its own standard errors (measure `both`): the loss tells sources apart
      more sharply, but also moves where a source merely makes scores larger or smaller, as noisy labels do.
    - The weights are proportional to prior * exp(beta * z), with z the influence standardised against its own noise, so
      that sources which probes cannot tell apart stay at their prior. beta 1 is a gentle correction: the influence of
      a few steps says more about which sources harm than about how much of each helps.

    Before a round is complete it recommends its prior. The recommendation is the mean of the weights after each of the
    last half of the rounds. Keep levels are arms, and what else the space leaves open is chosen, as for Inf-DDS. It
    reads `influence`, `checkpoint` and, of the survey, `neighbours` and `matched` (a trainer that measures no `matched`
    leaves it out).
    """

    name: ClassVar[str] = "scout"
    needs: ClassVar[frozenset[str]] = frozenset({"checkpoint", "influence", "neighbours"})
    chooses_options: ClassVar[bool] = True

    prior: Literal["neighbours", "proportional", "uniform", "expert"] = "neighbours"
    matched: bool = True
    smoothing: Annotated[float, Field(ge=0, le=1)] = 0.05
    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    rate: Annotated[float, Field(gt=0, le=1)] = 0.3
    measure: Literal["loss", "rank", "both"] = "both"
    probes: Annotated[int, Field(ge=1)] | None = None
    probe_steps: Annotated[int, Field(ge=1)] | None = None
    steps: Annotated[int, Field(ge=0)] = 10
    queries: Annotated[int, Field(ge=2)] | None = 48
    negatives: Annotated[int, Field(ge=0)] = 48
    splits: Annotated[int, Field(ge=1)] = 1
    score_every: Annotated[int, Field(ge=1)] = 10

    def start(self, study: Study) -> Chain:
        """The prior as far as it is known without a survey.

        Raises:
            ConfigError: the prior is `expert` and the study has no expert weights.
        """
        return self._rounds().start(study)

    def update(self, state: Chain, study: Study, trial: Trial) -> Chain:
        """Take in one finished trial: the survey gives the prior, rounds correct it."""
        if trial.role is Role.SURVEY and trial.state is TrialState.COMPLETE and trial.measurement is not None:
            log_prior = log_prior_of(state.arms, self.surveyed(study, trial.measurement))
            return replace(state, log_prior=log_prior, psi=log_prior)
        return self._rounds().update(state, study, trial)

    def surveyed(self, study: Study, survey: Measurement) -> Mixture:
        """The prior that a survey gives; sources stay as they were where it looked for nothing."""
        names = study.names
        clean = np.array([survey.matched.get(name, 1.0) if self.matched else 1.0 for name in names])
        if self.prior == "neighbours" and survey.neighbours:
            shares = np.array([[survey.neighbours[t.name].get(name, 0.0) for name in names] for t in study.targets])
        else:
            known = "proportional" if self.prior == "neighbours" else self.prior
            shares = np.tile(prior_mixture(study, known).array(names), (len(study.targets), 1))
        worth = shares * np.maximum(clean, SMALLEST_MATCH)
        found = worth.sum(axis=1, keepdims=True)  # 0 where all that is near to a target is out of use
        weights = study.target_weights() @ np.where(found > 0, worth / np.maximum(found, 1e-300), 1 / len(names))
        return Mixture.from_array(names, (1 - self.smoothing) * weights + self.smoothing / len(names))

    def propose(self, state: Chain, study: Study, rng: np.random.Generator) -> Proposal:
        """The next round, on the last complete one's checkpoint.

        Raises:
            SearchExhausted: no source can be probed.
            ValueError: the bounds leave no mixture, or would leave none at the lowest keep levels.
        """
        return self._rounds().propose(state, study, rng)

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """Mean of the weights after each of the last half of the complete rounds, before any of them the prior.

        Raises:
            SearchExhausted: not even the survey is complete.
        """
        state, path = weights_on_the_way(self, study, trials)
        surveyed = any(trial.role is Role.SURVEY and trial.state is TrialState.COMPLETE for trial in trials)
        if not path and not surveyed:
            raise SearchExhausted("scout has neither a survey nor a complete round yet: let one finish")
        return recipe_of(study, state, last_half(path) if path else state.weights, self.beta)

    def _rounds(self) -> InfDDS:
        """The rounds of Inf-DDS with this search's settings; a prior that never fades."""
        return InfDDS(
            policy="kl",
            beta=self.beta,
            fade=0.0,
            rate=self.rate,
            prior="proportional" if self.prior == "neighbours" else self.prior,
            measure=self.measure,
            probes=self.probes,
            probe_steps=self.probe_steps,
            steps=self.steps,
            queries=self.queries,
            negatives=self.negatives,
            splits=self.splits,
            score_every=self.score_every,
        )
