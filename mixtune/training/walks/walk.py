"""How the pairs of one source are gone through: the seam between the draw of sources and what a batch is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy.typing as npt
from pydantic import JsonValue as Json

from mixtune.sampler import RecipeDraw
from mixtune.training.prepared import Floats, Rows

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Taken:
    """Pairs of one source for a batch.

    rows (n,) are pair numbers. negatives (n,) are places in Pairs.negatives, the one hard negative that each pair
    brings (-1: none), or None where the step chooses. weights (n,) multiply the pairs' losses, None for 1; unlike a
    source's own row weights they do not enter the mean's denominator, so that a loss of weight 2 counts twice whatever
    else is in the batch.
    """

    rows: Rows
    negatives: Rows | None = None
    weights: Floats | None = None


class Walk(Protocol):
    """Goes through the pairs of one source for ever. Equal seeds, states and answers give equal walks.

    completed counts the epochs that were ended and pruned the pairs left out of the present one, None and 0 where a
    walk prunes nothing.
    """

    @property
    def completed(self) -> int | None:
        """Epochs ended."""
        ...

    @property
    def pruned(self) -> int:
        """Pairs that the present epoch leaves out."""
        ...

    def take(self, size: int, position: int) -> Taken:
        """The next pairs, at most `size`, when the run's schedule stands at `position`."""
        ...

    def learn(self, taken: Taken, similarity: Floats, losses: Floats) -> None:
        """Hear what an ordinary step on taken pairs showed: cosine of each pair and its loss, shape (n,)."""
        ...

    def renew(self, similarity: Floats) -> None:
        """Take present cosines of all pairs that the walk goes over, in the order of their numbers, shape (n,)."""
        ...

    def state(self) -> dict[str, Json]:
        """Where the walk stands, in a few numbers."""
        ...

    def arrays(self) -> Arrays:
        """The part of the state that is as long as the source."""
        ...

    def restore(self, state: Mapping[str, Json], arrays: Arrays) -> None:
        """Go on where another walk over the same pairs stood."""
        ...


class ShuffledWalk:
    """All pairs in a fresh random order per pass: the walk of RecipeDraw, whose state is its state."""

    completed: int | None = None
    pruned: int = 0

    def __init__(self, draw: RecipeDraw, source: str) -> None:
        self._draw = draw
        self._source = source

    def take(self, size: int, position: int) -> Taken:
        """The next pairs of the pass."""
        return Taken(self._draw.walk(self._source, size))

    def learn(self, taken: Taken, similarity: Floats, losses: Floats) -> None:
        """Nothing is learnt."""

    def renew(self, similarity: Floats) -> None:
        """Nothing is kept of it."""

    def state(self) -> dict[str, Json]:
        """Nothing: it is the draw's."""
        return {}

    def arrays(self) -> Arrays:
        """Nothing."""
        return {}

    def restore(self, state: Mapping[str, Json], arrays: Arrays) -> None:
        """Nothing to restore."""
