"""The recipes that a study may visit: bounds on weights, and the mapping from a box of coordinates to the simplex."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from mixtune.batching import Batching
from mixtune.pruning import Schedule
from mixtune.recipe import FloatArray


class SimplexMapping(StrEnum):
    """How a black-box searcher's box of coordinates becomes weights. Part of the study, the same for all searchers."""

    SOFTMAX = "softmax"
    """K coordinates in [-4, 4]; best where the optimum is sparse."""
    LOG = "-log"
    """K coordinates u in (0, 1), weights proportional to -log(u): uniform coordinates are uniform on the simplex."""
    STICK = "stick-breaking"
    """K - 1 coordinates in (0, 1), each the share broken off what is left, spread so that uniform stays uniform."""


@dataclass(frozen=True, slots=True)
class Space:
    """What a study may visit.

    floor and cap bound a source's weight; a source not named has the default floor min(1e-3, 0.1 / M), applied by
    mixing when batches are drawn, and no cap. at_most allows that many sources with any weight at all, must_include
    always among them. max_epochs caps each source so that the final budget repeats no row more often. levels are the
    static keep levels to choose from per source, shared_levels one level chosen for all sources (static pruning of
    OPERA). keep_least is the number of pairs below which no level prunes a source. schedule and batching hold for every
    recipe, but for what choices leaves open: name -> values to choose between, by the names in CHOICES. Of each the
    first value is what baselines and searchers without a say in it use.
    """

    mapping: SimplexMapping = SimplexMapping.SOFTMAX
    floor: Mapping[str, float] = field(default_factory=dict)
    cap: Mapping[str, float] = field(default_factory=dict)
    must_include: tuple[str, ...] = ()
    at_most: int | None = None
    max_epochs: float | None = None
    levels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    shared_levels: tuple[float, ...] = ()
    keep_least: int = 1
    schedule: Schedule | None = None
    batching: Batching = field(default_factory=Batching)
    choices: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def schedule_at(self, chosen: Mapping[str, float]) -> Schedule | None:
        """The pruning schedule at values of open choices, of one that is not named the first; None where it is off.

        There is none without a schedule of the space, or where `dynamic` is 0.
        """
        picked = self._picked(chosen)
        if self.schedule is None or picked.get("dynamic", 1.0) == 0:
            return None
        return replace(
            self.schedule,
            query_end=picked.get("query_end", self.schedule.query_end),
            cutoff_end=picked.get("cutoff_end", self.schedule.cutoff_end),
            strength=picked.get("strength", self.schedule.strength),
        )

    def batching_at(self, chosen: Mapping[str, float]) -> Batching:
        """The composition of batches at values of open choices, of one that is not named the first."""
        picked = self._picked(chosen)
        return replace(
            self.batching,
            topics=int(picked.get("topics", self.batching.topics)),
            margin_bins=int(picked.get("margin_bins", self.batching.margin_bins)),
        )

    def _picked(self, chosen: Mapping[str, float]) -> dict[str, float]:
        return {name: chosen.get(name, values[0]) for name, values in self.choices.items()}


CHOICES = ("query_end", "cutoff_end", "strength", "dynamic", "topics", "margin_bins")
"""What a space may leave open besides weights and keep levels: fields of Schedule and of Batching, and `dynamic`.

`dynamic` is 1 where the space's schedule is on and 0 where it is off.
"""

OF_SCHEDULE = ("query_end", "cutoff_end", "strength")
"""Choices that mean nothing where the schedule is off."""

SOFTMAX_SPAN = 4.0


def coordinate_bounds(mapping: SimplexMapping, sources: int) -> list[tuple[float, float]]:
    """Lowest and highest value of each coordinate of a mapping over that many sources."""
    if mapping is SimplexMapping.SOFTMAX:
        return [(-SOFTMAX_SPAN, SOFTMAX_SPAN)] * sources
    if mapping is SimplexMapping.LOG:
        return [(0.0, 1.0)] * sources
    return [(0.0, 1.0)] * (sources - 1)


def weights_at(mapping: SimplexMapping, coordinates: Sequence[float], sources: int) -> FloatArray:
    """Weights of shape (sources,), summing to 1, at a point of the box of coordinate_bounds."""
    point = np.asarray(coordinates, dtype=np.float64)
    if mapping is SimplexMapping.SOFTMAX:
        shifted = np.exp(point - point.max())
        return np.asarray(shifted / shifted.sum())
    if mapping is SimplexMapping.LOG:
        shares = -np.log(np.clip(point, 1e-12, 1 - 1e-12))
        return np.asarray(shares / shares.sum())
    left, weights = 1.0, np.empty(sources)
    for index, u in enumerate(np.clip(point, 0.0, 1 - 1e-12)):
        broken = 1 - (1 - u) ** (1 / (sources - 1 - index))
        weights[index] = left * broken
        left *= 1 - broken
    weights[-1] = left
    return weights


