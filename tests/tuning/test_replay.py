from dataclasses import replace

import numpy as np
import pytest
from surface import BEST, NAMES, measured, ran, recorded_chain, recorded_random, recorded_ruled, study

from mixtune.errors import ConfigError
from mixtune.proposal import Role
from mixtune.search import Search
from mixtune.store.recording import Recorded
from mixtune.tuning.replay import Job, Replayer, contestants, left_out, played, real_scores, replay, replayer

RUNS = 6.0


@pytest.fixture(scope="module")
def found() -> Replayer:
    return replayer([recorded_random(), recorded_chain()], RUNS, surfaces=2)


def test_a_replay_is_the_same_each_time_and_another_with_another_seed(found: Replayer) -> None:
    job = Job("tpe", Search("tpe", {"n_startup_trials": 2}), range(0, 3), (1.0, RUNS), seed=0)
    assert np.array_equal(played(found, job), played(found, job))
    assert not np.array_equal(played(found, job), played(found, replace(job, seed=1)))


def test_a_repeat_does_not_depend_on_the_repeats_beside_it(found: Replayer) -> None:
    job = Job("random", Search("random"), range(0, 4), (RUNS,), seed=0)
    assert np.array_equal(played(found, job)[2:], played(found, replace(job, repeats=range(2, 4))))


def test_the_searcher_that_is_told_the_truth_wins(found: Replayer) -> None:
    """Recorded influences point at the planted best; random search sees six noisy scores."""
    arena = replay(found, contestants(["random", "infdds", "uniform"], RUNS), repeats=10, runs=RUNS)
    assert arena.placings[0].label == "infdds"
    assert arena.placings[0].first > 0.5
    assert all(each.regret.value >= 0 for each in arena.placings)
    assert arena.optimum >= max(each.score.value for each in arena.placings)


def test_more_compute_finds_more(found: Replayer) -> None:
    arena = replay(found, contestants(["tpe"], RUNS), repeats=10, runs=RUNS)
    curve = arena.placings[0].curve
    assert list(curve) == [1.0, 2.0, 6.0] and curve[6.0] > curve[1.0]


def test_what_cannot_be_replayed_is_named_with_the_reason(found: Replayer) -> None:
    reasons = left_out(found, contestants(None, RUNS))
    assert {"tdro", "doremi", "doge", "multidds"} <= set(reasons)
    assert "rule" in reasons["tdro"] and "alignment" in reasons["multidds"]
    assert {"scout", "infdds", "tpe", "gp", "cmaes", "regmix", "neighbours"}.isdisjoint(reasons)
    without = replace(found, recalled=None)
    assert "recorded round" in left_out(without, contestants(["infdds"], RUNS))["infdds"]


NEAR, FAR, CORNER = np.array([0.5, 0.3, 0.1, 0.1]), np.array([0.1, 0.2, 0.2, 0.5]), np.array([0.1, 0.1, 0.7, 0.1])
CLOSE = 5e-4
"""What is recommended obeys the floor, so its score is nearly that of the weights."""


@pytest.fixture(scope="module")
def stood() -> Replayer:
    """Two searches of tdro of seven fresh runs (a reference is one, a round is three), one of four, one of ten."""
    ruled = [recorded_ruled(*last) for last in ((FAR, NEAR), (FAR, CORNER), (FAR,), (FAR, CORNER, NEAR))]
    return replayer([recorded_random(), *ruled], 7.0, surfaces=1)


def test_real_searches_stand_in_where_no_surrogate_knows_what_is_read(stood: Replayer) -> None:
    arena = replay(stood, contestants(["tdro", "random"], 7.0), repeats=4, runs=7.0)
    first, second = sorted(arena.placings, key=lambda each: -each.stand_ins)
    assert (first.label, first.stand_ins, second.stand_ins) == ("tdro", 2, 0)
    said = stood.surrogate.scores(0, np.stack([NEAR, CORNER]))
    assert said[0] - said[1] > 20 * CLOSE
    assert first.score.value == pytest.approx(said.mean(), abs=CLOSE)


def test_only_real_searches_with_the_compute_of_a_replay_stand_in(stood: Replayer) -> None:
    assert [len(each.trials) for each in stood.searched["tdro"]] == [3, 3]


