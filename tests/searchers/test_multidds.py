from dataclasses import replace

import numpy as np
import pytest
from planted import World, explore, planted_study, recommended, with_last
from searcher_contract import FoldSearcherContract

from mixtune.errors import SearchExhausted
from mixtune.measurement import Alignment
from mixtune.searchers.multidds import MultiDDS, rewards
from mixtune.trial import TrialState


class TestMultiDDSContract(FoldSearcherContract):
    @pytest.fixture
    def searcher(self) -> MultiDDS:
        return MultiDDS()


def aligned(*cosines: float) -> Alignment:
    return Alignment({f"t{index}": cosine for index, cosine in enumerate(cosines)}, {}, 1.0)


def test_a_reward_is_the_mean_cosine_by_importance_with_negative_ones_at_0() -> None:
    study = planted_study(4)
    targets = (study.targets[0], replace(study.targets[1], weight=3.0))
    found = rewards(
        replace(study, targets=targets),
        {"s0": aligned(0.4, 0.8), "s1": aligned(-0.9, 0.4), "s3": aligned(0.1, float("nan"))},
    )
    assert found == pytest.approx([0.25 * 0.4 + 0.75 * 0.8, 0.75 * 0.4, np.nan, np.nan], nan_ok=True)


def test_rounds_are_ordinary_steps_with_gradients_compared_at_their_end() -> None:
    world = World(planted_study(25))
    trials = explore(MultiDDS(steps=120, parameters="pooler"), world, 25)
    chain = [trial.proposal for trial in trials[1:]]
    assert [proposal.steps for proposal in chain] == [120, 120, 60]
    assert [proposal.parent for proposal in chain] == [None, 1, 2]
    for proposal in chain:
        assert not proposal.recipe.batching.mixed and proposal.rule is None and proposal.probe is None
        assert proposal.gradients is not None
        assert len(proposal.gradients.sources) == 8 and proposal.gradients.parameters == "pooler"


def test_all_sources_are_compared_before_one_is_compared_again() -> None:
    trials = explore(MultiDDS(probes=5), World(planted_study(20)), 4)
    compared = [name for trial in trials[1:] if trial.proposal.gradients for name in trial.proposal.gradients.sources]
    assert len(compared) == len(set(compared)) == 20


@pytest.mark.parametrize("sources, probes", [(6, None), (12, 4)])
def test_the_weight_ends_on_the_homes(sources: int, probes: int | None) -> None:
    world = World(planted_study(sources), noise=0.01)
    weights = recommended(MultiDDS(probes=probes, keep="last"), world, 40).array(world.study.names)
    assert weights[:2].sum() > 0.9 and weights[:2].min() > 0.25
    uniform = 1 / np.sqrt(sources)
    assert world.value(MultiDDS(probes=probes).recommend(world.study, explore(MultiDDS(probes=probes), world, 40))) > (
        uniform + 0.15
    )


def test_rewards_that_are_all_0_change_no_weight() -> None:
    world = World(planted_study(4))
    trials = explore(MultiDDS(), world, 1)
    assert trials[-1].measurement is not None
    flat = {name: aligned(-0.3, -0.1) for name in world.study.names}
    after = with_last(trials, TrialState.COMPLETE, replace(trials[-1].measurement, alignment=flat))
    state = MultiDDS().fold(world.study, after)
    assert state.rounds == 1
    assert state.psi == pytest.approx(np.log(world.study.proportional().array(world.study.names)))


def test_adams_averages_last_from_round_to_round() -> None:
    world = World(planted_study(4))
    state = MultiDDS(updates=7).fold(world.study, explore(MultiDDS(updates=7), world, 3))
    assert state.moments[2] == 21


def test_a_source_not_compared_yet_is_neither_raised_nor_lowered_against_an_equal_one() -> None:
    world = World(planted_study(4))
    trials = explore(MultiDDS(probes=2, prior="uniform"), world, 1)
    assert trials[-1].measurement is not None and trials[-1].proposal.gradients is not None
    seen = dict.fromkeys(trials[-1].proposal.gradients.sources, aligned(0.4, 0.4))
    after = with_last(trials, TrialState.COMPLETE, replace(trials[-1].measurement, alignment=seen))
    assert np.ptp(MultiDDS(prior="uniform").fold(world.study, after).psi) == pytest.approx(0)


def test_a_failed_round_is_left_out_and_its_sources_have_had_their_turn() -> None:
    world = World(planted_study(20))
    trials = explore(MultiDDS(probes=5), world, 2)
    found = MultiDDS(probes=5).suggest(world.study, with_last(trials, TrialState.FAILED), world.study.rng(3))
    assert found.parent == 1 and found.recipe == trials[-1].proposal.recipe
    assert found.gradients is not None and trials[-1].proposal.gradients is not None
    assert not set(found.gradients.sources) & set(trials[-1].proposal.gradients.sources)


def test_a_chain_of_its_length_is_exhausted() -> None:
    world = World(planted_study(3))
    trials = explore(MultiDDS(length=20), world, 25)
    assert len(trials) == 3
    with pytest.raises(SearchExhausted, match="multidds has its 20 steps"):
        MultiDDS(length=20).suggest(world.study, trials, world.study.rng(3))


def test_the_last_or_the_mean_of_the_last_half_is_recommended() -> None:
    world = World(planted_study(4))
    trials = explore(MultiDDS(), world, 4)
    folds = [MultiDDS().fold(world.study, trials[: size + 1]) for size in range(1, 5)]
    path = [np.exp(state.psi) / np.exp(state.psi).sum() for state in folds]
    last = MultiDDS(keep="last").recommend(world.study, trials).mixture.array(world.study.names)
    mean = MultiDDS().recommend(world.study, trials).mixture.array(world.study.names)
    assert last == pytest.approx(0.996 * path[3] + 0.001)
    assert mean == pytest.approx(0.996 * (path[2] + path[3]) / 2 + 0.001)
