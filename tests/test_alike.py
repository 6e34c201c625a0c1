import numpy as np
import pytest

from mixtune.alike import APART, distance, one_each
from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe


def of(**weights: float) -> Recipe:
    return Recipe(Mixture(weights))


def test_distance_is_the_share_of_batches_that_would_have_to_move() -> None:
    assert distance(Mixture({"a": 0.7, "b": 0.3}), Mixture({"a": 0.5, "c": 0.5})) == pytest.approx(0.5)


def test_what_lies_nearer_than_noise_is_one_recipe_the_earliest() -> None:
    first, near, far = of(a=0.5, b=0.5), of(a=0.505, b=0.495), of(a=0.52, b=0.48)
    assert one_each([first, near, far, near]) == {first: first, near: first, far: far}


def test_the_earliest_that_stands_for_others_lie_apart() -> None:
    """A walk in small steps: each is near its neighbour, and only what is near an earlier one is taken for it."""
    walk = [of(a=0.5 + 0.004 * step, b=0.5 - 0.004 * step) for step in range(10)]
    kept = list(dict.fromkeys(one_each(walk).values()))
    assert kept == [walk[0], walk[3], walk[6], walk[9]]
    assert min(distance(x.mixture, y.mixture) for x in kept for y in kept if x is not y) >= APART


def test_other_pruning_is_another_recipe() -> None:
    plain = of(a=1.0)
    pruned = Recipe(plain.mixture, Pruning({"a": 0.5}))
    assert one_each([plain, pruned]) == {plain: plain, pruned: pruned}


def test_thousands_of_recipes_take_a_moment() -> None:
    rng = np.random.default_rng(0)
    names = [f"s{place}" for place in range(20)]
    recipes = [Recipe(Mixture.from_array(names, row)) for row in rng.dirichlet(np.ones(20), 2000)]
    assert len({*one_each(recipes).values()}) == 2000


def test_nothing_of_nothing() -> None:
    assert one_each([]) == {}
