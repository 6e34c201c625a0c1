import math
import pickle

import numpy as np
import pytest

from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe


def test_equal_mixtures_are_one_key_whatever_their_order() -> None:
    a, b = Mixture({"x": 0.25, "y": 0.75}), Mixture({"y": 0.75, "x": 0.25})
    assert a == b and len({a, b}) == 1
    assert a != Mixture({"x": 0.75, "y": 0.25})


def test_a_mixture_is_read_like_a_mapping() -> None:
    mixture = Mixture({"y": 0.75, "x": 0.25})
    assert (list(mixture), mixture["y"], len(mixture), mixture.get("z")) == (["x", "y"], 0.75, 2, None)


def test_later_changes_to_what_it_was_made_of_do_not_reach_a_mixture() -> None:
    weights = {"x": 1.0}
    mixture = Mixture(weights)
    weights["x"] = 5.0
    assert mixture["x"] == 1.0


@pytest.mark.parametrize("weights", [{"x": 1.5, "y": -0.5}, {"x": math.nan}, {"x": math.inf}])
def test_a_weight_that_is_negative_or_not_finite_is_refused_by_name(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="finite and at least 0, got"):
        Mixture(weights)


@pytest.mark.parametrize("weights", [{}, {"x": 0.5}, {"x": 0.6, "y": 0.6}])
def test_weights_that_do_not_sum_to_1_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must sum to 1"):
        Mixture(weights)


def test_normalising_keeps_ratios() -> None:
    assert dict(Mixture.normalised({"x": 3, "y": 1, "z": 0})) == {"x": 0.75, "y": 0.25, "z": 0}


@pytest.mark.parametrize("weights", [{}, {"x": 0.0}, {"x": math.inf}, {"x": math.nan}, {"x": 2.0, "y": -1.0}])
def test_what_has_no_shares_cannot_be_normalised(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="mixture weights must be finite"):
        Mixture.normalised(weights)


def test_arrays_follow_the_order_of_the_names() -> None:
    mixture = Mixture.from_array(["b", "a"], [1, 3])
    assert mixture["a"] == 0.75
    assert mixture.array(["a", "missing", "b"]).tolist() == [0.75, 0.0, 0.25]


def test_names_and_weights_must_be_equally_many() -> None:
    with pytest.raises(ValueError, match="zip"):
        Mixture.from_array(["a", "b"], [1.0])


def test_uniform_weights_are_equal() -> None:
    assert Mixture.uniform("abcd").array("abcd").tolist() == [0.25] * 4


def test_a_share_of_1_is_the_same_as_saying_nothing() -> None:
    assert Pruning({"x": 1.0}) == Pruning() and hash(Pruning({"x": 1.0})) == hash(Pruning())
    assert Pruning({"x": 0.5}).share("x") == 0.5 and Pruning({"x": 0.5}).share("y") == 1.0


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, math.nan])
def test_a_share_outside_0_and_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"must be in \(0, 1\]"):
        Pruning({"x": share})


@pytest.mark.parametrize(
    ("share", "rows", "kept"), [(0.25, 10, 2), (0.5, 7, 3), (0.01, 5, 1), (0.7, 10, 7), (1.0, 9, 9)]
)
def test_kept_rows_are_the_floor_of_the_share_and_at_least_one(share: float, rows: int, kept: int) -> None:
    assert Pruning({"x": share}).rows("x", rows) == kept


def test_equal_recipes_are_found_again() -> None:
    def recipe() -> Recipe:
        return Recipe(Mixture.from_array(["x", "y"], np.array([1, 2])), Pruning({"x": 0.5}))

    assert {recipe(): "here"}[recipe()] == "here"
    assert recipe() != Recipe(recipe().mixture)


def test_a_recipe_survives_pickling() -> None:
    recipe = Recipe(Mixture({"x": 0.5, "y": 0.5}), Pruning({"x": 0.5}))
    assert pickle.loads(pickle.dumps(recipe)) == recipe
