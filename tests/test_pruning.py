from dataclasses import replace

import pytest

from mixtune.preparation import Preparation
from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.space import Space
from mixtune.study import Study
from mixtune.target import Target

ROWS = {"rare": 40, "large": 4000}


def study(space: Space) -> Study:
    return Study(
        name="s",
        sources=tuple(Source(name, "beir", name) for name in ROWS),
        targets=(Target("t", "beir", "t"),),
        search=Search("uniform"),
        budget=Budget(trials=1),
        space=space,
        preparation=Preparation("", {name: SourceFacts(rows, rows, 9.0, "") for name, rows in ROWS.items()}, {}, 1.0),
    )


@pytest.mark.parametrize(("least", "kept"), [(1, 4), (4, 4), (5, 5), (40, 40), (100, 40)])
def test_no_share_prunes_a_source_below_the_guard(least: int, kept: int) -> None:
    assert Pruning({"rare": 0.1}, least=least).rows("rare", 40) == kept


def test_the_guard_changes_nothing_where_more_is_kept() -> None:
    assert Pruning({"large": 0.1}, least=100).rows("large", 4000) == 400


def test_the_guard_counts_in_the_bounds_and_epochs_of_a_study() -> None:
    capped = study(Space(max_epochs=4.0))
    loose, guarded = Pruning({"rare": 0.1}), Pruning({"rare": 0.1}, least=20)
    rare = capped.names.index("rare")
    (_, low_cap), (_, high_cap) = capped.bounds(loose), capped.bounds(guarded)
    assert high_cap[rare] == pytest.approx(5 * low_cap[rare])
    mixture = Mixture({"rare": 0.5, "large": 0.5})
    epochs = [capped.epochs(Recipe(mixture, pruning))["rare"] for pruning in (loose, guarded)]
    assert epochs[0] == pytest.approx(5 * epochs[1])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "static"}, "one of dynamic, infobatch, got 'static'"),
        ({"query_end": 1.9}, "query_end must be at least 2"),
        ({"cutoff_end": 1.0}, "cutoff_end must be between 0 and 1"),
        ({"strength": 0.9}, "strength must be at least 1"),
        ({"refresh": -1}, "refresh must be a number of steps"),
    ],
)
def test_a_schedule_out_of_range_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(**wrong)  # type: ignore[arg-type]


def test_a_guard_below_one_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="least must be at least 1"):
        Pruning(least=0)


def test_recipes_with_other_schedules_are_other_recipes() -> None:
    plain = Recipe(Mixture({"x": 1.0}))
    dynamic = replace(plain, pruning=Pruning(schedule=Schedule()))
    assert len({plain, dynamic, replace(plain, pruning=Pruning(schedule=Schedule(refresh=1)))}) == 3
    assert {dynamic: 1}[replace(plain, pruning=Pruning(schedule=Schedule()))] == 1
