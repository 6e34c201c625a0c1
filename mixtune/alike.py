"""Recipes that no run tells apart: they count as one where runs of a recipe are counted."""

from collections.abc import Iterable

import numpy as np

from mixtune.batching import Batching
from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe

APART = 0.01
"""Total variation from which on two mixtures count as different ones: noise would rank what is nearer (ours)."""


def distance(first: Mixture, second: Mixture) -> float:
    """Total variation: the share of the batches that would have to move."""
    names = sorted({*first, *second})
    return float(np.abs(first.array(names) - second.array(names)).sum()) / 2


def one_each(recipes: Iterable[Recipe]) -> dict[Recipe, Recipe]:
    """Each recipe -> the first one with equal pruning and batching whose mixture lies nearer than APART, or itself.

    Taken in turn, so what stands for others is the earliest, and lies at least APART from all that came before it.
    """
    distinct = list(dict.fromkeys(recipes))
    names = sorted({name for recipe in distinct for name in recipe.mixture})
    weights = np.array([recipe.mixture.array(names) for recipe in distinct])
    found: dict[Recipe, Recipe] = {}
    taken: dict[tuple[Pruning, Batching], list[int]] = {}
    for place, recipe in enumerate(distinct):
        held = taken.setdefault((recipe.pruning, recipe.batching), [])
        apart = np.abs(weights[held] - weights[place]).sum(axis=1) / 2
        if held and apart.min() < APART - 1e-9:
            found[recipe] = distinct[held[int(apart.argmin())]]
        else:
            found[recipe] = recipe
            held.append(place)
    return found
