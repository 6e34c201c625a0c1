from dataclasses import replace

import numpy as np
import pytest
from planted import World, explore, planted_study

from mixtune.errors import ConfigError, SearchExhausted
from mixtune.measurement import Drawn, Measurement
from mixtune.proposal import Role
from mixtune.searchers.blackbox import Point, Random, completed, recipe_at
from mixtune.searchers.optuna import distributions, frozen_trial
from mixtune.searchers.regmix import RegMix, runs_of
from mixtune.space import SimplexMapping, Space, coordinate_bounds, weights_at
from mixtune.trial import TrialState


@pytest.mark.parametrize("mapping", SimplexMapping)
def test_random_coordinates_fill_the_box(mapping: SimplexMapping) -> None:
    study = planted_study(3, space=Space(mapping=mapping))
    trials = explore(Random(), World(study), 400)[1:]
    points = np.array([Point.of(trial).coordinates for trial in trials])
    low, high = np.array(coordinate_bounds(mapping, 3)).T
    assert (points >= low).all() and (points <= high).all()
    assert ((points - low) / (high - low)).mean(axis=0) == pytest.approx(0.5, abs=0.06)
    assert ((points - low) / (high - low)).std(axis=0) == pytest.approx(12**-0.5, abs=0.03)


def test_a_proposals_recipe_is_that_of_the_point_in_its_notes() -> None:
    study = planted_study(4, space=Space(shared_levels=(0.5, 1.0)))
    for trial in explore(Random(), World(study), 5)[1:]:
        assert recipe_at(study, Point.of(trial)) == trial.proposal.recipe


def test_proposals_are_fresh_runs_of_full_length() -> None:
    study = planted_study(4)
    proposal = Random().suggest(study, [], study.rng(0))
    assert (proposal.role, proposal.steps, proposal.parent) == (Role.SEARCH, study.proxy.steps, None)


def test_random_starts_at_a_prior_only_if_told() -> None:
    study = planted_study(4)
    expected = study.recipe(study.proportional()).mixture.array(study.names)
    first = Random(prior="proportional").suggest(study, [], study.rng(0)).recipe.mixture.array(study.names)
    assert first == pytest.approx(expected)
    assert Random().suggest(study, [], study.rng(0)).recipe.mixture.array(study.names) != pytest.approx(expected)


def test_an_expert_prior_without_weights_is_refused() -> None:
    study = planted_study(2)
    study = replace(study, sources=tuple(replace(source, weight=None) for source in study.sources))
    with pytest.raises(ConfigError, match="no source has a weight"):
        Random(prior="expert").suggest(study, [], study.rng(0))


def test_the_best_complete_score_is_recommended() -> None:
    study = planted_study(3)
    trials = explore(Random(), World(study), 4)[1:]
    scores = [0.2, 0.5, float("nan"), 0.9]
    trials = [replace(t, measurement=Measurement(score=s)) for t, s in zip(trials, scores, strict=True)]
    trials[3] = replace(trials[3], state=TrialState.PRUNED)
    assert Random().recommend(study, trials) == trials[1].proposal.recipe


def test_a_repeated_recipe_counts_with_its_mean() -> None:
    study = planted_study(3)
    lucky, steady = explore(Random(), World(study), 2)[1:]
    scored = [(lucky, 0.9), (lucky, 0.1), (steady, 0.6)]
    trials = [replace(t, number=n, measurement=Measurement(score=s)) for n, (t, s) in enumerate(scored)]
    assert Random().recommend(study, trials) == steady.proposal.recipe


def test_the_survey_is_never_recommended() -> None:
    study = planted_study(3)
    base, trial = explore(Random(), World(study), 1)
    trials = [replace(base, measurement=Measurement(score=0.99)), replace(trial, measurement=Measurement(score=0.1))]
    assert Random().recommend(study, trials) == trial.proposal.recipe


def test_without_a_score_there_is_nothing_to_recommend() -> None:
    with pytest.raises(SearchExhausted, match="let at least one finish"):
        Random().recommend(planted_study(3), [])


