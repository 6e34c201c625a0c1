from dataclasses import replace

import numpy as np
import optuna
import pytest
from planted import World, explore, planted_study
from sphere import best, distinct, history, live_best

from mixtune.searchers.blackbox import Point
from mixtune.searchers.cube import position_of
from mixtune.searchers.qmc import QMC
from mixtune.space import SimplexMapping, Space
from mixtune.study import Study
from mixtune.trial import TrialState

SEEDS = range(5)


def live(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.QMCSampler(scramble=True, seed=seed, warn_asynchronous_seeding=False)


def positions(study: Study, searcher: QMC, count: int) -> np.ndarray:
    return np.array([position_of(study, Point.of(t)) for t in explore(searcher, World(study), count)[1:]])


def test_it_is_as_good_as_a_live_sampler_on_a_sphere_and_repeats_no_point() -> None:
    histories = [history(QMC(), seed) for seed in SEEDS]
    assert distinct(histories)
    alive = np.median([live_best(live, seed) for seed in SEEDS])
    assert np.median([best(trials) for trials in histories]) >= 1.25 * alive


@pytest.mark.parametrize("mapping", SimplexMapping)
def test_every_side_is_filled_evenly(mapping: SimplexMapping) -> None:
    # Of the first 2 ** k points of a Sobol sequence each of 2 ** k equal parts of a side holds exactly one.
    places = positions(planted_study(4, space=Space(mapping=mapping)), QMC(), 32)
    assert (np.sort((places * 32).astype(int), axis=0) == np.arange(32)[:, None]).all()


def test_levels_are_tried_equally_often() -> None:
    study = planted_study(3, space=Space(levels={"s0": (0.25, 0.5, 0.75, 1.0)}, shared_levels=(0.5, 1.0)))
    recipes = [t.proposal.recipe for t in explore(QMC(), World(study), 16)[1:]]
    kept = [recipe.pruning.share("s0") for recipe in recipes]
    assert [kept.count(level) for level in (0.25, 0.5, 0.75, 1.0)] == [4, 4, 4, 4]
    assert [recipe.pruning.share("s1") for recipe in recipes].count(0.5) == 8


def test_a_prior_goes_before_the_sequence_and_takes_nothing_from_it() -> None:
    study = planted_study(3)
    plain, after = positions(study, QMC(), 8), positions(study, QMC(prior="proportional"), 9)
    assert np.array_equal(after[1:], plain)
    first = explore(QMC(prior="proportional"), World(study), 1)[1].proposal.recipe
    assert first.mixture.array(study.names) == pytest.approx(
        study.recipe(study.proportional()).mixture.array(study.names)
    )


def test_results_play_no_part_and_the_studys_seed_does() -> None:
    study = planted_study(3)
    trials = explore(QMC(), World(study), 5)
    failed = [replace(trial, state=TrialState.FAILED, measurement=None) for trial in trials]
    assert QMC().suggest(study, failed, study.rng(6)) == QMC().suggest(study, trials, study.rng(6))
    assert not np.array_equal(positions(study, QMC(), 4), positions(planted_study(3, seed=1), QMC(), 4))
