"""Chains of rounds under a rule that moves the weights at every step, and the reference that some of them need."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import Field

from mixtune.batching import Batching
from mixtune.errors import SearchExhausted
from mixtune.proposal import NEGATIVES, Gradients, Proposal, Role, Rule
from mixtune.recipe import FloatArray, Mixture, Recipe
from mixtune.searchers.base import FoldSearcher
from mixtune.searchers.keep import pruning_and_batching_at
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

Length: TypeAlias = Annotated[int, Field(ge=1)] | Literal["budget"] | None
"""Steps of a chain: so many, as many as the study's budget pays for, or (None) those of a fresh trial."""

ENDLESS = 1_000_000_000
"""Steps of a chain that ends where the budget does."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Where a chain of rounds stands.

    rounds counts complete rounds and steps their optimiser steps, parent is the number of the last one and rule the
    state that its rule ended in. reference is the number of the complete reference run, None before.
    """

    rounds: int = 0
    steps: int = 0
    parent: int | None = None
    reference: int | None = None
    rule: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


class Ruled(FoldSearcher[Rounds]):
    """A search that is one chain of rounds on mixed batches, its weights moved by a rule; it ends at its length."""

    needs: ClassVar[frozenset[str]] = frozenset({"checkpoint", "rule"})
    mixes: ClassVar[bool] = True

    def start(self, study: Study) -> Rounds:
        """No reference and no round."""
        return Rounds()

    def update(self, state: Rounds, study: Study, trial: Trial) -> Rounds:
        """Take in one finished trial."""
        return after(state, trial)


def after(state: Rounds, trial: Trial) -> Rounds:
    """State after one more finished trial.

    A reference or round that failed, or that left no finite weights, is passed over: the next proposal repeats it,
    under a number and seed of its own.
    """
    found = trial.measurement
    if trial.state is not TrialState.COMPLETE or found is None:
        return state
    if trial.role is Role.REFERENCE and state.reference is None:
        return replace(state, reference=trial.number)
    if trial.role is not Role.ROUND or not found.rule.get("log_w"):
        return state
    if not all(np.isfinite(values).all() for values in found.rule.values()):
        return state
    steps = state.steps + trial.proposal.steps
    return replace(state, rounds=state.rounds + 1, steps=steps, parent=trial.number, rule=found.rule)


def reference_run(study: Study, steps: int) -> Proposal:
    """A fresh run of so many steps on a uniform mixture, in mixed batches."""
    recipe = mixed_recipe(study, np.full(len(study.names), 1.0))
    return Proposal(recipe, steps, Role.REFERENCE, horizon=steps, scored=False)


def next_round(
    study: Study, state: Rounds, rule: Rule, *, steps: int, length: int, gradients: Gradients | None = None
) -> Proposal:
    """The next round of a chain, of at most `steps` steps; the last one is scored on dev.

    rule holds name and settings; it goes on from the state of the last round.

    Raises:
        SearchExhausted: the chain has its length.
    """
    if state.steps >= length:
        raise SearchExhausted(f"the chain of {rule.name} has its {length} steps: its length is a setting")
    take = min(steps, length - state.steps)
    weights = weights_in(state, "log_w") if state.rule else np.full(len(study.names), 1.0)
    return Proposal(
        mixed_recipe(study, weights),
        take,
        Role.ROUND,
        parent=state.parent,
        gradients=gradients,
        rule=replace(rule, state=state.rule),
        reference=state.reference,
        scored=state.steps + take >= length,
        notes={"round": state.rounds, "steps": state.steps},
    )


def rounds_in(length: int, steps: int) -> int:
    """Rounds of `steps` steps that a chain of that length takes."""
    return -(-length // steps)


def steps_of(study: Study, length: Length) -> int:
    """Steps of a chain that does the same at every step, however many there will be."""
    return ENDLESS if length == "budget" else length or study.proxy.steps


def most_rounds(study: Study, length: Length, steps: int) -> int | None:
    """Rounds of such a chain, None where the budget ends it."""
    return None if length == "budget" else rounds_in(steps_of(study, length), steps)


@dataclass(frozen=True, slots=True)
class Lengths:
    """Steps of a reference run and of the chain that reads its losses."""

    reference: int
    chain: int


def lengths_of(study: Study, length: Length, reference: int | None, *, steps: int, negatives: int) -> Lengths:
    """Lengths of a chain that has to know its own beforehand, and of its reference.

    Of a budget of compute, reference and chain get as many steps each, up to those of a fresh trial; what is left goes
    into the chain. Of a budget of trials one is the reference's. Where the budget says neither, or what mixed batches
    cost is not known, length `budget` means None.

    Args:
        study: unprepared, its costs are not known.
        length: of the chain.
        reference: steps of the reference run; None: see above, or those of a fresh trial.
        steps: of a round.
        negatives: own negatives per example in the chain.
    """
    usual, found = study.proxy.steps, list[Lengths]()
    budget, prepared = study.budget, study.preparation
    if length != "budget":
        return Lengths(reference or usual, length or usual)
    if budget.trials is not None:
        found.append(Lengths(reference or usual, max(1, budget.trials - 1) * steps))
    if budget.runs is not None and prepared is not None and prepared.mixed is not None and prepared.mixed.step(1) > 0:
        each, known = prepared.mixed.step(NEGATIVES), prepared.mixed.step(negatives, reference=True)
        left = budget.runs * prepared.run_flops - prepared.dev_flops
        first = reference or min(usual, max(1, int(left / (each + known))))
        found.append(Lengths(first, max(1, int((left - first * each) / known))))
    return min(found, key=lambda one: one.chain, default=Lengths(reference or usual, usual))


def mixed_recipe(study: Study, weights: FloatArray) -> Recipe:
    """Weights of the loss, shape (M,), in mixed batches, within the floors and caps of the study's space.

    How many sources may have weight is a bound on what is recommended: a source that began without any would stay so,
    and the rule would never see it.
    """
    pruning, _ = pruning_and_batching_at(study, {})
    everyone = replace(study, space=replace(study.space, at_most=None))
    return everyone.recipe(Mixture.from_array(study.names, weights), pruning, Batching(mixed=True))


def recommended(study: Study, weights: FloatArray) -> Recipe:
    """Weights of sampling, shape (M,), in the study's own batches, brought into its space."""
    return study.recipe(Mixture.from_array(study.names, weights), *pruning_and_batching_at(study, {}))


def weights_in(state: Rounds, key: str) -> FloatArray:
    """Weights that the last round's rule ended with, shape (M,): `log_w` as they stood then, `mean` or `ema`."""
    values = np.array(state.rule[key])
    return np.asarray(np.exp(values - values.max()) if key == "log_w" else values)


def require_round(state: Rounds, name: str) -> None:
    """See that there is something to recommend.

    Raises:
        SearchExhausted: no round is complete.
    """
    if not state.rounds:
        raise SearchExhausted(f"{name} has no complete round yet: let at least one finish")
