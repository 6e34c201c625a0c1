"""Very many recipes of a study at once, as rows of numbers: what a fitted model is asked about."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mixtune.recipe import FloatArray, Recipe
from mixtune.searchers.dirichlet import STRENGTHS, Around
from mixtune.searchers.keep import options
from mixtune.study import Study

CANDIDATES = 100_000
"""Mixtures that are drawn (paper)."""

_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Candidates:
    """weights (n, M) within the study's bounds, chosen (n, O) positions of values among each of the open options."""

    weights: npt.NDArray[np.float32]
    chosen: npt.NDArray[np.int64]


def features_of(study: Study, recipe: Recipe, chosen: Mapping[str, float]) -> FloatArray:
    """What a model sees of a recipe, shape (M + O,): the weights, then each open option from 0 (least) to 1 (most)."""
    scaled = [(chosen[name] - min(values)) / (max(values) - min(values)) for name, values in options(study).items()]
    return np.array([*recipe.mixture.array(study.names), *scaled])


def candidate_features(study: Study, candidates: Candidates) -> npt.NDArray[np.float32]:
    """What a model sees of candidates, shape (n, M + O)."""
    columns = [candidates.weights]
    for values, chosen in zip(options(study).values(), candidates.chosen.T, strict=True):
        scaled = (np.array(values) - min(values)) / (max(values) - min(values))
        columns.append(scaled[chosen][:, None].astype(np.float32))
    return np.concatenate(columns, axis=1)


def draw_candidates(study: Study, prior: FloatArray, rng: np.random.Generator) -> Iterator[Candidates]:
    """Draw CANDIDATES mixtures as the runs were drawn, with random options, and leave out the rejected ones.

    They come in parts, one for each strength. They are brought into the bounds that hold with nothing pruned, which is
    exact but for max_epochs beside open keep levels, and lack the default floor: the proposal made of them is brought
    into the space as any other.
    """
    around, sizes = Around(prior), [len(values) for values in options(study).values()]
    for strength in STRENGTHS.tolist():
        drawn = around.draw(rng, strength, CANDIDATES // len(STRENGTHS))
        yield Candidates(into_space(study, drawn.astype(np.float32)), rng.integers(0, sizes, (len(drawn), len(sizes))))


def into_space(study: Study, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Study.recipe for many mixtures (n, M) at once: nearly, since bounds are met in a few rounds."""
    low, high = (bound.astype(np.float32) for bound in study.bounds())
    low = low if study.space.floor else 0 * low
    low = np.broadcast_to(low, weights.shape)
    high = np.broadcast_to(high, weights.shape)
    most = study.space.at_most
    if most is not None and most < len(study.names):
        floored = [name for name, floor in study.space.floor.items() if floor > 0]
        wanted = np.isin(study.names, [*study.space.must_include, *floored])
        dropped = np.argpartition(weights + wanted, -most, axis=1)[:, :-most]
        left = np.ones(weights.shape, dtype=np.float32)
        np.put_along_axis(left, dropped, 0, axis=1)
        weights, low, high = weights * left, low * left, high * left
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    if study.space.floor or (high < 1).any():
        weights = _fitted(np.maximum(weights, 1e-12), low, high)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _fitted(
    weights: npt.NDArray[np.float32], low: npt.NDArray[np.float32], high: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Scale each row between its bounds: clip(c * w, low, high) with c found by what is left to the unbound ones."""
    scale = np.ones((len(weights), 1), dtype=np.float32)
    for _ in range(_ROUNDS):
        at = scale * weights
        free = (at > low) & (at < high)
        bound = np.where(free, 0, np.clip(at, low, high)).sum(axis=1, keepdims=True)
        unbound = np.where(free, weights, 0).sum(axis=1, keepdims=True)
        scale = np.where(unbound > 0, np.maximum(1 - bound, 1e-6) / np.maximum(unbound, 1e-30), scale * 2)
    return np.asarray(np.clip(scale * weights, low, high))
