from dataclasses import replace

import numpy as np
import optuna
import pytest
from planted import World, explore, finish, planted_study, recommended, with_last
from sphere import best, distinct, history, live_best

from mixtune.measurement import Measurement
from mixtune.searchers.blackbox import Point
from mixtune.searchers.optuna import GP, TPE, ToldTrial, distributions, frozen_trial
from mixtune.space import SimplexMapping, Space
from mixtune.trial import Trial, TrialState

SEEDS = range(3)


def live_tpe(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=seed, multivariate=True)


def test_rebuilding_is_as_good_as_a_live_sampler_on_a_sphere_and_repeats_no_point() -> None:
    histories = [history(TPE(prior="none"), seed) for seed in SEEDS]
    assert distinct(histories)
    live = np.median([live_best(live_tpe, seed) for seed in SEEDS])
    assert np.median([best(trials) for trials in histories]) >= 1.25 * live


def test_the_homes_of_the_targets_are_found() -> None:
    world = World(planted_study(6))
    mixture = recommended(TPE(n_startup_trials=10), world, 80)
    assert mixture["s0"] + mixture["s1"] > 0.8
    assert mixture["s0"] > 0.25 and mixture["s1"] > 0.25


@pytest.mark.parametrize("mapping", SimplexMapping)
def test_the_first_proposal_is_the_prior(mapping: SimplexMapping) -> None:
    study = planted_study(5, space=Space(mapping=mapping))
    proposal = TPE(prior="proportional").suggest(study, [], study.rng(0))
    expected = study.recipe(study.proportional()).mixture.array(study.names)
    assert proposal.recipe.mixture.array(study.names) == pytest.approx(expected)


def test_the_second_proposal_is_not_the_prior_again() -> None:
    study = planted_study(5)
    trials = explore(TPE(), World(study), 2)
    assert trials[1].proposal.recipe != trials[2].proposal.recipe


def test_keep_levels_are_searched_as_categories() -> None:
    space = Space(levels={"s0": (0.25, 0.5, 1.0), "s1": (0.5,)}, shared_levels=(0.75, 1.0))
    study = planted_study(3, space=space)
    trials = explore(TPE(n_startup_trials=2), World(study), 25)[1:]
    assert trials[0].proposal.notes["options"] == {"keep": 1.0, "keep.s0": 1.0}
    assert {trial.proposal.recipe.pruning.share("s0") for trial in trials} == {0.25, 0.5, 1.0}
    assert {trial.proposal.recipe.pruning.share("s1") for trial in trials} == {0.5}
    assert {trial.proposal.recipe.pruning.share("s2") for trial in trials} == {0.75, 1.0}


def test_a_better_keep_level_is_preferred() -> None:
    study = planted_study(2, space=Space(levels={"s1": (0.25, 0.5, 1.0)}))
    searcher, world, trials = TPE(n_startup_trials=10), World(study), list[Trial]()
    for number in range(60):
        trial = finish(world, searcher.suggest(study, trials, study.rng(number)), number)
        score = float(trial.proposal.recipe.pruning.share("s1") == 0.5)
        trials.append(replace(trial, measurement=Measurement(score=score)))
    assert sum(trial.proposal.recipe.pruning.share("s1") == 0.5 for trial in trials[-30:]) > 20


def test_running_trials_weigh_in_and_failed_ones_do_not() -> None:
    study = planted_study(5)
    trials = explore(TPE(n_startup_trials=3), World(study), 12)[1:]
    searcher = TPE(n_startup_trials=3)
    running, failed = (with_last(trials, state) for state in (TrialState.RUNNING, TrialState.FAILED))
    assert [searcher.point(study, running, np.random.default_rng(seed)) for seed in range(10)] != [
        searcher.point(study, failed, np.random.default_rng(seed)) for seed in range(10)
    ]


