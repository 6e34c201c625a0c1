"""Influence-guided dynamic data sampling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mixtune.errors import SearchExhausted
from mixtune.measurement import Influence
from mixtune.policies import clarity, exponential, faded, kl, reinforce_expected, reinforce_sum
from mixtune.proposal import Probe, Proposal, Role
from mixtune.recipe import FloatArray, Recipe
from mixtune.searchers.arms import shares
from mixtune.searchers.base import FoldSearcher
from mixtune.searchers.chain import Chain, left_after, next_arms, notes_of
from mixtune.searchers.choice import options_drawn
from mixtune.searchers.influences import (
    finite,
    first_chain,
    last_half,
    learnt,
    overlap_of,
    recipe_of,
    weights_on_the_way,
)
from mixtune.searchers.keep import require_room
from mixtune.searchers.prior import Prior, prior_mixture
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

DEFAULT_PROBES = 8
"""Sources probed per round where the setting says nothing (ours)."""


@dataclass(frozen=True, slots=True)
class InfDDS(FoldSearcher[Chain]):
    """Inf-DDS: sources are weighted by what a few steps on them do to the targets (arXiv 2601.21759).

    A chain of rounds, each one trial that continues the last complete one. A round trains `steps` ordinary steps on
    batches drawn from its weights (none in the first round), then tries out some sources: from the same parameters,
    `probe_steps` steps on each, and the relative fall of the targets' dev loss is the source's influence. The tried
    steps are merged into the parameters (weighted Reptile), and the policy turns the influences into the next round's
    weights. Sources are probed in shuffled cycles, so that all are probed equally often. A round that failed is left
    out, and the next continues where it started; its sources have had their turn, lest one that breaks every run
    stops the search. An influence that was not finite is left out likewise.

    The paper states the influence of an online proxy, probing subsets, the weighted Reptile merge, REINFORCE on
    softmax scores, and the start from size-proportional or expert weights. Everything else is ours:

    - policy `kl` (default) uses running means (each new influence counts `rate`), standardised against their noise:
      weights proportional to prior * exp(beta * z), beta 3. The prior fades as the influences become clear: once all
      that can be probed has been, it counts as prior ** (1 - fade * clarity), clarity being the share of the spread
      between sources that is not noise; fade 0 keeps it as it is. `reinforce_sum` and `reinforce_expected` are the
      two readings of the paper's rule, with rate `gamma`, on influences divided by their mean size; `exponential` the
      same on standardised influences.
    - probes per round (None: 8 or all), probe_steps (None: a fifteenth of a fresh run's), ordinary steps 10, epsilon 1
      (step of the merge). More steps per probe tell sources apart better than more probes of a step or two.
    - dev evaluation is most of a round's cost unless it is sampled: a round measures influence on `queries` dev queries
      per target with one positive each, the other positives and `negatives` sampled documents, drawn anew in each
      round, so that running means average over them (queries None: on all of it, with all positives). Progress is
      scored in every `score_every`-th round only: no policy reads it.
    - measure `loss` is that fall of the dev loss, `rank` the rise of nDCG on the same queries and documents. splits
      above 1 divide the dev queries once and for all into so many parts, which the rounds take in turn: parts can be
      held against each other, and what one of them alone says does not last.
    - reptile `linear` weighs merged steps by influence, `softmax` by exp(influence / T), where T is the spread of the
      influences in earlier rounds (in the first round the trainer's own).

    A source with open keep levels is one arm per level, probed like sources of their own: its weight is the sum over
    its arms, its level their mean by weight, rounded to the list; a level shared by all sources is the mean over the
    arms of all of them. Arms of a source start with equal parts of its prior, so that levels which make no difference
    change no weight if all sources have as many (otherwise z is taken over all arms, and a source of more levels
    counts more in its mean and spread). A source without a choice holds what the study says: its one level, or
    everything. The recommendation is the mean of the weights after each of the last half of the rounds.

    What else the space leaves open (ends and strength of the pruning schedule, whether it is on, topics, margin bins)
    is chosen beside the weights, for all sources together. Each probe runs under values of its own, dealt so that all
    come equally often and meet all arms alike; what a value is worth is by how much the influences under it exceed
    their arms' means. Rounds and recommendation take the mean value by weights exp(beta * z), rounded to the list (of
    `dynamic` the heavier), and stay at the first of the list until it is better by more than a standard error.

    Sources that do nothing for the targets do not wander under `kl`, which adds nothing up: however many rounds there
    are, their weights keep about the ratio of their priors, off by exp(beta * the difference of their z), which is
    noise that is no larger late than early, and 0 where there is none. That is with `fade` 0; with fade f it is the
    ratio ** (1 - f * clarity). So at the default of 1, where others clearly help, sources of no effect end alike: a
    large one does not keep its start for want of evidence. `exponential` adds noise up, and such sources wander.
    """

    name: ClassVar[str] = "infdds"
    needs: ClassVar[frozenset[str]] = frozenset({"checkpoint", "influence"})
    chooses_options: ClassVar[bool] = True

    policy: Literal["kl", "exponential", "reinforce_sum", "reinforce_expected"] = "kl"
    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3.0
    fade: Annotated[float, Field(ge=0, le=1)] = 1.0
    gamma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    rate: Annotated[float, Field(gt=0, le=1)] = 0.3
    prior: Prior = "proportional"
    probes: Annotated[int, Field(ge=1)] | None = None
    probe_steps: Annotated[int, Field(ge=1)] | None = None
    steps: Annotated[int, Field(ge=0)] = 10
    reptile: Literal["linear", "softmax"] = "linear"
    epsilon: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    measure: Literal["loss", "rank", "both"] = "loss"
    queries: Annotated[int, Field(ge=2)] | None = 48
    negatives: Annotated[int, Field(ge=0)] = 48
    splits: Annotated[int, Field(ge=1)] = 1
    score_every: Annotated[int, Field(ge=1)] = 10

    def start(self, study: Study) -> Chain:
        """The prior, and nothing known.

        Raises:
            ConfigError: the prior is `expert` and the study has no expert weights.
        """
        return first_chain(study, prior_mixture(study, self.prior))

    def update(self, state: Chain, study: Study, trial: Trial) -> Chain:
        """Take in one finished trial; all but rounds are passed over."""
        if trial.role is not Role.ROUND or trial.proposal.probe is None:
            return state
        probed = tuple(trial.proposal.probe.arms)
        tried = trial.proposal.probe.options
        state = replace(
            state,
            left=left_after(state.left, probed, state.eligible),
            choices=tuple(choice.passed(tried) for choice in state.choices),
        )
        if trial.state is not TrialState.COMPLETE or trial.measurement is None:
            return state
        seen = {name: found for name in probed if (found := trial.measurement.influence.get(name)) and finite(found)}
        state = replace(
            state,
            rounds=state.rounds + 1,
            parent=trial.number,
            dropped=tuple(name for name in probed if name not in seen),
        )
        return self._learn(state, study, seen, trial.proposal.probe) if seen else replace(state, skipped=True)

    def _learn(self, state: Chain, study: Study, seen: Mapping[str, Influence], probe: Probe) -> Chain:
        """Take in the finite influences of a round that probed so."""
        overlap = overlap_of(study, probe.queries)
        state = learnt(state, study, seen, overlap=overlap, rate=self.rate, measure=self.measure, tried=probe.tried)
        position = {arm.name: index for index, arm in enumerate(state.arms)}
        probed, known = np.array([position[name] for name in seen]), state.visits > 0
        value = np.array([x.value for x in seen.values()], dtype=float)
        everything = all(known[position[name]] for name in state.eligible)
        clear = clarity(state.influence[known], state.error[known], study.target_weights()) if everything else 0.0
        part = shares(state.arms)  # a source's prior fades, not that of its arms: of more levels it weighs no more
        prior = part * faded(np.exp(state.log_prior) / part, self.fade * clear)
        psi, skipped = self._step(state, prior, state.z, probed, value)

        spread = state.spread
        if len(value) > 1:
            now = max(float(value.std()), float(np.sqrt(np.mean([(x.error or 0.0) ** 2 for x in seen.values()]))))
            spread = now if spread is None else spread + self.rate * (now - spread)
        return replace(state, psi=psi, spread=spread, skipped=skipped)

    def _step(
        self, state: Chain, prior: FloatArray, z: FloatArray, probed: npt.NDArray[np.int64], value: FloatArray
    ) -> tuple[FloatArray, bool]:
        """Scores after the policy's step, and whether it was skipped."""
        if self.policy == "kl":
            return np.log(np.maximum(kl(prior, z, self.beta), 1e-300)), False
        rewards = np.full(len(z), np.nan)
        rewards[probed] = value / max(float(np.abs(value).mean()), 1e-12)
        if self.policy == "reinforce_sum":
            part = shares(state.arms)  # weights follow rewards there: a source of more levels shall not weigh more
            rewards *= part / part.mean()
        rule = {
            "exponential": exponential,
            "reinforce_sum": reinforce_sum,
            "reinforce_expected": reinforce_expected,
        }[self.policy]
        psi = rule(state.psi, rewards, self.gamma)
        return np.asarray(psi - np.logaddexp.reduce(psi)), psi is state.psi

    def propose(self, state: Chain, study: Study, rng: np.random.Generator) -> Proposal:
        """The next round, on the last complete one's checkpoint.

        Raises:
            SearchExhausted: no source can be probed.
            ValueError: the bounds leave no mixture, or would leave none at the lowest keep levels.
        """
        if not state.eligible:
            raise SearchExhausted("no source can be probed: this needs one with at least 2 pairs and a cap above 0")
        if not state.rounds:
            require_room(study)
        wanted = min(self.probes or DEFAULT_PROBES, len(state.eligible))
        return Proposal(
            recipe_of(study, state, state.weights, self.beta),
            steps=self.steps if state.rounds else 0,
            role=Role.ROUND,
            parent=state.parent,
            probe=self._probe(state, study, wanted, rng),
            scored=(state.rounds + 1) % self.score_every == 0,
            notes={**notes_of(state, study.target_weights(), self.beta), "measure": self.measure},
        )

    def _probe(self, state: Chain, study: Study, wanted: int, rng: np.random.Generator) -> Probe:
        """A round's probe of so many arms."""
        names = next_arms(state.left, state.eligible, wanted, rng)
        arms = {arm.name: arm for arm in state.arms}
        levels = tuple(arms[name].level for name in names)
        return Probe(
            sources=tuple(arms[name].source for name in names),
            steps=self.probe_steps or max(2, round(study.proxy.steps / 15)),
            reptile=self.reptile,
            epsilon=self.epsilon,
            temperature=state.spread if self.reptile == "softmax" and state.spread else None,
            levels=levels if any(level is not None for level in levels) else (),
            queries=self.queries,
            negatives=self.negatives if self.queries is not None else 0,
            split=state.rounds % self.splits,
            splits=self.splits,
            options=options_drawn(state.choices, wanted, rng),
        )

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """Mean of the weights after each of the last half of the complete rounds.

        Raises:
            SearchExhausted: no round is complete.
        """
        state, path = weights_on_the_way(self, study, trials)
        if not path:
            raise SearchExhausted("infdds has no complete round yet: let at least one finish")
        return recipe_of(study, state, last_half(path), self.beta)
