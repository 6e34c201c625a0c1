from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from planted import World, explore, finish, planted_study, recommended, survey
from searcher_contract import FoldSearcherContract

from mixtune.errors import NotReady, SearchExhausted
from mixtune.measurement import Influence, Measurement
from mixtune.recipe import Mixture
from mixtune.searchers.scout import SMALLEST_MATCH, Scout
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


class TestScout(FoldSearcherContract):
    @pytest.fixture
    def searcher(self) -> Scout:
        return Scout()


class TestScoutWithoutNeighbours(FoldSearcherContract):
    @pytest.fixture
    def searcher(self) -> Scout:
        return Scout(prior="proportional", splits=3)


def surveyed(
    study: Study, shares: Mapping[str, Mapping[str, float]], matched: Mapping[str, float] | None = None
) -> Trial:
    found = Measurement(score=0.1, neighbours=shares, matched=matched or {})
    return replace(survey(study), measurement=found)


def prior(study: Study, trial: Trial, **settings: object) -> Mixture:
    """What is recommended before any round, without the floor of the space."""
    searcher = Scout(**settings)  # type: ignore[arg-type]
    assert trial.measurement is not None
    return searcher.surveyed(study, trial.measurement)


def test_the_prior_is_the_neighbours_times_the_share_of_matched_pairs() -> None:
    study = planted_study(3, targets=2)
    trial = surveyed(
        study,
        {"t0": {"s0": 0.5, "s1": 0.5, "s2": 0.0}, "t1": {"s0": 0.0, "s1": 0.5, "s2": 0.5}},
        {"s0": 1.0, "s1": 0.5, "s2": 1.0},
    )
    # t0: 1 : .5, t1: .5 : 1, each scaled to sum 1 before targets are averaged
    expected = np.array([2 / 3, 2 / 3, 2 / 3]) / 2
    assert prior(study, trial, smoothing=0.0).array(study.names) == pytest.approx(expected)
    assert prior(study, trial, smoothing=0.0, matched=False).array(study.names) == pytest.approx([0.25, 0.5, 0.25])


def test_smoothing_leaves_every_source_a_share() -> None:
    study = planted_study(4, targets=1)
    trial = surveyed(study, {"t0": {"s0": 1.0}})
    assert prior(study, trial, smoothing=0.2).array(study.names) == pytest.approx([0.85, 0.05, 0.05, 0.05])


def test_a_source_that_looks_like_noise_keeps_a_little() -> None:
    study = planted_study(2, targets=1)
    trial = surveyed(study, {"t0": {"s0": 0.5, "s1": 0.5}}, {"s0": 0.0, "s1": 1.0})
    low = SMALLEST_MATCH / (1 + SMALLEST_MATCH)
    assert prior(study, trial, smoothing=0.0).array(study.names) == pytest.approx([low, 1 - low])


def test_without_neighbours_it_starts_from_the_prior_asked_for() -> None:
    study = planted_study(3, targets=1)
    trial = surveyed(study, {"t0": {"s0": 1.0}})
    weights = prior(study, trial, prior="uniform", smoothing=0.0).array(study.names)
    assert weights == pytest.approx(np.full(3, 1 / 3))


def test_it_waits_for_the_survey() -> None:
    study = planted_study(3)
    running = replace(survey(study), state=TrialState.RUNNING, measurement=None)
    with pytest.raises(NotReady):
        Scout().suggest(study, [running], study.rng(1))


def test_after_a_failed_survey_it_starts_from_proportional() -> None:
    study = planted_study(3)
    failed = replace(survey(study), state=TrialState.FAILED, measurement=None)
    proposal = Scout().suggest(study, [failed], study.rng(1))
    assert proposal.notes["weights"] == pytest.approx(study.proportional().array(study.names).tolist())
    with pytest.raises(SearchExhausted, match="neither a survey nor a complete round"):
        Scout().recommend(study, [failed])


def test_before_any_round_the_prior_is_recommended() -> None:
    study = planted_study(3, targets=1)
    trial = surveyed(study, {"t0": {"s1": 1.0}})
    assert Scout().recommend(study, [trial]).mixture["s1"] > 0.9


def test_a_home_that_no_query_resembles_is_found_by_its_influence() -> None:
    study = planted_study(12, targets=2)
    world = World(study, noise=0.01)
    wrong = surveyed(study, {"t0": {"s5": 1.0}, "t1": {"s6": 1.0}})
    trials = [wrong]
    for number in range(1, 25):
        trials.append(finish(world, Scout(beta=3.0).suggest(study, trials, study.rng(number)), number))
    found = Scout(beta=3.0).recommend(study, trials).mixture
    start = Scout(beta=3.0).recommend(study, [wrong]).mixture
    assert min(found["s0"], found["s1"]) > 10 * start["s0"]


def test_homes_stay_on_top_where_neighbours_find_them() -> None:
    mixture = recommended(Scout(), World(planted_study(16, targets=2), noise=0.01), 20)
    assert sorted(mixture, key=lambda name: -mixture[name])[:2] in (["s0", "s1"], ["s1", "s0"])


def test_the_rise_of_ndcg_is_read_where_it_is_measured() -> None:
    study = planted_study(2, targets=1)
    trials = explore(Scout(), World(study), 1)
    loss, rank = {"s0": 0.1, "s1": -0.1}, {"s0": -0.1, "s1": 0.1}
    influence = {
        name: Influence(loss[name], 0.01, {"t0": loss[name]}, {"t0": 0.01}, {"t0": rank[name]}, {"t0": 0.01})
        for name in study.names
    }
    assert trials[1].measurement is not None
    trials[1] = replace(trials[1], measurement=replace(trials[1].measurement, influence=influence))
    by_rank, by_loss = (
        Scout(prior="uniform", measure=measure).recommend(study, trials).mixture for measure in ("rank", "loss")
    )
    assert by_rank["s1"] > 0.8 > 0.2 > by_loss["s1"]


def test_rounds_take_the_splits_in_turn() -> None:
    trials = explore(Scout(splits=3), World(planted_study(4)), 5)
    assert [trial.proposal.probe.split for trial in trials[1:] if trial.proposal.probe] == [0, 1, 2, 0, 1]
