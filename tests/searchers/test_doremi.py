import numpy as np
import pytest
from planted import World, explore, planted_study
from searcher_contract import FoldSearcherContract

from mixtune.proposal import Role
from mixtune.searchers.doremi import DoReMiSearch


class TestDoReMiContract(FoldSearcherContract):
    @pytest.fixture
    def searcher(self) -> DoReMiSearch:
        return DoReMiSearch()


def test_the_reference_comes_first_and_every_round_reads_it() -> None:
    trials = explore(DoReMiSearch(), World(planted_study(6)), 3)
    assert [trial.role for trial in trials[1:]] == [Role.REFERENCE, Role.ROUND, Role.ROUND]
    assert [trial.proposal.reference for trial in trials[1:]] == [None, 1, 1]
    rule = trials[2].proposal.rule
    assert rule is not None and dict(rule.settings) == {"eta": 1.0, "smoothing": 1e-3}


def test_weight_follows_the_excess_loss_and_the_mean_over_the_steps_is_recommended() -> None:
    world = World(planted_study(6))
    trials = explore(DoReMiSearch(), world, 25)
    assert len(trials) == 12  # survey, reference, ten rounds of 30 steps
    last = trials[-1].measurement
    assert last is not None
    weights = DoReMiSearch().recommend(world.study, trials).mixture.array(world.study.names)
    assert weights == pytest.approx(0.994 * np.array(last.rule["mean"]) + 0.001)
    assert weights[:2] == pytest.approx([0.48, 0.48], abs=0.03)  # excess 0.5 each; that of the noise is 0.1
