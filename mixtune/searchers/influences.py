"""What a chain of rounds learns from influences, whatever the policy makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mixtune.measurement import Influence
from mixtune.policies import running_error, running_mean, standardise
from mixtune.recipe import FloatArray, Mixture, Recipe
from mixtune.searchers.arms import Arm, arms_of, eligible_arms, per_source, pruning_of, shares
from mixtune.searchers.base import FoldSearcher
from mixtune.searchers.chain import Chain
from mixtune.searchers.choice import choices_of, residuals
from mixtune.study import Study
from mixtune.trial import Trial


def first_chain(study: Study, prior: Mixture) -> Chain:
    """Nothing known but a prior over the sources, which their arms share equally."""
    arms, targets = arms_of(study), len(study.targets)
    count, eligible = len(arms), eligible_arms(study, arms)
    log_prior = log_prior_of(arms, prior)
    return Chain(
        arms=arms,
        log_prior=log_prior,
        eligible=eligible,
        left=frozenset(eligible),
        psi=log_prior,
        influence=np.zeros((count, targets)),
        error=np.zeros((count, targets)),
        visits=np.zeros(count),
        z=np.zeros(count),
        choices=choices_of(study),
    )


def log_prior_of(arms: Sequence[Arm], prior: Mixture) -> FloatArray:
    """Logarithm of each arm's prior weight, shape (A,)."""
    return np.asarray(np.log(np.maximum(shares(arms) * [prior.get(arm.source, 0.0) for arm in arms], 1e-300)))


def learnt(
    state: Chain,
    study: Study,
    seen: Mapping[str, Influence],
    *,
    overlap: FloatArray,
    rate: float,
    measure: str = "loss",
    tried: Mapping[str, Mapping[str, float]] | None = None,
) -> Chain:
    """Take in a round's finite influences: running means, their errors, visits and standardised influence.

    overlap, shape (N,), is what the round's dev queries share with those of other rounds; measure is `measured`'s;
    tried are the options of each probe, by arm, None or empty where nothing is open.
    """
    position = {arm.name: index for index, arm in enumerate(state.arms)}
    targets = [target.name for target in study.targets]
    probed = np.array([position[name] for name in seen])
    first = state.visits[probed, None] == 0
    gain, noise = measured(list(seen.values()), targets, measure)
    choices = state.choices
    if tried:
        before = (state.influence[probed], state.error[probed], state.visits[probed])
        left, left_error = residuals(gain, noise, *before)
        choices = tuple(choice.heard([tried[name] for name in seen], left, left_error) for choice in choices)
    influence, error, visits = state.influence.copy(), state.error.copy(), state.visits.copy()
    influence[probed] = running_mean(influence[probed], gain, first=first, rate=rate)
    error[probed] = running_error(error[probed], noise, first=first, overlap=overlap, rate=rate)
    visits[probed] += 1
    known, z = visits > 0, np.zeros(len(visits))
    z[known] = standardise(influence[known], error[known], study.target_weights())
    return replace(state, influence=influence, error=error, visits=visits, z=z, choices=choices)


def measured(influences: Sequence[Influence], targets: Sequence[str], measure: str) -> tuple[FloatArray, FloatArray]:
    """Gains of P sources on N targets and their standard errors, shape (P, N) each.

    `loss` is the relative fall of the dev loss, `rank` the relative rise of nDCG, `both` their mean, each in units of
    its own root mean square error on the target. A trainer that tells no targets apart means the same for all, and one
    that measures no rise the fall.
    """
    loss = np.array([[x.per_target.get(name, x.value or 0.0) for name in targets] for x in influences])
    loss_error = np.array([[x.per_target_error.get(name, x.error or 0.0) for name in targets] for x in influences])
    if measure == "loss" or not all(x.rank for x in influences):
        return loss, loss_error
    rank = np.array([[x.rank[name] for name in targets] for x in influences])
    rank_error = np.array([[x.rank_error[name] for name in targets] for x in influences])
    if measure == "rank":
        return rank, rank_error
    unit, rank_unit = (np.maximum(np.sqrt(np.mean(e**2, axis=0)), 1e-12) for e in (loss_error, rank_error))
    return (loss / unit + rank / rank_unit) / 2, (loss_error / unit + rank_error / rank_unit) / 2


def finite(influence: Influence) -> bool:
    """Whether a source's influence came out as numbers."""
    errors = (influence.error or 0.0, *influence.per_target_error.values(), *influence.rank_error.values())
    values = (influence.value, *errors, *influence.per_target.values(), *influence.rank.values())
    return all(value is not None and bool(np.isfinite(value)) for value in values)


def overlap_of(study: Study, queries: int | None) -> FloatArray:
    """Per target, the share of a round's dev queries that another round is expected to draw too, shape (N,).

    Rounds that rotate over parts of the queries share none with most others and more with some: the mean is the same.
    """
    facts = [study.prepared.targets.get(target.name) for target in study.targets]
    known = [found.signal_queries if found is not None else 0 for found in facts]
    return np.array([1.0 if queries is None else min(1.0, queries / max(1, count)) for count in known])


def weights_on_the_way(
    searcher: FoldSearcher[Chain], study: Study, trials: Sequence[Trial]
) -> tuple[Chain, list[FloatArray]]:
    """Where a chain stands after all trials, and its weights after each complete round, shape (A,) each."""
    state, path = searcher.start(study), list[FloatArray]()
    for trial in trials:
        before, state = state.rounds, searcher.update(state, study, trial)
        if state.rounds > before:
            path.append(state.weights)
    return state, path


def last_half(path: Sequence[FloatArray]) -> FloatArray:
    """Mean over the last half of a path of weights, shape (A,)."""
    return np.asarray(np.mean(path[len(path) // 2 :], axis=0))


def recipe_of(study: Study, state: Chain, weights: FloatArray, beta: float) -> Recipe:
    """The recipe of weights over arms, shape (A,), and of what is chosen at beta, brought into the study's space."""
    mixture = Mixture.normalised(per_source(study, state.arms, weights))
    chosen = {choice.name: choice.chosen(study.target_weights(), beta) for choice in state.choices}
    pruning = replace(pruning_of(study, state.arms, weights), schedule=study.space.schedule_at(chosen))
    return study.recipe(mixture, pruning, study.space.batching_at(chosen))
