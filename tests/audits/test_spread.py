from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from planted import planted_study

from mixtune.audits.spread import APART, spread_recipes
from mixtune.errors import ConfigError
from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe
from mixtune.searchers.listed import Entry
from mixtune.space import Space
from mixtune.study import Study

BEST = Recipe(Mixture({"s0": 0.1, "s1": 0.8, "s2": 0.1, "s3": 0.0}))


def apart(study: Study, entries: tuple[Entry, ...]) -> list[float]:
    table = [entry.recipe.mixture.array(study.names) for entry in entries]
    return [float(np.abs(one - other).sum()) / 2 for one, other in combinations(table, 2)]


def test_the_baselines_and_the_best_recipe_come_first_as_they_are() -> None:
    study = planted_study(4)
    entries = spread_recipes(study, BEST, 8)
    assert [entry.label for entry in entries[:4]] == ["tuned", "uniform", "proportional", "expert"]
    assert entries[0].recipe == BEST
    assert entries[1].recipe.mixture.array(study.names) == pytest.approx([0.25] * 4)
    assert len(entries) == len({entry.label for entry in entries}) == 8


def test_corners_and_random_points_take_turns() -> None:
    labels = [entry.label.split()[0] for entry in spread_recipes(planted_study(4), BEST, 8)[4:]]
    assert sorted(labels) == ["mostly", "mostly", "random", "random"]


def test_the_points_lie_farther_apart_than_random_ones() -> None:
    study = planted_study(6)
    best = Recipe(study.proportional())
    entries = spread_recipes(study, best, 10)
    random = [
        Entry(str(number), Recipe(Mixture.from_array(study.names, np.random.default_rng(number).dirichlet(np.ones(6)))))
        for number in range(10)
    ]
    assert min(apart(study, entries)[20:]) > APART
    assert np.mean(apart(study, entries)) > np.mean(apart(study, tuple(random))) + 0.05


def test_the_same_study_gives_the_same_recipes() -> None:
    study = planted_study(4)
    assert spread_recipes(study, BEST, 8) == spread_recipes(replace(study, name="other"), BEST, 8)


def test_a_recipe_that_equals_another_is_run_once() -> None:
    study = planted_study(4)
    labels = [entry.label for entry in spread_recipes(study, Recipe(study.proportional()), 6)]
    assert labels[:3] == ["tuned", "uniform", "expert"]


def test_corners_and_points_lie_in_the_space_and_have_the_best_recipes_pruning() -> None:
    study = planted_study(4, space=Space(cap={"s0": 0.3}))
    best = Recipe(BEST.mixture, Pruning({"s1": 0.5}))
    for entry in spread_recipes(study, best, 9)[4:]:
        assert study.broken_bounds(entry.recipe) == ()
        assert entry.recipe.pruning == best.pruning


def test_too_few_recipes_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 5"):
        spread_recipes(planted_study(4), BEST, 4)


def test_a_space_without_room_for_so_many_says_how_many_there_are() -> None:
    study = planted_study(2, space=Space(floor={"s0": 0.49, "s1": 0.49}))
    with pytest.raises(ConfigError, match=r"holds \d recipes that lie apart, 8 are asked for"):
        spread_recipes(study, Recipe(study.proportional()), 8)
