from dataclasses import replace

import numpy as np
import optuna
import pytest
from planted import World, explore, finish, planted_study, recommended
from sphere import best, distinct, history, live_best

from mixtune.measurement import Measurement
from mixtune.searchers.blackbox import Point, prior_point
from mixtune.searchers.cmaes import CMAES
from mixtune.searchers.cube import position_of
from mixtune.space import SimplexMapping, Space, coordinate_bounds
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

SEEDS = range(4)
SMALL = CMAES(prior="none", population=4)


def live(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.CmaEsSampler(seed=seed)


def spread_of(searcher: CMAES, study: Study, trials: list[Trial]) -> np.ndarray:
    """200 points that the searcher could propose next, in its cube."""
    points = [searcher.point(study, trials, np.random.default_rng(seed)) for seed in range(200)]
    return np.array([position_of(study, point) for point in points])


@pytest.mark.parametrize("workers", [1, 8])
def test_it_is_as_good_as_a_live_sampler_on_a_sphere_and_repeats_no_point(workers: int) -> None:
    histories = [history(CMAES(prior="none"), seed, workers=workers) for seed in SEEDS]
    assert distinct(histories)
    alive = np.median([live_best(live, seed) for seed in SEEDS])
    assert np.median([best(trials) for trials in histories]) >= 1.25 * alive


def test_the_homes_of_the_targets_are_found() -> None:
    mixture = recommended(CMAES(), World(planted_study(6)), 120)
    assert mixture["s0"] + mixture["s1"] > 0.8
    assert mixture["s0"] > 0.25 and mixture["s1"] > 0.25


@pytest.mark.parametrize("mapping", SimplexMapping)
def test_points_stay_in_the_box_even_with_a_prior_in_its_corner(mapping: SimplexMapping) -> None:
    study = planted_study(5, space=Space(mapping=mapping))
    study = replace(study, sources=tuple(replace(s, weight=1e-9 if s.name > "s0" else 1.0) for s in study.sources))
    trials = explore(CMAES(prior="expert", spread=1.0), World(study), 40)[1:]
    low, high = np.array(coordinate_bounds(mapping, 5)).T
    points = np.array([Point.of(trial).coordinates for trial in trials])
    assert (points >= low).all() and (points <= high).all()


def test_the_prior_is_proposed_first_and_is_the_mean_at_the_start() -> None:
    study = planted_study(3)
    trials = explore(CMAES(spread=0.05), World(study), 1)[1:]
    middle = position_of(study, prior_point(study, study.proportional()))
    assert position_of(study, Point.of(trials[0])) == pytest.approx(middle)
    assert spread_of(CMAES(spread=0.05), study, trials).mean(axis=0) == pytest.approx(middle, abs=0.02)


def test_without_a_prior_it_starts_in_the_middle_of_the_box() -> None:
    study = planted_study(3)
    points = spread_of(CMAES(prior="none"), study, [])
    assert points.mean(axis=0) == pytest.approx(0.5, abs=0.05)
    assert points.std(axis=0) == pytest.approx(1 / 6, abs=0.03)


def test_a_generation_moves_the_distribution_only_when_it_is_complete() -> None:
    study = planted_study(3)
    trials = explore(SMALL, World(study), 4)[1:]
    start = spread_of(SMALL, study, [])
    assert np.array_equal(spread_of(SMALL, study, trials[:3]), start)
    assert not np.array_equal(spread_of(SMALL, study, trials), start)
    for state in (TrialState.RUNNING, TrialState.QUEUED):
        waiting = [replace(trials[0], state=state), *trials[1:]]
        assert np.array_equal(spread_of(SMALL, study, waiting), start)


def test_trials_behind_a_generation_that_is_not_complete_are_not_told_either() -> None:
    study = planted_study(3)
    trials = explore(SMALL, World(study), 8)[1:]
    trials[1] = replace(trials[1], state=TrialState.RUNNING)
    assert np.array_equal(spread_of(SMALL, study, trials), spread_of(SMALL, study, []))


def test_the_prior_is_in_no_generation() -> None:
    study, searcher = planted_study(3), CMAES(population=4)
    trials = explore(searcher, World(study), 5)[1:]
    assert np.array_equal(spread_of(searcher, study, trials[:4]), spread_of(searcher, study, trials[:1]))
    assert not np.array_equal(spread_of(searcher, study, trials), spread_of(searcher, study, trials[:1]))


@pytest.mark.parametrize("state", [TrialState.FAILED, TrialState.PRUNED])
def test_a_trial_without_a_score_counts_as_the_worst_of_its_generation(state: TrialState) -> None:
    study = planted_study(3)
    trials = explore(SMALL, World(study), 4)[1:]
    scores = [0.5, 0.9, 0.3, 0.7]
    scored = [replace(t, measurement=Measurement(score=s)) for t, s in zip(trials, scores, strict=True)]
    broken = [*scored[:2], replace(scored[2], state=state, measurement=None), scored[3]]
    worst = [*scored[:2], replace(scored[2], measurement=Measurement(score=0.5)), scored[3]]
    assert np.array_equal(spread_of(SMALL, study, broken), spread_of(SMALL, study, worst))


def test_a_run_that_was_ended_ranks_by_what_it_would_probably_have_become() -> None:
    study = planted_study(3)
    trials = explore(SMALL, World(study), 4)[1:]
    whole = [Measurement(step=9, score=s, rungs={3: s - 0.2}) for s in (0.5, 0.9, 0.6, 0.7)]
    scored = [replace(t, measurement=m) for t, m in zip(trials, whole, strict=True)]
    ended = replace(scored[2], state=TrialState.PRUNED, measurement=Measurement(step=3, score=0.4, rungs={3: 0.4}))
    assert np.array_equal(spread_of(SMALL, study, [*scored[:2], ended, scored[3]]), spread_of(SMALL, study, scored))


def test_later_generations_do_not_rewrite_what_an_ended_run_was_taken_for() -> None:
    study = planted_study(3)
    trials = explore(SMALL, World(study), 8)[1:]
    first = [replace(t, measurement=Measurement(step=9, score=0.5, rungs={3: 0.4})) for t in trials[:4]]
    first[1] = replace(first[1], state=TrialState.PRUNED, measurement=Measurement(step=3, score=0.3, rungs={3: 0.3}))
    later = [replace(t, measurement=Measurement(step=9, score=0.9, rungs={3: 0.1})) for t in trials[4:]]
    assert SMALL._distribution(study, [*first, *later[:3]]).mean == pytest.approx(
        SMALL._distribution(study, first).mean
    )


def test_a_generation_that_failed_as_a_whole_changes_nothing() -> None:
    study = planted_study(3)
    failed = [replace(t, state=TrialState.FAILED) for t in explore(SMALL, World(study), 4)[1:]]
    assert np.array_equal(spread_of(SMALL, study, failed), spread_of(SMALL, study, []))


def test_scores_that_never_differ_make_it_start_again_rather_than_repeat_itself() -> None:
    study = planted_study(2)
    trials = explore(SMALL, World(study), 160)[1:]
    flat = [replace(trial, measurement=Measurement(score=0.5)) for trial in trials]
    points = [SMALL.point(study, flat[:told], np.random.default_rng(0)) for told in range(0, 161, 4)]
    assert points[0] in points[1:]


def test_a_better_keep_level_is_preferred() -> None:
    study = planted_study(2, space=Space(levels={"s1": (0.25, 0.5, 1.0)}))
    world, trials, searcher = World(study), list[Trial](), CMAES()
    for number in range(60):
        trial = finish(world, searcher.suggest(study, trials, study.rng(number)), number)
        score = float(trial.proposal.recipe.pruning.share("s1") == 0.5)
        trials.append(replace(trial, measurement=Measurement(score=score)))
    assert sum(trial.proposal.recipe.pruning.share("s1") == 0.5 for trial in trials[-30:]) > 20


def test_one_number_is_enough_to_search() -> None:
    study = planted_study(1, targets=1, space=Space(mapping=SimplexMapping.STICK, levels={"s0": (0.25, 0.5, 1.0)}))
    trials = explore(CMAES(), World(study), 30)[1:]
    assert {trial.proposal.recipe.pruning.share("s0") for trial in trials} == {0.25, 0.5, 1.0}
