"""A few recipes of a study that lie far from each other."""

from collections.abc import Iterator

import numpy as np

from mixtune.alike import APART, distance
from mixtune.errors import ConfigError
from mixtune.recipe import Recipe
from mixtune.report.correlation import FEWEST
from mixtune.searchers.baselines import baseline_recipes
from mixtune.searchers.listed import Entry
from mixtune.study import Study

HEAVY = 0.7
"""Weight of the one source of a corner (ours); the others share the rest in proportion to size."""

DRAWN = 128
"""Dirichlet points to choose from, half of them flat and half of them sparse (ours)."""

SPARSE = 0.3

_SEED = 0x73707265


def spread_recipes(study: Study, best: Recipe, count: int) -> tuple[Entry, ...]:
    """So many recipes: uniform, proportional, expert weights where given, the best one, then the farthest from these.

    The farthest are taken in turn from the corners of the simplex (one source at HEAVY) and from seeded Dirichlet
    points, each time the one whose nearest recipe taken so far is the farthest in total variation. Corners and points
    are brought into the study's space, as every proposal is, with the best recipe's pruning and batching. They differ
    more than the recipes between which a search decides at its end (ours, all of it).

    Raises:
        ConfigError: fewer than FEWEST recipes are asked for, or the space holds no so many.
    """
    if count < FEWEST:
        raise ConfigError(f"{count} recipes say nothing of a rank correlation: ask for at least {FEWEST}")
    entries: dict[str, Recipe] = {}
    for label, recipe in (("tuned", best), *baseline_recipes(study).items()):
        if _nearest(recipe, list(entries.values())) >= APART:
            entries[label] = recipe
    pools = [dict(_corners(study, best)), dict(_points(study, best))]
    while len(entries) < count:
        taken = list(entries.values())
        pool = pools[len(entries) % 2] or pools[1 - len(entries) % 2]
        far = {label: _nearest(recipe, taken) for label, recipe in pool.items()}
        farthest = max(far, key=lambda label: far[label], default=None)
        if farthest is not None and far[farthest] >= APART:
            entries[farthest] = pool.pop(farthest)
        elif pool:
            pool.clear()
        else:
            raise ConfigError(
                f"the space of study {study.name!r} holds {len(entries)} recipes that lie apart, {count} are asked "
                f"for: ask for fewer (at least {FEWEST}), or widen its bounds"
            )
    return tuple(Entry(label, recipe) for label, recipe in entries.items())


def _corners(study: Study, best: Recipe) -> Iterator[tuple[str, Recipe]]:
    proportional = study.proportional()
    for name in study.names:
        others = 1 - proportional[name]
        weights = {each: (1 - HEAVY) * share / max(others, 1e-12) for each, share in proportional.items()}
        weights[name] = HEAVY
        yield f"mostly {name}", study.recipe(weights, best.pruning, best.batching)


def _points(study: Study, best: Recipe) -> Iterator[tuple[str, Recipe]]:
    rng, size = np.random.default_rng([study.seed, _SEED]), len(study.names)
    for number in range(DRAWN):
        weights = rng.dirichlet(np.full(size, 1.0 if number % 2 else SPARSE))
        mixture = dict(zip(study.names, weights.tolist(), strict=True))
        yield f"random {number}", study.recipe(mixture, best.pruning, best.batching)


def _nearest(recipe: Recipe, others: list[Recipe]) -> float:
    """Total variation to the nearest of the others, 1 where there is none."""
    return min((distance(recipe.mixture, other.mixture) for other in others), default=1.0)
