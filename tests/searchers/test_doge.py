import numpy as np
import pytest
from planted import World, explore, planted_study
from searcher_contract import FoldSearcherContract

from mixtune.proposal import Gradients, Role
from mixtune.searchers.doge import DoGESearch


class TestDoGEContract(FoldSearcherContract):
    @pytest.fixture
    def searcher(self) -> DoGESearch:
        return DoGESearch()


def test_rounds_need_no_reference_and_say_what_gradients_are_taken_on() -> None:
    world = World(planted_study(3))
    trials = explore(DoGESearch(parameters="pooler"), world, 2)
    assert [trial.role for trial in trials[1:]] == [Role.ROUND, Role.ROUND]
    assert trials[2].proposal.gradients == Gradients(("s0", "s1", "s2"), 1, 8, 8, "pooler")
    assert trials[2].proposal.reference is None and trials[2].proposal.parent == 1


def test_all_dev_queries_means_all_documents() -> None:
    proposal = explore(DoGESearch(queries=None), World(planted_study(3)), 1)[1].proposal
    assert proposal.gradients is not None
    assert (proposal.gradients.queries, proposal.gradients.negatives) == (None, 0)


@pytest.mark.parametrize("sources", [6, 25])
def test_the_weight_ends_on_the_homes(sources: int) -> None:
    world = World(planted_study(sources), noise=0.05)
    trials = explore(DoGESearch(eta=0.2), world, 40)
    last = trials[-1].measurement
    assert last is not None
    ended = np.exp(last.rule["log_w"])
    assert ended[:2].sum() > 0.9 and ended[:2].min() > 0.3
    weights = DoGESearch().recommend(world.study, trials).mixture.array(world.study.names)
    assert weights[:2].sum() > 0.6 and weights[:2].min() > weights[2:].max()
