from dataclasses import replace

import pytest
from planted import World, explore, planted_study

from mixtune.preparation import MixedCost
from mixtune.search import Budget
from mixtune.searchers import Searcher
from mixtune.searchers.doge import DoGESearch
from mixtune.searchers.doremi import DoReMiSearch
from mixtune.searchers.multidds import MultiDDS
from mixtune.searchers.rounds import ENDLESS, Length, Lengths, lengths_of
from mixtune.searchers.tdro import TDROSearch
from mixtune.space import Space


@pytest.mark.parametrize("searcher", [TDROSearch(steps=10), DoReMiSearch(steps=10), DoGESearch(steps=10)])
def test_a_bound_on_the_number_of_sources_hides_none_from_the_rule(searcher: Searcher) -> None:
    study = planted_study(6, space=Space(at_most=2))
    trials = explore(searcher, World(study), 4)
    assert all(weight > 0 for trial in trials[1:] for weight in trial.proposal.recipe.mixture.values())
    assert sum(weight > 0 for weight in searcher.recommend(study, trials).mixture.values()) == 2


MIXED = MixedCost(pairs=1.0, negatives=0.5, forward=1 / 3)
"""A step with 7 own negatives costs 4.5, with the losses of a reference 6, with 3 negatives and those 10 / 3."""


@pytest.mark.parametrize(
    ("budget", "length", "reference", "expected"),
    [
        (Budget(runs=2), None, None, Lengths(300, 300)),
        (Budget(runs=2), 50, None, Lengths(300, 50)),
        (Budget(runs=2), 50, 70, Lengths(70, 50)),
        (Budget(runs=1), "budget", None, Lengths(94, 94)),  # 990 of 94.3 steps of both
        (Budget(runs=5), "budget", None, Lengths(300, 606)),  # 4990 - 300 * 4.5 are left for the chain
        (Budget(runs=1), "budget", 100, Lengths(100, 90)),
        (Budget(runs=0.1), "budget", 100, Lengths(100, 1)),
        (Budget(trials=9), "budget", None, Lengths(300, 240)),
        (Budget(trials=9, runs=1), "budget", None, Lengths(94, 94)),
        (Budget(trials=2, runs=1), "budget", None, Lengths(300, 30)),
        (Budget(seconds=9), "budget", None, Lengths(300, 300)),
    ],
)
def test_a_chain_and_its_reference_are_as_long_as_the_budget_pays_for(
    budget: Budget, length: Length, reference: int | None, expected: Lengths
) -> None:
    study = planted_study(3)
    costs = replace(study.prepared, run_flops=1000.0, dev_flops=10.0, mixed=MIXED)
    study = replace(study, budget=budget, preparation=costs)
    assert lengths_of(study, length, reference, steps=30, negatives=7) == expected


def test_fewer_negatives_make_a_longer_chain() -> None:
    study = planted_study(3)
    study = replace(study, budget=Budget(runs=1), preparation=replace(study.prepared, run_flops=1000.0, mixed=MIXED))
    assert lengths_of(study, "budget", 100, steps=30, negatives=3) == Lengths(100, 165)  # 550 / (10 / 3)


def test_without_known_costs_a_chain_is_as_long_as_a_fresh_trial() -> None:
    study = replace(planted_study(3), budget=Budget(runs=5))
    assert lengths_of(study, "budget", None, steps=30, negatives=7) == Lengths(300, 300)


@pytest.mark.parametrize("searcher", [DoGESearch(steps=10, length="budget"), MultiDDS(steps=10, length="budget")])
def test_a_chain_whose_steps_do_not_depend_on_its_length_ends_with_the_budget(searcher: Searcher) -> None:
    study = planted_study(3)
    trials = explore(searcher, World(study), 60)
    assert searcher.most(study) is None and sum(trial.proposal.steps for trial in trials) >= 590 < ENDLESS
    assert not any(trial.proposal.scored for trial in trials if trial.proposal.steps)