@pytest.mark.parametrize(
    ("state", "measurement", "expected", "value"),
    [
        (TrialState.COMPLETE, Measurement(score=0.4), "COMPLETE", 0.4),
        (TrialState.COMPLETE, Measurement(score=float("nan")), "FAIL", None),
        (TrialState.COMPLETE, Measurement(), "FAIL", None),
        (TrialState.FAILED, None, "FAIL", None),
        (TrialState.PRUNED, Measurement(step=50, score=0.3), "PRUNED", None),
        (TrialState.RUNNING, None, "RUNNING", None),
        (TrialState.QUEUED, None, "RUNNING", None),
    ],
)
def test_optuna_is_told_every_state(
    state: TrialState, measurement: Measurement | None, expected: str, value: float | None
) -> None:
    study = planted_study(2)
    trial = replace(explore(TPE(), World(study), 1)[1], state=state, measurement=measurement)
    told = frozen_trial(study, trial, distributions(study))
    assert (told.state.name, told.value if told.state.name != "PRUNED" else None) == (expected, value)
    assert told.intermediate_values == ({50: 0.3} if state is TrialState.PRUNED else {})


def test_optuna_is_told_every_rung() -> None:
    study = planted_study(2)
    trial = explore(TPE(), World(study), 1)[1]
    rungs = {10: 0.2, 30: 0.3}
    ended = replace(trial, state=TrialState.PRUNED, measurement=Measurement(step=30, score=0.3, rungs=rungs))
    whole = replace(trial, measurement=Measurement(step=300, score=0.4, rungs=rungs))
    for told in (frozen_trial(study, each, distributions(study)) for each in (ended, whole)):
        assert told.intermediate_values == rungs


def test_tpe_takes_an_ended_run_for_worse_than_every_complete_one_however_its_rung_scored() -> None:
    study, searcher = planted_study(5), TPE(n_startup_trials=3)
    trials = explore(searcher, World(study), 12)[1:]

    def proposed(measurement: Measurement, state: TrialState) -> list[Point]:
        history = with_last(trials, state, measurement)
        return [searcher.point(study, history, np.random.default_rng(seed)) for seed in range(5)]

    ended = proposed(Measurement(step=10, score=0.99), TrialState.PRUNED)
    assert ended == proposed(Measurement(score=-9.0), TrialState.COMPLETE)
    assert ended != proposed(Measurement(score=0.99), TrialState.COMPLETE)


@pytest.mark.parametrize("searcher", [TPE(n_startup_trials=3), GP(n_startup_trials=3)])
def test_a_study_rebuilt_without_deep_copies_proposes_what_a_copied_one_proposes(
    searcher: TPE | GP, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = planted_study(6, space=Space(levels={"s0": (0.25, 0.5, 1.0)}))
    trials = explore(TPE(n_startup_trials=3), World(study), 15)
    trials[7] = replace(trials[7], state=TrialState.FAILED, measurement=None)
    trials[9] = replace(trials[9], state=TrialState.PRUNED, measurement=Measurement(step=5, score=0.1))
    shallow = [searcher.suggest(study, trials, study.rng(n)) for n in range(5)]
    monkeypatch.delattr(ToldTrial, "__deepcopy__")
    assert [searcher.suggest(study, trials, study.rng(n)) for n in range(5)] == shallow


def test_telling_optuna_leaves_what_it_was_told_alone() -> None:
    study = planted_study(3)
    trials = explore(TPE(n_startup_trials=2), World(study), 6)[1:]
    space = distributions(study)
    told = [frozen_trial(study, trial, space) for trial in trials]
    live = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    live.add_trials(told)
    live.ask(space)
    assert told == [frozen_trial(study, trial, space) for trial in trials] and space == distributions(study)


def test_optunas_log_level_is_left_as_it_was() -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    try:
        explore(TPE(), World(planted_study(2)), 2)
        assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    finally:
        optuna.logging.set_verbosity(before)


def test_optuna_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    explore(TPE(n_startup_trials=2), World(planted_study(3)), 5)
    assert capfd.readouterr() == ("", "")
