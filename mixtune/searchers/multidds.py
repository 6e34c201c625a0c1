"""MultiDDS: differentiable data selection for several targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from mixtune.errors import SearchExhausted
from mixtune.measurement import Alignment
from mixtune.policies import adam, softmax
from mixtune.proposal import Gradients, Proposal, Role
from mixtune.recipe import FloatArray, Mixture, Recipe
from mixtune.searchers.arms import Arm, eligible_arms
from mixtune.searchers.base import FoldSearcher
from mixtune.searchers.chain import left_after, listed, next_arms
from mixtune.searchers.keep import pruning_and_batching_at
from mixtune.searchers.prior import Prior, prior_mixture
from mixtune.searchers.rounds import Length, most_rounds, steps_of
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Where a chain stands. Arrays follow Study.names, shape (M,), and are never written to.

    psi are the log weights up to a constant, moments Adam's (see policies.adam). reward is each source's last one, nan
    before the first. left holds the sources still to come in the running cycle of comparisons. rounds counts complete
    rounds and steps their optimiser steps, parent is the number of the last one.
    """

    psi: FloatArray
    moments: tuple[FloatArray, FloatArray, int]
    reward: FloatArray
    eligible: tuple[str, ...]
    left: frozenset[str]
    rounds: int = 0
    steps: int = 0
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class MultiDDS(FoldSearcher[Course]):
    """MultiDDS-S: sources gain weight whose gradients point where the targets' do (arXiv 2004.06748, stabilised).

    A chain of rounds, `length` steps in all (None: as a fresh trial; "budget": until the budget ends it), after which
    it is exhausted. A round trains `steps` ordinary steps on batches drawn from the weights, one source a batch, then
    compares gradients: the reward of source i is R_i = sum_j v_j max(0, cos(gradient of target j, gradient of i)), and
    psi takes `updates` steps of Adam of size `rate` on -sum_i R_i log w_i; Adam's averages last from round to round. If
    all rewards are 0, there is no step. A round that failed is left out, and the next continues where it started. The
    recommendation is the mean of the weights after each of the last half of the rounds (`keep: mean`, ours), or the
    `last` ones, which the paper's training ends with.

    The paper's: reward, loss and Adam; its code takes 200 steps of 1e-4 every 1,000 updates. Ours: 20 steps of 0.01 per
    round, since a proxy has a few hundred updates in all; the prior it starts from (the paper: by size); `probes`
    sources compared per round (None: 8 or all) in shuffled cycles, a source keeping its last reward until it is
    compared again, and having the mean reward before; `batches` batches per source; and what the targets' gradients are
    taken on: `queries` dev queries per target, drawn anew in each round, against one positive each, the others'
    positives and `negatives` sampled documents (queries None: all of it). Gradients are taken of the trainable
    parameters whose names hold `parameters`; "" (default) is all of them, on proxy `all` the transformer's last layer
    alone, "*" all of them there too.

    It reads `alignment` and `checkpoint` of a Measurement. It compares sources at one point, never runs, so open keep
    levels and other choices of the space make no difference that it could see: they hold their first value, keep levels
    everything.
    """

    name: ClassVar[str] = "multidds"
    needs: ClassVar[frozenset[str]] = frozenset({"alignment", "checkpoint"})

    prior: Prior = "proportional"
    updates: Annotated[int, Field(ge=1)] = 20
    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.01
    keep: Literal["last", "mean"] = "mean"
    probes: Annotated[int, Field(ge=1)] | None = None
    batches: Annotated[int, Field(ge=1)] = 1
    queries: Annotated[int, Field(ge=2)] | None = 48
    negatives: Annotated[int, Field(ge=0)] = 48
    parameters: str = ""
    steps: Annotated[int, Field(ge=1)] = 10
    length: Length = None

    def start(self, study: Study) -> Course:
        """The prior, and nothing known.

        Raises:
            ConfigError: the prior is `expert` and the study has no expert weights.
        """
        count = len(study.names)
        eligible = eligible_arms(study, [Arm(name) for name in study.names])
        return Course(
            psi=np.log(prior_mixture(study, self.prior).array(study.names)),
            moments=(np.zeros(count), np.zeros(count), 0),
            reward=np.full(count, np.nan),
            eligible=eligible,
            left=frozenset(eligible),
        )

    def update(self, state: Course, study: Study, trial: Trial) -> Course:
        """Take in one finished trial; all but rounds are passed over."""
        if trial.role is not Role.ROUND or trial.proposal.gradients is None:
            return state
        state = replace(state, left=left_after(state.left, trial.proposal.gradients.sources, state.eligible))
        if trial.state is not TrialState.COMPLETE or trial.measurement is None:
            return state
        state = replace(state, rounds=state.rounds + 1, steps=state.steps + trial.proposal.steps, parent=trial.number)
        found = rewards(study, trial.measurement.alignment)
        if not np.isfinite(found).any():
            return state
        reward = np.where(np.isfinite(found), found, state.reward)
        known = np.where(np.isfinite(reward), reward, np.nanmean(reward))
        psi, moments = adam(state.psi, state.moments, known, updates=self.updates, rate=self.rate)
        return replace(state, psi=psi, moments=moments, reward=reward)

    def propose(self, state: Course, study: Study, rng: np.random.Generator) -> Proposal:
        """The next round, on the last complete one's checkpoint.

        Raises:
            SearchExhausted: the chain has its length, or no source can be compared.
            ValueError: the bounds leave no mixture.
        """
        length = steps_of(study, self.length)
        if state.steps >= length:
            raise SearchExhausted(f"the chain of multidds has its {length} steps: its length is a setting")
        if not state.eligible:
            raise SearchExhausted(
                "multidds can compare no source: it needs one with at least 2 pairs and a cap above 0"
            )
        wanted = min(self.probes or 8, len(state.eligible))
        steps = min(self.steps, length - state.steps)
        return Proposal(
            recipe_of(study, softmax(state.psi)),
            steps,
            Role.ROUND,
            parent=state.parent,
            gradients=Gradients(
                next_arms(state.left, state.eligible, wanted, rng),
                batches=self.batches,
                queries=self.queries,
                negatives=self.negatives if self.queries is not None else 0,
                parameters=self.parameters,
            ),
            scored=state.steps + steps >= length,
            notes={
                "round": state.rounds,
                "weights": listed(softmax(state.psi)),
                "reward": listed(state.reward, np.isfinite(state.reward)),
            },
        )

    def most(self, study: Study) -> int | None:
        """The rounds of the chain."""
        return most_rounds(study, self.length, self.steps)

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """Mean of the weights after each of the last half of the complete rounds, or the last ones.

        Raises:
            SearchExhausted: no round is complete.
        """
        state, path = self.start(study), list[FloatArray]()
        for trial in trials:
            before, state = state.rounds, self.update(state, study, trial)
            if state.rounds > before:
                path.append(softmax(state.psi))
        if not path:
            raise SearchExhausted("multidds has no complete round yet: let at least one finish")
        return recipe_of(study, path[-1] if self.keep == "last" else np.mean(path[len(path) // 2 :], axis=0))


def rewards(study: Study, alignment: Mapping[str, Alignment]) -> FloatArray:
    """Rewards of the sources, shape (M,), nan where a source was not compared or a cosine is not finite."""
    found = np.full(len(study.names), np.nan)
    for index, name in enumerate(study.names):
        if name in alignment:
            cosine = alignment[name].cosine
            cosines = np.array([cosine.get(target.name, np.nan) for target in study.targets])
            found[index] = study.target_weights() @ np.maximum(cosines, 0.0)
    return found


def recipe_of(study: Study, weights: FloatArray) -> Recipe:
    """The recipe of weights over the sources, shape (M,), brought into the study's space."""
    return study.recipe(Mixture.from_array(study.names, weights), *pruning_and_batching_at(study, {}))
