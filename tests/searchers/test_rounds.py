import pytest
from planted import World, explore, planted_study

from mixtune.searchers import Searcher
from mixtune.searchers.doge import DoGESearch
from mixtune.searchers.doremi import DoReMiSearch
from mixtune.searchers.tdro import TDROSearch
from mixtune.space import Space


@pytest.mark.parametrize("searcher", [TDROSearch(steps=10), DoReMiSearch(steps=10), DoGESearch(steps=10)])
def test_a_bound_on_the_number_of_sources_hides_none_from_the_rule(searcher: Searcher) -> None:
    study = planted_study(6, space=Space(at_most=2))
    trials = explore(searcher, World(study), 4)
    assert all(weight > 0 for trial in trials[1:] for weight in trial.proposal.recipe.mixture.values())
    assert sum(weight > 0 for weight in searcher.recommend(study, trials).mixture.values()) == 2
