from collections import Counter
from dataclasses import replace

import analytic

from mixtune.measurement import Cost, Measurement
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget
from mixtune.trial import Trial, TrialState
from mixtune.tuning.inprocess import drive, within_budget


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


def test_a_study_is_driven_to_the_end_of_its_plan_and_no_trial_is_lost() -> None:
    study = analytic.study(algorithm="infdds", trials=6, budget=Budget(trials=6, workers=1))
    trainer = analytic.AnalyticTrainer()
    trials = drive(replace(study, preparation=trainer.prepare(study, lambda what, done, total: None)), trainer)
    assert [one.number for one in trials] == list(range(len(trials)))
    assert all(one.state is TrialState.COMPLETE for one in trials)
    roles = Counter(one.role for one in trials)
    assert roles == {Role.SURVEY: 1, Role.ANCHOR: 4, Role.ROUND: 6, Role.RERUN: 2}


def test_a_mixture_that_is_known_is_not_run() -> None:
    study = analytic.study(algorithm="uniform")
    trainer = analytic.AnalyticTrainer()
    assert drive(replace(study, preparation=trainer.prepare(study, lambda what, done, total: None)), trainer) == []
