"""The box of a black-box searcher as a unit cube, for searchers that know nothing but numbers."""

import numpy as np
import numpy.typing as npt

from mixtune.recipe import FloatArray
from mixtune.searchers.blackbox import Point
from mixtune.searchers.keep import options
from mixtune.space import coordinate_bounds
from mixtune.study import Study


def dimensions(study: Study) -> int:
    """How many numbers a point of the cube has: the mapping's coordinates, then one per choice of a keep level."""
    return len(coordinate_bounds(study.space.mapping, len(study.names))) + len(options(study))


def point_in(study: Study, position: npt.ArrayLike) -> Point:
    """The point at a position of the cube, shape (dimensions,); options share their side in equal parts, in order."""
    place = np.clip(np.asarray(position, dtype=np.float64), 0.0, 1.0)
    bounds = coordinate_bounds(study.space.mapping, len(study.names))
    coordinates = tuple(low + (high - low) * float(x) for (low, high), x in zip(bounds, place, strict=False))
    sides = {name: float(x) for name, x in zip(options(study), place[len(bounds) :], strict=True)}
    levels = {
        name: levels[min(int(sides[name] * len(levels)), len(levels) - 1)] for name, levels in options(study).items()
    }
    return Point(coordinates, levels, sides)


def position_of(study: Study, point: Point) -> FloatArray:
    """Where a point lies in the cube, shape (dimensions,); a level that says no more lies in the middle of its part."""
    bounds = coordinate_bounds(study.space.mapping, len(study.names))
    place = [(x - low) / (high - low) for (low, high), x in zip(bounds, point.coordinates, strict=True)]
    for name, levels in options(study).items():
        place.append(point.sides.get(name, (levels.index(point.options[name]) + 0.5) / len(levels)))
    return np.clip(np.array(place, dtype=np.float64), 0.0, 1.0)
