from driver import within_budget

from mixtune.measurement import Cost, Measurement
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.trial import Trial, TrialState


def trial(number: int, role: Role, flops: float) -> Trial:
    proposal = Proposal(Recipe(Mixture({"a": 1.0})), 1, role)
    measurement = Measurement(cost=Cost(train=flops))
    return Trial(number, proposal, seed=0, state=TrialState.COMPLETE, measurement=measurement)


def numbers(trials: list[Trial], flops: float) -> list[int]:
    return [one.number for one in within_budget(trials, flops)]


def test_the_trial_that_goes_over_the_budget_and_all_behind_it_do_not_count() -> None:
    trials = [trial(0, Role.SURVEY, 50), *(trial(n, Role.ROUND, flops) for n, flops in ((1, 4), (2, 4), (3, 1)))]
    assert numbers(trials, 7) == [0, 1]
    assert numbers(trials, 8) == [0, 1, 2]


def test_the_first_fresh_run_always_counts_and_the_first_round_does_not() -> None:
    assert numbers([trial(0, Role.SEARCH, 12), trial(1, Role.SEARCH, 10)], 10) == [0]
    assert numbers([trial(0, Role.ROUND, 12)], 10) == []
