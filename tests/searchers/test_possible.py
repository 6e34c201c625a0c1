from dataclasses import replace

import pytest
from planted import planted_study

from mixtune.errors import ConfigError
from mixtune.proxy import Final
from mixtune.searchers import InfDDS, Searcher
from mixtune.searchers.baselines import Uniform
from mixtune.searchers.blackbox import Random
from mixtune.searchers.optuna import TPE
from mixtune.searchers.possible import require_possible
from mixtune.space import Space
from mixtune.study import Study


def tight(**bounds: object) -> Study:
    """Sources of 100, 150 and 200 rows; the final training draws 900."""
    study = planted_study(3, space=Space(**bounds))  # type: ignore[arg-type]
    return replace(study, final=Final(steps=90, batch_size=10))


def refused(study: Study, searcher: Searcher) -> str:
    with pytest.raises(ConfigError) as caught:
        require_possible(study, searcher)
    return str(caught.value)


@pytest.mark.parametrize("searcher", [Random(), TPE(), InfDDS(), Uniform()], ids=lambda each: each.name)
def test_what_leaves_room_is_let_through(searcher: Searcher) -> None:
    require_possible(tight(max_epochs=2.1, floor={"s0": 0.2}), searcher)


@pytest.mark.parametrize("searcher", [Random(), TPE(), InfDDS(), Uniform()], ids=lambda each: each.name)
def test_caps_that_leave_no_mixture_are_refused(searcher: Searcher) -> None:
    # 450 rows, each drawn at most 1.9 times, are 855 of 900.
    said = refused(tight(max_epochs=1.9), searcher)
    assert "the caps to 0.95" in said and "raise space.max_epochs" in said


def test_a_floor_above_what_max_epochs_allows_is_refused() -> None:
    said = refused(tight(max_epochs=2.1, floor={"s0": 0.3}), Random())
    assert "space.floor of 's0' is 0.3, but its 100 rows and space.max_epochs cap it at 0.2333" in said


@pytest.mark.parametrize("searcher", [Random(), TPE()], ids=lambda each: each.name)
def test_keep_levels_that_leave_no_mixture_are_refused_whichever_comes_first(searcher: Searcher) -> None:
    study = tight(max_epochs=2.1, levels={"s2": (1.0, 0.5)})
    for seed in range(5):
        said = refused(replace(study, seed=seed), searcher)
        assert "at the lowest keep levels (s2 0.5) no mixture fits" in said


def test_keep_levels_do_not_matter_where_they_are_not_searched() -> None:
    require_possible(tight(max_epochs=2.1, levels={"s2": (1.0, 0.5)}), Uniform())


def test_keep_levels_are_searched_by_guided_search_too() -> None:
    assert "at the lowest keep levels" in refused(tight(max_epochs=2.1, levels={"s2": (1.0, 0.5)}), InfDDS())


def test_a_prior_that_is_not_there_is_refused() -> None:
    study = planted_study(2)
    study = replace(study, sources=tuple(replace(source, weight=None) for source in study.sources))
    assert "no source has a weight" in refused(study, TPE(prior="expert"))
