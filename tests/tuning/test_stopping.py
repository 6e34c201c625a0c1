"""Who goes on at a rung, by hand; and what a search gains by it, on learning curves that are known."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import analytic
import pytest

from mixtune.errors import ConfigError, NotReady, SearchExhausted
from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role
from mixtune.proxy import Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search, Stopping
from mixtune.searchers import SEARCHERS, Searcher, make
from mixtune.study import Study
from mixtune.training.base import Task
from mixtune.trial import Trial, TrialState
from mixtune.tuning import plan, stopping

STEPS = 20
RECIPE = Recipe(Mixture({"good": 1.0}))


def study(first: int = 2, reduction: int = 3, **changes: object) -> Study:
    return analytic.study(stopping=Stopping(first, reduction), **changes)


def trial(number: int, rungs: dict[int, float] | None = None, **changes: object) -> Trial:
    """A fresh run of the search, complete with the given scores at its rungs; without any, about to start."""
    proposal = Proposal(RECIPE, STEPS, Role.SEARCH, horizon=STEPS)
    state = TrialState.QUEUED if rungs is None else TrialState.COMPLETE
    measurement = None if rungs is None else Measurement(step=STEPS, score=0.9, rungs=rungs)
    made = Trial(number, proposal, seed=number, seen=number - 1, state=state, measurement=measurement)
    return replace(made, **changes)  # type: ignore[arg-type]


def at_first_rung(values: Sequence[float], reduction: int = 3) -> float:
    """The threshold at step 2 after trials with these values there."""
    trials = [trial(number, {2: value}) for number, value in enumerate(values)]
    return stopping.thresholds(study(reduction=reduction), trials, trial(len(values)))[2]


def test_rungs_grow_by_the_reduction_and_stay_below_the_full_steps() -> None:
    assert Stopping(2).rungs(20) == (2, 6, 18)
    assert Stopping(2).rungs(18) == (2, 6)
    assert Stopping(5, 2).rungs(41) == (5, 10, 20, 40)
    assert Stopping(20).rungs(20) == ()


def test_nothing_is_stopped_before_as_many_values_as_the_reduction_are_recorded() -> None:
    assert at_first_rung([]) == at_first_rung([0.5, 0.9]) == -math.inf
    assert at_first_rung([0.5, 0.9, 0.7]) > -math.inf


@pytest.mark.parametrize(
    ("values", "reduction", "threshold"),
    [
        ([0.5, 0.9, 0.7], 3, 0.9),  # 4 values, the best 1 goes on
        ([0.5, 0.9, 0.7, 0.6], 3, 0.9),  # 5 values, 1
        ([0.5, 0.9, 0.7, 0.6, 0.1], 3, 0.7),  # 6 values, 2
        ([0.5, 0.9, 0.7, 0.6, 0.1, 0.8, 0.2, 0.3], 3, 0.7),  # 9 values, 3
        ([0.5, 0.9], 2, 0.9),  # 3 values, 1
        ([0.5, 0.9, 0.7], 2, 0.7),  # 4 values, 2
        ([0.4, 0.4, 0.4], 3, 0.4),
    ],
)
def test_the_best_share_of_the_values_goes_on_its_own_included(
    values: list[float], reduction: int, threshold: float
) -> None:
    assert at_first_rung(values, reduction) == threshold


def test_equal_values_go_on_and_lower_ones_do_not() -> None:
    trials = [trial(number, {2: 0.4}) for number in range(3)]
    own = trial(3)
    assert not stopping.stop(study(), trials, own, 2, 0.4)
    assert stopping.stop(study(), trials, own, 2, 0.4 - 1e-12)
    assert not stopping.stop(study(), trials, own, 3, 0.0)


def test_only_trials_that_the_proposal_could_see_count() -> None:
    trials = [trial(number, {2: 0.1 * number}) for number in range(8)]
    assert stopping.thresholds(study(), trials, trial(8, seen=4))[2] == pytest.approx(0.3)
    assert stopping.thresholds(study(), trials, trial(8, seen=1))[2] == -math.inf
    assert stopping.thresholds(study(), trials, trial(8, seen=4)) == stopping.thresholds(
        study(), trials[:5], trial(8, seen=4)
    )


def test_a_trial_that_was_ended_counts_at_its_rung_and_not_at_later_ones() -> None:
    trials = [trial(number, {2: 0.5, 6: 0.6}) for number in range(3)]
    ended = [trial(3 + k, {2: 0.1}, state=TrialState.PRUNED) for k in range(3)]
    found = stopping.thresholds(study(), [*trials, *ended], trial(6))
    assert found == {2: 0.5, 6: 0.6, 18: -math.inf}
    assert stopping.recorded([*trials, *ended], 2) == [0.5, 0.5, 0.5, 0.1, 0.1, 0.1]


def test_failed_and_running_trials_do_not_count() -> None:
    trials = [trial(number, {2: 0.5}) for number in range(3)]
    for other in (trial(2, state=TrialState.FAILED), trial(2, {2: 0.9}, state=TrialState.RUNNING)):
        assert stopping.thresholds(study(), [*trials[:2], other], trial(3))[2] == -math.inf


def test_what_is_no_fresh_full_run_of_the_search_has_no_rungs_and_counts_for_none() -> None:
    trials = [trial(number, {2: 0.5}) for number in range(3)]
    fresh = trial(3).proposal
    others = [
        *(replace(fresh, role=role) for role in Role if role is not Role.SEARCH),
        replace(fresh, steps=10),
        replace(fresh, parent=1),
    ]
    for proposal in others:
        assert stopping.thresholds(study(), trials, trial(3, proposal=proposal)) == {}
        assert stopping.thresholds(study(), [*trials[:2], replace(trials[2], proposal=proposal)], trial(3))[2] < 0


def test_without_the_setting_nothing_is_stopped() -> None:
    trials = [trial(number, {2: 0.5}) for number in range(3)]
    assert stopping.thresholds(analytic.study(), trials, trial(3)) == {}
    assert not stopping.stop(analytic.study(), trials, trial(3), 2, 0.0)


@pytest.mark.parametrize(
    ("rule", "proxy", "said"),
    [
        (
            Stopping(300),
            Proxy(steps=300),
            "stopping.first is 300, in runs of 300 steps; allowed: 1 to 299, such as 100",
        ),
        (Stopping(29), Proxy(steps=300, warmup=0.1), "whose first 30 steps are warm-up.*allowed: 30 to 299"),
        (Stopping(0), Proxy(), "stopping.first is 0"),
        (Stopping(10, 1), Proxy(), "stopping.reduction is 1; allowed: 2 or more"),
    ],
)
def test_a_rule_without_a_use_is_refused(rule: Stopping, proxy: Proxy, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        stopping.require_useful(rule, proxy, SEARCHERS["tpe"])


def test_a_rung_may_stand_at_the_end_of_the_warm_up() -> None:
    stopping.require_useful(Stopping(30), Proxy(steps=300, warmup=0.1), SEARCHERS["tpe"])


def test_searches_without_competing_fresh_runs_are_refused() -> None:
    allowed = set()
    for name, searcher in SEARCHERS.items():
        try:
            stopping.require_useful(Stopping(10), Proxy(), searcher)
            allowed.add(name)
        except ConfigError as error:
            assert f"{name} has none" in str(error)
    assert allowed == {"random", "tpe", "gp", "cmaes", "qmc", "regmix"}


def played(given: Study, searcher: Searcher, order: Sequence[int] = ()) -> list[Trial]:
    """A study played to its end with the analytic trainer; `order` says which running slot finishes next."""
    trainer = analytic.AnalyticTrainer()
    given = replace(given, preparation=trainer.prepare(given, lambda *_: None))
    trials, running, picks = plan.opening(given), list[Trial](), iter(order)
    while True:
        try:
            while len(running) < given.budget.workers:
                started = replace(plan.next_trial(given, searcher, trials), state=TrialState.RUNNING)
                trials[started.number :] = [started, *trials[started.number + 1 :]]
                running.append(started)
        except NotReady:
            pass
        except SearchExhausted:
            return trials
        done = running.pop(next(picks, 0) % len(running))
        task = Task(done.number, done.proposal, done.seed, Path("none"), None, stopping.thresholds(given, trials, done))
        outcome = trainer.train(given, task, lambda step, score: None)
        state = TrialState.PRUNED if outcome.pruned else TrialState.COMPLETE
        trials[done.number] = replace(done, state=state, measurement=outcome.measurement)


def searched(trials: Sequence[Trial]) -> list[Trial]:
    return [each for each in trials if each.role is Role.SEARCH]


def steps(trials: Sequence[Trial]) -> int:
    return sum(each.measurement.step for each in searched(trials) if each.measurement)


@pytest.mark.parametrize("algorithm", ["random", "qmc"])
def test_with_curves_that_do_not_cross_the_best_run_is_found_for_less(algorithm: str) -> None:
    searcher = make(Search(algorithm))
    budget, proxy = Budget(trials=30, workers=1), Proxy(steps=200, batch_size=4)
    whole = played(analytic.study(algorithm=algorithm, budget=budget, proxy=proxy), searcher)
    cut = played(study(first=40, algorithm=algorithm, budget=budget, proxy=proxy), searcher)
    assert [each.proposal for each in searched(whole)] == [each.proposal for each in searched(cut)]
    assert whole[-1].role is Role.RERUN and whole[-1].proposal == cut[-1].proposal
    assert steps(cut) < 0.6 * steps(whole)
    pruned = [each for each in cut if each.state is TrialState.PRUNED]
    assert len(pruned) > 10
    for each in pruned:
        found = each.measurement
        assert found is not None and found.step in (40, 120) and found.rungs[found.step] == found.score
        assert sum(drawn.batches for drawn in found.receipt.values()) == found.step


@pytest.mark.parametrize("algorithm", ["tpe", "cmaes", pytest.param("gp", marks=pytest.mark.slow)])
def test_a_search_that_learns_gets_as_far_with_stopping_as_without(algorithm: str) -> None:
    settings = {"n_startup_trials": 8} if algorithm != "cmaes" else {}
    searcher = make(Search(algorithm, settings))
    budget, proxy = Budget(trials=32, workers=2), Proxy(steps=120, batch_size=4)
    done = {True: 0, False: 0}
    for seed in range(3):
        whole = played(replace(analytic.study(algorithm=algorithm, budget=budget, proxy=proxy), seed=seed), searcher)
        short = study(first=40, algorithm=algorithm, budget=budget, proxy=proxy)
        cut = played(replace(short, seed=seed), searcher)
        ends = [each[-1].measurement for each in (whole, cut)]
        assert ends[0] is not None and ends[1] is not None and ends[0].score and ends[1].score
        assert ends[1].score > 0.95 * ends[0].score
        done[True] += steps(cut)
        done[False] += steps(whole)
    assert done[True] < 0.85 * done[False]


@pytest.mark.parametrize("algorithm", ["tpe", "cmaes"])
def test_who_is_stopped_depends_on_numbers_and_not_on_who_was_quick(algorithm: str) -> None:
    given = study(
        first=5, algorithm=algorithm, budget=Budget(trials=14, workers=3), proxy=Proxy(steps=40, batch_size=4)
    )
    slow, quick = (played(given, make(Search(algorithm)), order=[pick] * 100) for pick in (0, 2))
    assert slow == quick
    assert any(each.state is TrialState.PRUNED for each in slow)


def test_a_replay_of_the_stored_trials_gives_every_trial_the_thresholds_it_had() -> None:
    given = study(first=5, algorithm="tpe", budget=Budget(trials=14, workers=2), proxy=Proxy(steps=40, batch_size=4))
    trials = played(given, make(Search("tpe")))
    for each in searched(trials):
        found = each.measurement
        assert found is not None and found.score is not None
        ended = [step for step, score in found.rungs.items() if stopping.stop(given, trials, each, step, score)]
        assert ended == ([found.step] if each.state is TrialState.PRUNED else [])


def test_a_run_that_was_ended_is_never_recommended() -> None:
    given = study(first=5, algorithm="random", budget=Budget(trials=14, workers=1), proxy=Proxy(steps=40, batch_size=4))
    trials = played(given, make(Search("random")))
    best = trials[-1].proposal.recipe
    assert {each.state for each in searched(trials) if each.proposal.recipe == best} == {TrialState.COMPLETE}
    lucky = [
        replace(each, measurement=replace(each.measurement, score=1.0)) if each.state is TrialState.PRUNED else each
        for each in trials
        if each.measurement
    ]
    assert make(Search("random")).recommend(given, lucky) == best


def test_ended_runs_cost_what_they_did_and_the_budget_goes_further() -> None:
    proxy = Proxy(steps=200, batch_size=4)
    counts = []
    for rule in (None, Stopping(20)):
        given = analytic.study(algorithm="random", budget=Budget(runs=10, workers=1), proxy=proxy, stopping=rule)
        trials = played(given, make(Search("random")))
        spent = sum(each.measurement.cost.flops for each in searched(trials) if each.measurement)
        assert spent <= 10.5 * 200_000
        counts.append(len(searched(trials)))
        prepared = replace(given, preparation=analytic.AnalyticTrainer().prepare(given, lambda *_: None))
        assert plan.planned(prepared, make(Search("random")), trials) == len(trials)
    assert counts[0] == 10 and counts[1] >= 15