def test_a_space_of_one_recipe_is_exhausted_after_it() -> None:
    study = planted_study(1, targets=1)
    trials = explore(Random(), World(study), 3)
    assert len(trials) == 2
    with pytest.raises(SearchExhausted, match="nothing to choose"):
        Random().suggest(study, trials, study.rng(2))


def test_one_source_with_keep_levels_is_a_space_to_search() -> None:
    study = planted_study(1, targets=1, space=Space(levels={"s0": (0.5, 1.0)}))
    shares = {t.proposal.recipe.pruning.share("s0") for t in explore(Random(), World(study), 20)[1:]}
    assert shares == {0.5, 1.0}


def test_an_ended_run_is_completed_by_the_mean_growth_of_the_complete_ones_from_its_rung() -> None:
    first, second, third, fourth = explore(Random(), World(planted_study(3)), 4)[1:]
    ended = Measurement(step=3, score=0.25, rungs={1: 0.125, 3: 0.25})
    history = [
        replace(first, measurement=Measurement(step=9, score=0.75, rungs={1: 0.25, 3: 0.5})),
        replace(second, measurement=Measurement(step=9, score=1.0, rungs={1: 0.25, 3: 0.25})),
        replace(third, state=TrialState.PRUNED, measurement=ended),
        replace(fourth, state=TrialState.FAILED, measurement=None),
    ]
    found = completed(history)
    assert [found[0], found[1], found[3]] == [history[0], history[1], history[3]]
    assert found[2] == replace(third, measurement=replace(ended, score=0.25 + (0.25 + 0.75) / 2))


def test_an_ended_run_keeps_its_own_score_where_nothing_complete_passed_its_rung() -> None:
    (trial,) = explore(Random(), World(planted_study(3)), 1)[1:]
    ended = Measurement(step=3, score=0.25, rungs={3: 0.25})
    assert completed([replace(trial, state=TrialState.PRUNED, measurement=ended)]) == [
        replace(trial, measurement=ended)
    ]
    lost = replace(trial, state=TrialState.PRUNED, measurement=None)
    assert completed([lost]) == [lost]


@pytest.mark.parametrize("mapping", list(SimplexMapping))
def test_a_trained_point_lies_at_the_mixture_that_was_drawn(mapping: SimplexMapping) -> None:
    study = planted_study(3, space=Space(mapping))
    trial = explore(Random(), World(study), 1)[1]
    assert Point.trained(study, trial) == Point.of(trial)  # no receipt: what was asked for
    asked, drawn = trial.proposal.recipe.mixture.array(study.names), {"s0": 900, "s1": 50, "s2": 50}
    receipt = {name: Drawn(count, count, count, 1.0) for name, count in drawn.items()}
    assert trial.measurement is not None
    trial = replace(trial, measurement=replace(trial.measurement, receipt=receipt))
    before = weights_at(mapping, Point.of(trial).coordinates, 3)
    after = weights_at(mapping, Point.trained(study, trial).coordinates, 3)
    pulled = (np.array([900, 50, 50]) + 3 * asked) / 1003
    wanted = before * pulled / asked
    assert after == pytest.approx(wanted / wanted.sum())


def test_samplers_are_told_of_the_mixture_that_was_drawn() -> None:
    study = planted_study(3)
    trial = explore(Random(), World(study), 1)[1]
    assert trial.measurement is not None
    receipt = {"s0": Drawn(280, 280, 280, 1.0), "s1": Drawn(20, 20, 20, 1.0)}
    trial = replace(trial, measurement=replace(trial.measurement, receipt=receipt))
    told = frozen_trial(study, trial, distributions(study))
    assert [told.params[f"x{i}"] for i in range(3)] == list(Point.trained(study, trial).coordinates)
    assert told.params["x2"] < Point.of(trial).coordinates[2]


def test_regmix_fits_on_the_mixture_that_was_drawn() -> None:
    study = planted_study(2)
    trial = explore(RegMix(), World(study), 1)[1]
    assert trial.measurement is not None
    receipt = {"s0": Drawn(30, 30, 30, 1.0), "s1": Drawn(10, 10, 10, 1.0)}
    trial = replace(trial, measurement=replace(trial.measurement, receipt=receipt))
    assert runs_of(study, [trial]).features.tolist() == [[0.75, 0.25]]
