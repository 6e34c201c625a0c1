"""Which trial comes next, without Ray, without a store and without training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import analytic
import numpy as np
import pytest

from mixtune.errors import NotReady, SearchExhausted
from mixtune.measurement import Cost, Measurement
from mixtune.proposal import Proposal, Role, Rule
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget
from mixtune.searchers.base import Searcher
from mixtune.searchers.blackbox import ranked
from mixtune.study import Study
from mixtune.trial import Trial, TrialState
from mixtune.tuning import plan

RULE = Rule("tdro")


@dataclass(frozen=True)
class Fresh(Searcher):
    """Proposes recipes that tell which trials it was shown as finished."""

    name: ClassVar[str] = "fresh"
    most_trials: int | None = None

    def most(self, study: Study) -> int | None:
        return self.most_trials

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


@dataclass(frozen=True)
class Long(Chain):
    """A chain of rounds of so many steps."""

    name: ClassVar[str] = "long"
    steps: int = 10
    rule: Rule | None = None

    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        return replace(super().suggest(study, trials, rng), steps=self.steps, rule=self.rule)


def prepared(trials: int | None = 4, runs: float | None = None, workers: int = 2) -> Study:
    study = analytic.study(budget=Budget(trials=trials, runs=runs, workers=workers))
    return replace(study, preparation=analytic.AnalyticTrainer().prepare(study, lambda *_: None))


def finish(trial: Trial, flops: float = 20_000.0, state: TrialState = TrialState.COMPLETE) -> Trial:
    measured = (
        Measurement(score=0.5, cost=Cost(train=flops, seconds=flops / 10_000)) if state is TrialState.COMPLETE else None
    )
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


def test_the_survey_comes_first_and_reruns_last() -> None:
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


@pytest.mark.parametrize(("flops", "expected"), [(20_000.0, 5), (40_000.0, 2)])
def test_a_budget_of_seconds_counts_those_of_the_searchs_trials(flops: float, expected: int) -> None:
    study = replace(prepared(), budget=Budget(seconds=9.0, workers=1))
    trials = run_all(study, Fresh(), flops=flops)
    assert sum(t.role is Role.SEARCH for t in trials) == expected
    first_search = next(t.number for t in trials if t.role is Role.SEARCH)
    assert plan.planned(study, Fresh(), trials[:first_search]) is None
    assert plan.planned(study, Fresh(), trials[: first_search + 1]) is not None


@pytest.mark.parametrize(("steps", "rounds"), [(20, 0), (2, 1)])
def test_a_first_round_is_expected_to_cost_what_steps_of_the_reference_did(steps: int, rounds: int) -> None:
    study = prepared(trials=None, runs=1.2, workers=1)
    trials = [finish(trial, flops=0.0) for trial in plan.opening(study)]
    unit = study.prepared.run_flops
    proposal = Proposal(study.recipe(study.proportional()), 20, Role.REFERENCE)
    trials.append(finish(Trial(len(trials), proposal, seed=0), flops=unit))
    try:
        found = plan.propose(study, Long(steps=steps), trials).role is Role.ROUND
    except SearchExhausted:
        found = False
    assert found == bool(rounds)


@pytest.mark.parametrize(("rule", "steps", "proposed"), [(RULE, 2, True), (RULE, 20, False), (None, 2, False)])
def test_a_short_last_round_under_a_rule_is_expected_to_cost_what_its_steps_do(
    rule: Rule | None, steps: int, proposed: bool
) -> None:
    study = prepared(trials=None, runs=1.2, workers=1)
    trials = [finish(trial, flops=0.0) for trial in plan.opening(study)]
    proposal = Proposal(study.recipe(study.proportional()), 20, Role.ROUND, rule=RULE)
    trials.append(finish(Trial(len(trials), proposal, seed=0), flops=study.prepared.run_flops))
    try:
        found = plan.propose(study, Long(steps=steps, rule=rule), trials).role is Role.ROUND
    except SearchExhausted:
        found = False
    assert found == proposed


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
        seen.add(plan.planned(study, Fresh(), trials))
    assert seen == {len(trials)}


def test_a_search_that_ends_by_itself_is_not_expected_to_use_up_its_budget() -> None:
    study = prepared(trials=20)
    trials = plan.opening(study)
    assert plan.planned(study, Fresh(most_trials=4), trials) == len(trials) + 4 + study.final.seeds
    assert plan.planned(study, Fresh(most_trials=40), trials) == plan.planned(study, Fresh(), trials)
    asked = replace(plan.next_trial(study, Fresh(), [finish(trial) for trial in trials]), state=TrialState.FAILED)
    expected = plan.planned(study, Fresh(most_trials=4), [*trials, finish(asked, state=TrialState.FAILED)])
    assert expected == len(trials) + 5 + study.final.seeds


def test_an_extended_study_expects_new_runs_of_its_recommendation() -> None:
    study = prepared(trials=2, workers=1)
    trials = run_all(study, Fresh())
    more = replace(study, budget=Budget(trials=4, workers=1))
    third = finish(plan.next_trial(more, Fresh(), trials))
    assert plan.planned(more, Fresh(), [*trials, third]) == len(trials) + 2 + study.final.seeds


@dataclass(frozen=True)
class Rivals(Fresh):
    """Proposes the recipes of its list in turn, and ranks those that have a score by it."""

    name: ClassVar[str] = "rivals"
    contested: ClassVar[bool] = True

    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        return Proposal(rival(sum(t.role is Role.SEARCH for t in trials)), 20, Role.SEARCH, horizon=20)

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        return ranked("rivals", trials)[0]

    def finalists(self, study: Study, trials: Sequence[Trial], count: int) -> tuple[Recipe, ...]:
        return ranked("rivals", trials)[:count]


def rival(number: int) -> Recipe:
    """The recipe that is proposed as number so and so."""
    return Recipe(Mixture.normalised({"good": 20.0, "useful": 1.0 + number, "idle": 0.0, "harmful": 0.0}))


LUCK = {rival(3): 0.9, rival(5): 0.8, rival(7): 0.7}
"""What three recipes score in the search; all others score 0.5."""

TRUTH = {rival(3): 0.4, rival(5): 0.6, rival(7): 0.5}
"""What they score on the seeds of finalists."""


def contest(trials: int = 12, workers: int = 2, **final: int) -> Study:
    study = prepared(trials=trials, workers=workers)
    return replace(study, final=replace(study.final, **final))


def scored(trial: Trial) -> Trial:
    """The trial as it ends: lucky in the search, and as it is on the seeds of finalists."""
    score = (LUCK if trial.role is Role.SEARCH else TRUTH).get(trial.proposal.recipe, 0.5)
    return replace(
        trial, state=TrialState.COMPLETE, attempt=1, measurement=Measurement(score=score, cost=Cost(20_000.0))
    )


def play(
    study: Study, order: Sequence[int] = (), held: Sequence[Trial] = (), failing: Sequence[int] = ()
) -> list[Trial]:
    """Play a study of rivals to its end, or on from the trials held; `failing` are numbers of trials that fail."""
    trials, running, picks = list(held) or plan.opening(study), list[int](), iter(order)
    while True:
        try:
            while len(running) < study.budget.workers:
                trial = replace(plan.next_trial(study, Rivals(), trials), state=TrialState.RUNNING)
                trials[trial.number :] = [trial, *trials[trial.number + 1 :]]
                running.append(trial.number)
        except NotReady:
            pass
        except SearchExhausted:
            return trials
        done = running.pop(next(picks, 0) % len(running))
        failed = done in failing
        trials[done] = finish(trials[done], state=TrialState.FAILED) if failed else scored(trials[done])


def of(trials: Sequence[Trial], role: Role) -> list[Trial]:
    return [trial for trial in trials if trial.role is role]


def test_anchors_run_before_a_search_of_fresh_runs_and_before_a_chain_on_a_single_worker() -> None:
    for study, searcher in ((prepared(), Fresh()), (prepared(workers=1), Chain())):
        trials = [finish(plan.opening(study)[0]), *plan.opening(study)[1:]]
        begun = []
        for _ in range(5):
            trial = plan.next_trial(study, searcher, trials)
            begun.append(trial.role)
            trials[trial.number :] = [finish(trial), *trials[trial.number + 1 :]]
        assert begun[:4] == [Role.ANCHOR] * 4 and begun[4] in (Role.SEARCH, Role.ROUND)


def test_the_best_of_a_search_run_again_on_seeds_of_their_own_before_one_is_judged() -> None:
    study = contest()
    trials = play(study)
    roles = [Role.SURVEY, *[Role.ANCHOR] * 4, *[Role.SEARCH] * 12, *[Role.FINALIST] * 6, *[Role.RERUN] * 2]
    assert [trial.role for trial in trials] == roles
    found = of(trials, Role.FINALIST)
    assert [(trial.proposal.recipe, trial.proposal.replicate) for trial in found] == [
        (rival(number), replicate) for replicate in (0, 1) for number in (3, 5, 7)
    ]
    assert [trial.seed for trial in found] == [study.finalist_seed(0)] * 3 + [study.finalist_seed(1)] * 3
    assert not {trial.seed for trial in found} & {trial.seed for trial in trials if trial.role is not Role.FINALIST}


def test_the_recipe_that_is_judged_is_the_best_on_new_seeds_and_not_the_luckiest_of_the_search() -> None:
    assert {trial.proposal.recipe for trial in of(play(contest()), Role.RERUN)} == {rival(5)}
    assert {trial.proposal.recipe for trial in of(play(contest(finalists=1)), Role.RERUN)} == {rival(3)}


def test_a_search_has_one_finalist_for_every_four_of_its_trials() -> None:
    assert [len(of(play(contest(trials=trials)), Role.FINALIST)) for trials in (7, 8, 11, 12, 20)] == [0, 4, 4, 6, 6]
    assert len(of(play(contest(trials=20, finalists=5, finalist_seeds=3)), Role.FINALIST)) == 15


def test_a_finalist_that_fails_is_out_and_the_others_decide() -> None:
    second = [trial.number for trial in of(play(contest()), Role.FINALIST) if trial.proposal.recipe == rival(5)]
    trials = play(contest(), failing=second[:1])
    assert {trial.proposal.recipe for trial in of(trials, Role.RERUN)} == {rival(7)}
    everyone = [trial.number for trial in of(trials, Role.FINALIST)]
    assert {trial.proposal.recipe for trial in of(play(contest(), failing=everyone), Role.RERUN)} == {rival(3)}


def test_who_is_quick_changes_nothing_about_finalists() -> None:
    slow, quick = (play(contest(workers=3), order=[pick] * 100) for pick in (0, 2))
    assert [(t.number, t.proposal, t.seed, t.seen) for t in slow] == [
        (t.number, t.proposal, t.seed, t.seen) for t in quick
    ]


def test_a_plan_cut_off_anywhere_goes_on_to_the_same_end() -> None:
    whole = play(contest(workers=1))
    for cut in range(17, len(whole)):
        assert play(contest(workers=1), held=whole[:cut]) == whole


def test_an_extended_search_runs_only_the_finalists_that_are_new(monkeypatch: pytest.MonkeyPatch) -> None:
    first = play(contest(workers=1))
    monkeypatch.setitem(LUCK, rival(14), 0.85)
    monkeypatch.setitem(TRUTH, rival(14), 0.7)
    more = play(contest(trials=16, workers=1), held=first)
    assert more[: len(first)] == first
    added = more[len(first) :]
    assert [trial.role for trial in added] == [Role.SEARCH] * 4 + [Role.FINALIST] * 2 + [Role.RERUN] * 2
    assert {trial.proposal.recipe for trial in added[4:]} == {rival(14)}


def test_an_extension_that_finds_nothing_better_runs_nothing_again() -> None:
    first = play(contest(workers=1))
    added = play(contest(trials=16, workers=1), held=first)[len(first) :]
    assert [trial.role for trial in added] == [Role.SEARCH] * 4


def test_a_finalist_from_before_an_extension_may_still_win(monkeypatch: pytest.MonkeyPatch) -> None:
    first = play(contest(workers=1))
    for number in (13, 14, 15):
        monkeypatch.setitem(LUCK, rival(number), 0.95)
    added = play(contest(trials=16, workers=1), held=first)[len(first) :]
    assert [trial.role for trial in added] == [Role.SEARCH] * 4 + [Role.FINALIST] * 6
    assert rival(5) not in {trial.proposal.recipe for trial in added}


def test_finalists_are_among_the_trials_that_are_expected() -> None:
    study = contest(workers=1)
    whole = play(study)
    for count in range(5, len(whole) + 1):
        assert plan.planned(study, Rivals(), whole[:count]) == len(whole)
    assert plan.planned(contest(trials=7), Rivals(), plan.opening(study)) == 5 + 7 + 2