def coordinates_of(mapping: SimplexMapping, weights: npt.ArrayLike) -> list[float]:
    """A point of the box whose weights are nearest to the given ones, for enqueuing a known mixture.

    For `softmax` exact while no weight is more than exp(8) times another, for `-log` while the largest is below
    10 ** 12 times the smallest. `stick-breaking` is exact for a few dozen sources; among M of them no share above
    27.6 / M can be broken off early, since its coordinate is too near to 1 to be told from it.
    """
    w = np.asarray(weights, dtype=np.float64)
    if mapping is SimplexMapping.SOFTMAX:
        logs = np.log(np.maximum(w, 1e-12))
        centre = (logs.max() + max(logs.min(), logs.max() - 2 * SOFTMAX_SPAN)) / 2
        return [float(x) for x in np.clip(logs - centre, -SOFTMAX_SPAN, SOFTMAX_SPAN)]
    if mapping is SimplexMapping.LOG:
        return [float(x) for x in np.exp(-w * min(len(w), 27.0 / w.max()))]
    left, point = 1.0, []
    for index, weight in enumerate(w[:-1]):
        broken = min(1.0, weight / left) if left > 0 else 0.0
        point.append(float(1 - (1 - broken) ** (len(w) - 1 - index)))
        left -= weight
    return point


def moved(mapping: SimplexMapping, coordinates: Sequence[float], ratios: npt.ArrayLike) -> list[float]:
    """The point of the box whose weights are those at `coordinates` times ratios, scaled to sum 1.

    Of the points with these weights it is the one nearest in kind to the given one: `softmax` coordinates move by
    log(ratio), `-log` ones are raised to that power, so that equal ratios move nothing. Held inside the box.

    Args:
        mapping: the mapping.
        coordinates: a point of its box.
        ratios: one positive number per source, shape (M,).
    """
    r, point = np.asarray(ratios, dtype=np.float64), np.asarray(coordinates, dtype=np.float64)
    if mapping is SimplexMapping.SOFTMAX:
        return [float(x) for x in np.clip(point + np.log(r), -SOFTMAX_SPAN, SOFTMAX_SPAN)]
    if mapping is SimplexMapping.LOG:
        return [float(x) for x in np.clip(point, 1e-12, 1 - 1e-12) ** r]
    weights = weights_at(mapping, coordinates, len(r)) * r
    return coordinates_of(mapping, weights / weights.sum())


def default_floor(sources: int) -> float:
    """Floor of a source about which the study says nothing: min(1e-3, 0.1 / sources)."""
    return min(1e-3, 0.1 / sources)


def support(weights: npt.ArrayLike, high: npt.ArrayLike, size: int, must: Sequence[int] = ()) -> list[int]:
    """Positions of the at most `size` sources that may have weight: `must`, then the heaviest whose caps leave room.

    A source is passed over if, with it, no choice of the others could fill the mixture up to 1.

    Raises:
        ValueError: the caps of no such choice sum to 1.
    """
    w, caps = np.asarray(weights, dtype=np.float64), np.asarray(high, dtype=np.float64)
    chosen: list[int] = []
    for index in sorted(range(len(w)), key=lambda i: (i not in must, -w[i], i)):
        if len(chosen) == size:
            break
        taken = [*chosen, index]
        spare = np.sort(np.delete(caps, taken))[::-1][: size - len(taken)]
        if index in must or caps[taken].sum() + spare.sum() >= 1 - 1e-9:
            chosen = taken
    if caps[chosen].sum() < 1 - 1e-9:
        most = float(np.sort(caps)[::-1][:size].sum())
        raise ValueError(
            f"no mixture fits: the caps of {size} sources sum to {most:.4g} at most; allow more, or raise caps"
        )
    return chosen


def fit(weights: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike) -> FloatArray:
    """Scale weights into their bounds: clip(c * w, low, high) with the c that makes the sum 1.

    Ratios between sources that touch no bound are kept. All arrays have shape (M,).

    Raises:
        ValueError: the bounds leave no mixture (sum of low above 1, or of high below 1).
    """
    w, lo, hi = (np.asarray(x, dtype=np.float64) for x in (weights, low, high))
    if lo.sum() > 1 + 1e-9 or hi.sum() < 1 - 1e-9:
        raise ValueError(f"no mixture fits: the floors sum to {lo.sum():.4g} and the caps to {hi.sum():.4g}")
    w = np.maximum(w, 1e-12)
    below, above = 0.0, 1.0
    while np.clip(above * w, lo, hi).sum() < 1 - 1e-12 and above < 1e15:
        above *= 2
    for _ in range(200):
        middle = (below + above) / 2
        below, above = (middle, above) if np.clip(middle * w, lo, hi).sum() < 1 else (below, middle)
    fitted = np.clip(above * w, lo, hi)
    return np.asarray(fitted / fitted.sum())