def test_a_search_that_recommended_nothing_stands_in_for_nobody() -> None:
    whole = recorded_ruled(FAR)
    only = replace(whole, trials=tuple(t for t in whole.trials if t.role is Role.REFERENCE))
    assert replayer([recorded_random(), only], 1.0, surfaces=1).searched == {}


def test_of_a_stand_in_all_counts_though_it_cost_a_little_more() -> None:
    """Seven fresh runs stand in for replays of 6.5: cut off there, the last round would not count."""
    found = replayer([recorded_random(), recorded_ruled(FAR, NEAR)], 6.5, surfaces=1)
    (scores,) = played(found, Job("tdro", Search("tdro"), range(1), (4.0, 6.5), 0))
    assert scores == pytest.approx(found.surrogate.scores(0, np.stack([FAR, NEAR])), abs=CLOSE)


def test_a_stand_in_has_no_score_before_it_recommends_something(stood: Replayer) -> None:
    (scores,) = played(stood, Job("tdro", Search("tdro"), range(1), (1.0, 3.0, 7.0), 0))
    assert np.isnan(scores).tolist() == [True, True, False]


def test_a_replay_that_recommends_nothing_yet_counts_as_proportional(found: Replayer) -> None:
    (scores,) = played(found, Job("infdds", Search("infdds"), range(1), (1e-6, RUNS), 0))
    proportional = study().proportional().array(NAMES)[None]
    assert scores[0] == pytest.approx(found.surrogate.scores(0, proportional)[0])


def test_who_is_left_out_is_told_how_much_compute_a_study_needs() -> None:
    found = replayer([recorded_random(), recorded_ruled(FAR)], 7.0, surfaces=1)
    assert left_out(found, contestants(["multidds"], 7.0))["multidds"] == (
        "it reads alignment, checkpoint, which no surrogate knows, "
        "and no study of it with 6.3 to 7.7 fresh runs was recorded"
    )


def test_less_than_a_fresh_run_is_the_last_point_of_its_replay(found: Replayer) -> None:
    arena = replay(replace(found, runs=0.6), contestants(["random"], 0.6), repeats=2, runs=0.6)
    assert arena.runs == 0.6 and list(arena.placings[0].curve) == [0.6]


def test_an_arena_of_nobody_is_refused(found: Replayer) -> None:
    with pytest.raises(ConfigError, match="nothing can be replayed: tdro: it reads"):
        replay(found, contestants(["tdro"], RUNS), repeats=1, runs=RUNS)


def test_replays_of_other_runs_than_was_made_ready_for_are_refused(found: Replayer) -> None:
    with pytest.raises(ValueError, match="ready for 6: call replayer with 7"):
        replay(found, contestants(["random"], 7.0), repeats=1, runs=7.0)


def test_an_unknown_searcher_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'tpe'"):
        contestants(["tpee"], RUNS)


@pytest.mark.slow
def test_processes_change_nothing(found: Replayer) -> None:
    searches = contestants(["random", "uniform"], RUNS)
    alone, two = (replay(found, searches, repeats=11, runs=RUNS, processes=count) for count in (1, 2))
    assert alone == two


def test_real_scores_are_the_reruns_of_studies_with_the_same_compute() -> None:
    rng = np.random.default_rng(0)

    def ended(algorithm: str, runs: int, *scores: float) -> Recorded:
        trials = [ran(number, Role.SEARCH, BEST, measured(BEST, rng)) for number in range(runs)]
        for score in scores:
            trials.append(ran(len(trials), Role.RERUN, BEST, replace(measured(BEST, rng), score=score)))
        return Recorded(study(search=Search(algorithm)), tuple(trials))

    studies = [ended("tpe", 6, 0.5, 0.6), ended("tpe", 6, 0.7), ended("random", 40, 0.9), ended("neighbours", 1, 0.4)]
    assert real_scores(studies, RUNS) == {"tpe": [pytest.approx(0.55), 0.7], "neighbours": [0.4]}


def test_names_are_those_of_the_recorded_study(found: Replayer) -> None:
    assert found.surrogate.study.names == NAMES
