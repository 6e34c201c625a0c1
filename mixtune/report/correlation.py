"""Spearman's rank correlation with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from mixtune.ranks import ranks
from mixtune.recipe import FloatArray
from mixtune.report.intervals import LEVEL

FEWEST = 5
"""Pairs below which nothing is said."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """A rank correlation with its 95 % interval."""

    value: float
    low: float
    high: float


def correlation(first: Sequence[FloatArray], second: Sequence[FloatArray]) -> Correlation | None:
    """Rank correlation of the columns of `first` with those of `second`, each of shape (n,), over the same n things.

    Several columns (targets) are ranked one by one, then put together; the interval counts things, not things times
    columns, since the columns of one thing share its fortune. None where n is below FEWEST, or one side never changes.

    The interval is Fisher's, with the variance (1 + r ** 2 / 2) / (n - 3) of Bonett and Wright (2000); a perfect
    agreement counts as half a swap of neighbours less, or its interval would be a point.
    """
    x, y = (np.concatenate([ranks(column) for column in columns]) for columns in (first, second))
    n, spread = len(first[0]), float(np.sqrt((x @ x) * (y @ y)))
    if n < FEWEST or spread == 0:
        return None
    value = float(np.clip(x @ y / spread, -1, 1))
    most = 1 - 6 / (n * (n**2 - 1))
    inner = float(np.clip(value, -most, most))
    half = float(ndtri((1 + LEVEL) / 2)) * np.sqrt((1 + inner**2 / 2) / (n - 3))
    low, high = np.tanh(np.arctanh(inner) - half), np.tanh(np.arctanh(inner) + half)
    return Correlation(value, min(float(low), value), max(float(high), value))


def correlation_cells(found: Correlation | None) -> tuple[str, str]:
    """A correlation and its interval as two cells."""
    return ("-", "-") if found is None else (f"{found.value:+.2f}", f"[{found.low:+.2f}, {found.high:+.2f}]")
