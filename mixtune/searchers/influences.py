"""What a chain of rounds learns from influences, whatever the policy makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mixtune.policies import running_error, running_mean, standardise
from mixtune.recipe import FloatArray, Mixture, Recipe
from mixtune.searchers.arms import Arm, arms_of, eligible_arms, per_source, pruning_of, shares
from mixtune.searchers.chain import Chain
from mixtune.study import Study
from mixtune.trial import Influence


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
) -> Chain:
    """Take in a round's finite influences: running means, their errors, visits and standardised influence.

    overlap, shape (N,), is what the round's dev queries share with those of other rounds. measure `loss` reads the fall
    of the dev loss, `rank` the rise of nDCG (the fall where a trainer measures no rise).
    """
    position = {arm.name: index for index, arm in enumerate(state.arms)}
    targets = [target.name for target in study.targets]
    probed = np.array([position[name] for name in seen])
    first = state.visits[probed, None] == 0
    found = [measured(influence, targets, measure) for influence in seen.values()]
    gain, noise = np.array([gains for gains, _ in found]), np.array([errors for _, errors in found])
    influence, error, visits = state.influence.copy(), state.error.copy(), state.visits.copy()
    influence[probed] = running_mean(influence[probed], gain, first=first, rate=rate)
    error[probed] = running_error(error[probed], noise, first=first, overlap=overlap, rate=rate)
    visits[probed] += 1
    known, z = visits > 0, np.zeros(len(visits))
    z[known] = standardise(influence[known], error[known], study.target_weights())
    return replace(state, influence=influence, error=error, visits=visits, z=z)


def measured(influence: Influence, targets: Sequence[str], measure: str) -> tuple[list[float], list[float]]:
    """Gain and its standard error per target; a trainer that tells no targets apart means the same for all."""
    if measure == "rank" and influence.rank:
        return [influence.rank[name] for name in targets], [influence.rank_error[name] for name in targets]
    return (
        [influence.per_target.get(name, influence.value or 0.0) for name in targets],
        [influence.per_target_error.get(name, influence.error or 0.0) for name in targets],
    )


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


def recipe_of(study: Study, arms: Sequence[Arm], weights: FloatArray) -> Recipe:
    """The recipe of weights over arms, shape (A,), brought into the study's space."""
    mixture = Mixture.normalised(per_source(study, arms, weights))
    return study.recipe(mixture, pruning_of(study, arms, weights))
