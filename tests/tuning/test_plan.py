"""Which trial comes next, without Ray, without a store and without training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import analytic
import numpy as np
import pytest

from mixtune.errors import NotReady, SearchExhausted
from mixtune.measurement import Cost, Measurement
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget
from mixtune.searchers.base import Searcher
from mixtune.study import Study
from mixtune.trial import Trial, TrialState
from mixtune.tuning import plan


@dataclass(frozen=True)
class Fresh(Searcher):
    """Proposes recipes that tell which trials it was shown as finished."""

    name: ClassVar[str] = "fresh"

    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        seen: list[int] = [t.number for t in trials if t.state.finished and t.role is Role.SEARCH]
        return Proposal(study.recipe(study.proportional()), 20, Role.SEARCH, notes={"seen": list(seen)})

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        if not any(t.role is Role.SEARCH and t.state is TrialState.COMPLETE for t in trials):
            raise SearchExhausted("nothing finished")
        return Recipe(Mixture({"good": 1.0, "useful": 0.0, "idle": 0.0, "harmful": 0.0}))


@dataclass(frozen=True)
class Chain(Fresh):
    """Needs the answer of its last round before the next."""

    name: ClassVar[str] = "chain"

    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        rounds = [t for t in trials if t.role is Role.ROUND]
        if any(not t.state.finished for t in rounds):
            raise NotReady("a round is running")
        parent = rounds[-1].number if rounds else None
        return Proposal(study.recipe(study.proportional()), 10, Role.ROUND, parent=parent)

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        return Recipe(Mixture({"good": 1.0, "useful": 0.0, "idle": 0.0, "harmful": 0.0}))


def prepared(trials: int | None = 4, runs: float | None = None, workers: int = 2) -> Study:
    study = analytic.study(budget=Budget(trials=trials, runs=runs, workers=workers))
    return replace(study, preparation=analytic.AnalyticTrainer().prepare(study, lambda *_: None))


def finish(trial: Trial, flops: float = 20_000.0, state: TrialState = TrialState.COMPLETE) -> Trial:
    measured = Measurement(score=0.5, cost=Cost(train=flops)) if state is TrialState.COMPLETE else None
    return replace(trial, state=state, attempt=1, measurement=measured)


def run_all(study: Study, searcher: Searcher, order: Sequence[int] = (), flops: float = 20_000.0) -> list[Trial]:
    """Play a study with `workers` slots; `order` says which of the running slots finishes next."""
    trials = plan.opening(study)
    running: list[int] = []
    picks = iter(order)
    for _ in range(1000):
        try:
            while len(running) < study.budget.workers:
                trial = plan.next_trial(study, searcher, trials)
                started = replace(trial, state=TrialState.RUNNING, attempt=trial.attempt + 1)
                if trial.number == len(trials):
                    trials.append(started)
                else:
                    trials[trial.number] = started
                running.append(trial.number)
        except NotReady:
            pass
        except SearchExhausted:
            return trials
        done = running.pop(next(picks, 0) % len(running))
        trials[done] = finish(trials[done], flops)
    raise AssertionError("the plan never ended")


def test_a_study_opens_with_the_base_model_and_every_baseline_on_every_judging_seed() -> None:
    study = prepared()
    opening = plan.opening(study)
    assert [t.number for t in opening] == list(range(5))
    assert [(t.role, t.proposal.label, t.proposal.replicate) for t in opening] == [
        (Role.SURVEY, "", 0),
        (Role.ANCHOR, "uniform", 0),
        (Role.ANCHOR, "proportional", 0),
        (Role.ANCHOR, "uniform", 1),
        (Role.ANCHOR, "proportional", 1),
    ]
    assert opening[0].proposal.steps == 0
    assert opening[1].seed == opening[2].seed != opening[3].seed == opening[4].seed


def test_the_survey_comes_first_then_the_search_then_anchors_then_reruns() -> None:
    roles = [t.role for t in run_all(prepared(workers=1), Fresh())]
    assert roles[5:] == [Role.SEARCH] * 4 + [Role.RERUN] * 2
    trials = run_all(prepared(workers=1), Fresh())
    assert plan.next_trial(prepared(), Fresh(), plan.opening(prepared())).role is Role.SURVEY
    assert all(t.state is TrialState.COMPLETE for t in trials)


def test_what_a_proposal_saw_depends_on_numbers_and_not_on_who_was_quick() -> None:
    slow = run_all(prepared(trials=8), Fresh(), order=[0] * 100)
    quick = run_all(prepared(trials=8), Fresh(), order=[1] * 100)
    assert [(t.number, t.proposal, t.seen) for t in slow] == [(t.number, t.proposal, t.seen) for t in quick]
    searched = [t for t in slow if t.role is Role.SEARCH]
    assert [t.seen for t in searched] == [t.number - 2 for t in searched]
    assert searched[4].proposal.notes["seen"] == [t.number for t in searched[:3]]


def test_a_chain_waits_for_its_last_round_while_anchors_fill_the_other_worker() -> None:
    study = prepared()
    trials = [finish(plan.opening(study)[0]), *plan.opening(study)[1:]]
    first = plan.next_trial(study, Chain(), trials)
    assert (first.number, first.role, first.proposal.parent) == (5, Role.ROUND, None)
    trials.append(replace(first, state=TrialState.RUNNING, attempt=1))
    beside = plan.next_trial(study, Chain(), trials)
    assert (beside.number, beside.role) == (1, Role.ANCHOR)
    trials[5] = finish(trials[5])
    second = plan.next_trial(study, Chain(), trials)
    assert (second.number, second.proposal.parent, second.seen) == (6, 5, 5)


def test_a_cut_off_trial_runs_before_anything_new() -> None:
    study = prepared()
    trials = [finish(t) for t in plan.opening(study)]
    cut = replace(plan.next_trial(study, Fresh(), trials), attempt=1)
    assert plan.next_trial(study, Fresh(), [*trials, cut]) == cut


def test_reruns_wait_for_the_last_search_trial_and_use_the_judging_seeds() -> None:
    study = prepared(trials=1)
    trials = [finish(t) for t in plan.opening(study)]
    search = plan.next_trial(study, Fresh(), trials)
    trials.append(replace(search, state=TrialState.RUNNING, attempt=1))
    with pytest.raises(NotReady):
        plan.next_trial(study, Fresh(), trials)
    trials[-1] = finish(trials[-1])
    rerun = plan.next_trial(study, Fresh(), trials)
    assert (rerun.role, rerun.seed, rerun.proposal.recipe.mixture["good"]) == (Role.RERUN, study.judging_seed(0), 1.0)


def test_a_search_without_any_finished_trial_has_nothing_to_judge() -> None:
    study = prepared(trials=1)
    trials = [finish(t) for t in plan.opening(study)]
    trials.append(finish(plan.next_trial(study, Fresh(), trials), state=TrialState.FAILED))
    with pytest.raises(SearchExhausted):
        plan.next_trial(study, Fresh(), trials)


@pytest.mark.parametrize(("flops", "expected"), [(20_000.0, 7), (10_000.0, 14), (40_000.0, 4)])
def test_the_compute_budget_is_counted_in_fresh_runs(flops: float, expected: int) -> None:
    trials = run_all(prepared(trials=None, runs=7, workers=1), Fresh(), flops=flops)
    assert sum(t.role is Role.SEARCH for t in trials) == expected


def test_the_compute_budget_ends_at_the_same_trial_whoever_was_quick() -> None:
    ends = {len(run_all(prepared(trials=None, runs=5), Fresh(), order=[k] * 100)) for k in (0, 1)}
    assert ends == {5 + 5 + 2}


def test_an_extended_study_goes_on_with_the_next_number() -> None:
    study = prepared(trials=2, workers=1)
    trials = run_all(study, Fresh())
    more = replace(study, budget=Budget(trials=3, workers=1))
    assert plan.next_trial(more, Fresh(), trials).number == len(trials)
    assert plan.next_trial(more, Fresh(), trials).role is Role.SEARCH


def test_the_expected_number_of_trials_stays_while_the_recommendation_is_judged() -> None:
    study = replace(prepared(trials=1), final=replace(prepared().final, seeds=2))
    trials: list[Trial] = plan.opening(study)
    seen = set()
    while True:
        try:
            trial = plan.next_trial(study, Fresh(), trials)
        except SearchExhausted:
            break
        trials = [*trials[: trial.number], finish(trial), *trials[trial.number + 1 :]]
        seen.add(plan.planned(study, trials))
    assert seen == {len(trials)}


def test_a_search_that_ends_by_itself_is_not_expected_to_use_up_its_budget() -> None:
    study = prepared(trials=20)
    trials = plan.opening(study)
    assert plan.planned(study, trials, most=4) == len(trials) + 4 + study.final.seeds
    assert plan.planned(study, trials, most=40) == plan.planned(study, trials)
    asked = replace(plan.next_trial(study, Fresh(), [finish(trial) for trial in trials]), state=TrialState.FAILED)
    assert plan.planned(study, [*trials, asked], most=4) == len(trials) + 5 + study.final.seeds


def test_an_extended_study_expects_new_runs_of_its_recommendation() -> None:
    study = prepared(trials=2, workers=1)
    trials = run_all(study, Fresh())
    more = replace(study, budget=Budget(trials=4, workers=1))
    third = finish(plan.next_trial(more, Fresh(), trials))
    assert plan.planned(more, [*trials, third]) == len(trials) + 2 + study.final.seeds
