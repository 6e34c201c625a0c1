import itertools
from dataclasses import replace

import numpy as np
import pytest
from planted import World, explore, planted_study, survey, with_last
from searcher_contract import FoldSearcherContract

from mixtune.batching import Batching
from mixtune.errors import SearchExhausted
from mixtune.proposal import Role
from mixtune.searchers.tdro import TDROSearch, top_p
from mixtune.space import Space
from mixtune.trial import Trial, TrialState


class TestTDROContract(FoldSearcherContract):
    @pytest.fixture
    def searcher(self) -> TDROSearch:
        return TDROSearch()


class TestReweightContract(FoldSearcherContract):
    @pytest.fixture
    def searcher(self) -> TDROSearch:
        return TDROSearch(mode="authors", transfer="reweight", keep="ema")


@pytest.fixture
def world() -> World:
    return World(planted_study(6), noise=0.05)


def rounds(trials: list[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.role is Role.ROUND]


def test_the_reference_is_a_fresh_uniform_run_in_mixed_batches_and_comes_first(world: World) -> None:
    first = explore(TDROSearch(), world, 1)[1].proposal
    assert (first.role, first.steps, first.parent, first.rule) == (Role.REFERENCE, 300, None, None)
    assert first.recipe.batching == Batching(mixed=True)
    assert first.recipe.mixture.array(world.study.names) == pytest.approx(np.full(6, 1 / 6))
    assert explore(TDROSearch(reference_steps=40), world, 1)[1].proposal.steps == 40


def test_rounds_continue_each_other_from_the_rules_state_until_the_length_is_done(world: World) -> None:
    trials = explore(TDROSearch(steps=40, length=100), world, 25)
    chain = rounds(trials)
    assert [trial.proposal.steps for trial in chain] == [40, 40, 20]
    assert [trial.proposal.parent for trial in chain] == [None, 2, 3]
    assert {trial.proposal.reference for trial in chain} == {1}
    assert [trial.proposal.scored for trial in chain] == [False, False, True]
    for before, trial in itertools.pairwise(chain):
        assert before.measurement is not None and trial.proposal.rule is not None
        assert trial.proposal.rule.state == before.measurement.rule
    with pytest.raises(SearchExhausted, match="has its 100 steps: its length is a setting"):
        TDROSearch(steps=40, length=100).suggest(world.study, trials, world.study.rng(9))


@pytest.mark.parametrize("length, eta", [(None, 20 / 300), (1000, 0.02)])
def test_eta_keeps_the_dose_at_any_length(world: World, length: int | None, eta: float) -> None:
    rule = explore(TDROSearch(length=length), world, 2)[2].proposal.rule
    assert rule is not None and rule.settings["eta"] == pytest.approx(eta)
    assert rule.negatives == 7


def test_reweighting_puts_the_most_on_the_sources_with_headroom_and_little_on_noise(world: World) -> None:
    searcher = TDROSearch(transfer="reweight")
    weights = searcher.recommend(world.study, explore(searcher, world, 25)).mixture.array(world.study.names)
    assert set(np.argsort(-weights)[:2]) == {0, 1}
    assert weights[5] < 1 / 6


def test_raw_losses_follow_what_cannot_be_learnt(world: World) -> None:
    searcher = TDROSearch(mode="loss", transfer="reweight")
    weights = searcher.recommend(world.study, explore(searcher, world, 25)).mixture.array(world.study.names)
    assert weights[5] > 0.9


def test_17_of_25_are_kept_at_70_percent() -> None:
    weights = np.linspace(1, 2, 25)
    assert top_p(weights, 70).sum() == 17
    assert top_p(weights, 70).tolist() == [0.0] * 8 + [1.0] * 17


@pytest.mark.parametrize("count, percent, kept", [(1, 70, 1), (10, 70, 7), (3, 1, 1), (4, 100, 4), (200, 70, 140)])
def test_the_number_kept_is_the_whole_part_and_at_least_one(count: int, percent: int, kept: int) -> None:
    assert top_p(np.ones(count), percent).sum() == kept


def test_of_equal_weights_the_first_are_kept() -> None:
    assert top_p(np.array([1.0, 2.0, 1.0, 1.0]), 50).tolist() == [1, 1, 0, 0]


def test_the_kept_sources_are_sampled_uniformly(world: World) -> None:
    searcher = TDROSearch(percent=50)
    recipe = searcher.recommend(world.study, explore(searcher, world, 25))
    weights = np.sort(recipe.mixture.array(world.study.names))
    assert weights[3:] == pytest.approx(np.full(3, 0.333), abs=0.002)
    assert weights[:3] == pytest.approx(np.full(3, 0.001))
    assert recipe.batching == world.study.space.batching


def test_keep_says_which_weights_are_reweighted_by(world: World) -> None:
    trials = explore(TDROSearch(), world, 25)
    last = trials[-1].measurement
    assert last is not None
    for keep, expected in (
        ("mean", last.rule["mean"]),
        ("ema", last.rule["ema"]),
        ("last", np.exp(last.rule["log_w"])),
    ):
        searcher = TDROSearch(transfer="reweight", keep=keep)  # type: ignore[arg-type]
        found = searcher.recommend(world.study, trials).mixture.array(world.study.names)
        assert found == pytest.approx(0.994 * np.array(expected) + 0.001)


def test_a_failed_reference_is_run_again(world: World) -> None:
    trials = with_last(explore(TDROSearch(), world, 1), TrialState.FAILED)
    assert TDROSearch().suggest(world.study, trials, world.study.rng(2)).role is Role.REFERENCE


def test_a_failed_round_is_repeated_from_where_it_started(world: World) -> None:
    trials = explore(TDROSearch(), world, 4)
    again = TDROSearch().suggest(world.study, with_last(trials, TrialState.FAILED), world.study.rng(5))
    assert again == trials[-1].proposal


def test_a_round_without_the_rules_state_is_repeated(world: World) -> None:
    trials = explore(TDROSearch(), world, 4)
    assert trials[-1].measurement is not None
    empty = with_last(trials, TrialState.COMPLETE, replace(trials[-1].measurement, rule={}))
    assert TDROSearch().suggest(world.study, empty, world.study.rng(5)) == trials[-1].proposal


def test_open_keep_levels_are_not_searched() -> None:
    world = World(planted_study(4, space=Space(levels={"s0": (0.5, 1.0)}, shared_levels=(0.7,))))
    for trial in explore(TDROSearch(), world, 3)[1:]:
        assert trial.proposal.recipe.pruning.kept == {"s1": 0.7, "s2": 0.7, "s3": 0.7}


def test_nothing_can_be_recommended_before_a_round(world: World) -> None:
    with pytest.raises(SearchExhausted, match="tdro has no complete round yet"):
        TDROSearch().recommend(world.study, [survey(world.study)])
