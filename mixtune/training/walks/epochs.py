"""Epochs over part of a source's pairs, handed out in batches."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue as Json

from mixtune.training.prepared import Rows
from mixtune.training.walks.walk import Arrays, Taken

Plan: TypeAlias = Callable[[int, int], Taken]
"""(number of the epoch, position of the schedule) -> the pairs of that epoch in their order."""

_NOTHING = Taken(np.empty(0, dtype=np.int64))


class Epochs:
    """Hands out the pairs of one epoch after another.

    An epoch is planned when the first of its pairs is needed. A batch may run on into the next epoch; pairs that the
    batch must not hold beside those it has wait for the next one, and where nothing else is left the batch is smaller.
    The state is the number of epochs begun and what is left of the last one.

    Args:
        plan: plans an epoch; never empty.
        keys: shape (pairs of the source,); no batch holds two pairs of one key.
    """

    def __init__(self, plan: Plan, keys: Rows) -> None:
        self._plan = plan
        self._keys = keys
        self._begun = 0
        self._left = _NOTHING

    @property
    def completed(self) -> int:
        """Epochs whose last pair was handed out."""
        return self._begun - 1 if len(self._left.rows) else self._begun

    def take(self, size: int, position: int) -> Taken:
        """The next pairs, at most `size`, when the schedule stands at `position`."""
        taken, self._left = _part(self._left, slice(size)), _part(self._left, slice(size, None))
        missing = size - len(taken.rows)
        if not missing:
            return taken
        planned = self._plan(self._begun, position)
        self._begun += 1
        allowed = np.flatnonzero(~np.isin(self._keys[planned.rows], self._keys[taken.rows]))[:missing]
        later = np.ones(len(planned.rows), dtype=bool)
        later[allowed] = False
        self._left = _part(planned, later)
        more = _part(planned, allowed)
        return _joined(taken, more) if len(taken.rows) else more

    def state(self) -> dict[str, Json]:
        """Epochs begun."""
        return {"epochs": self._begun}

    def arrays(self) -> Arrays:
        """What is left of the last one."""
        left = {"left": self._left.rows}
        return left if self._left.weights is None else {**left, "left_weights": self._left.weights}

    def restore(self, state: Mapping[str, Json], arrays: Arrays) -> None:
        """Go on where others over the same pairs stood.

        Raises:
            ValueError: not a state of Epochs.
        """
        begun = state.get("epochs")
        if not isinstance(begun, int) or "left" not in arrays:
            raise ValueError(f"not a state of epochs: {dict(state)!r} with {', '.join(arrays) or 'no arrays'}")
        self._begun = begun
        self._left = Taken(arrays["left"], weights=arrays.get("left_weights"))


def _part(taken: Taken, which: slice | Rows | npt.NDArray[np.bool_]) -> Taken:
    weights = taken.weights
    return replace(taken, rows=taken.rows[which], weights=None if weights is None else weights[which])


def _joined(first: Taken, second: Taken) -> Taken:
    rows = np.concatenate([first.rows, second.rows])
    if first.weights is None or second.weights is None:
        return Taken(rows)
    return Taken(rows, weights=np.concatenate([first.weights, second.weights]))
