from dataclasses import replace

import pytest
from planted import planted_study

from mixtune.errors import ConfigError, SearchExhausted
from mixtune.proposal import Role
from mixtune.searchers.baselines import Expert, Proportional, Temperature, Uniform, baseline_recipes
from mixtune.space import Space
from mixtune.study import Study
from mixtune.trial import Trial

TIGHT = Space(floor={"s0": 0.4}, cap={"s2": 0.3}, at_most=2)
NAMES = ["s0", "s1", "s2"]


def without_weights(study: Study) -> Study:
    return replace(study, sources=tuple(replace(source, weight=None) for source in study.sources))


def test_anchors_are_what_their_names_say_whatever_the_bounds() -> None:
    recipes = baseline_recipes(planted_study(3, space=TIGHT))
    assert recipes["uniform"].mixture.array(NAMES) == pytest.approx([1 / 3] * 3)
    assert recipes["proportional"].mixture.array(NAMES) == pytest.approx([100 / 450, 150 / 450, 200 / 450])


def test_a_baseline_that_is_searched_is_brought_into_the_bounds() -> None:
    study = planted_study(3, space=TIGHT)
    assert Uniform().recommend(study, []).mixture.array(NAMES) == pytest.approx([0.5, 0.5, 0.0])
    # Of proportional, s0 has its place by its floor and s2 by its rows, and the cap of s2 leaves .7 to s0.
    assert Proportional().recommend(study, []).mixture.array(NAMES) == pytest.approx([0.7, 0.0, 0.3])


def test_a_baseline_within_the_bounds_is_the_anchor_itself() -> None:
    study = planted_study(3, space=Space(cap={"s2": 0.5}, floor={"s0": 0.1}))
    assert Proportional().recommend(study, []) == baseline_recipes(study)["proportional"]


def test_temperature_raises_the_rows_to_its_power() -> None:
    recipe = Temperature(alpha=0.5).recommend(planted_study(2), [])
    assert recipe.mixture["s0"] == pytest.approx(10 / (10 + 150**0.5))


def test_expert_is_the_users_own() -> None:
    recipe = Expert().recommend(planted_study(3), [])
    assert recipe.mixture.array(["s0", "s1", "s2"]) == pytest.approx([1 / 6, 2 / 6, 3 / 6])


def test_expert_without_weights_says_what_to_do() -> None:
    study = without_weights(planted_study(3))
    with pytest.raises(ConfigError, match="give at least one source a `weight`"):
        Expert().suggest(study, [], study.rng(0))


def test_a_removed_source_is_in_no_baseline() -> None:
    study = planted_study(3)
    study = replace(study, sources=(replace(study.sources[0], weight=0.0), *study.sources[1:]))
    assert all(set(recipe.mixture) == {"s1", "s2"} for recipe in baseline_recipes(study).values())


def test_the_expert_recipe_is_there_only_if_the_user_gave_weights() -> None:
    assert list(baseline_recipes(planted_study(3))) == ["uniform", "proportional", "expert"]
    assert list(baseline_recipes(without_weights(planted_study(3)))) == ["uniform", "proportional"]


def test_a_keep_level_that_the_study_fixes_holds_for_baselines_too() -> None:
    space = Space(levels={"s1": (0.25,), "s2": (0.5, 1.0)})
    assert dict(Uniform().recommend(planted_study(3, space=space), []).pruning.kept) == {"s1": 0.25}


def test_a_baseline_runs_once_fresh_and_in_full() -> None:
    study = planted_study(3)
    proposal = Uniform().suggest(study, [], study.rng(0))
    assert (proposal.role, proposal.steps, proposal.parent) == (Role.SEARCH, study.proxy.steps, None)
    with pytest.raises(SearchExhausted, match="one mixture"):
        Uniform().suggest(study, [Trial(0, proposal, seed=1)], study.rng(1))
