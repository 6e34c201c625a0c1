"""Ranks of values, for rank correlations."""

import numpy as np

from mixtune.recipe import FloatArray


def ranks(values: FloatArray) -> FloatArray:
    """Ranks around 0 of values of shape (n,); equal values share their mean rank."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[where] - (len(values) + 1) / 2)


def spearman(first: FloatArray, second: FloatArray) -> float | None:
    """Spearman's rank correlation of two arrays of shape (n,), None where one of them never changes."""
    x, y = ranks(first), ranks(second)
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / spread if spread > 0 else None
