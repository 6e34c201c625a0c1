"""The (positive, negative) pairs of each query, laid out so that one of them can be drawn evenly over its margins."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mixtune.training.prepared import Pairs, Rows
from mixtune.training.walks.walk import Taken


@dataclass(frozen=True, slots=True)
class PairChoice:
    """The pairs of each query, bin by bin.

    queries (q,) are group numbers. Query i has the bins first[i]:first[i + 1], bin b the pairs begin[b]:begin[b + 1]
    of rows and negatives. negatives is None where pairs are positives alone. scored says that margins are known,
    unbalanced counts the queries with fewer than two of them.
    """

    queries: Rows
    first: Rows
    begin: Rows
    rows: Rows
    negatives: Rows | None
    unbalanced: int
    scored: bool

    def draw(self, places: Rows, rng: np.random.Generator) -> Taken:
        """One pair of each of the queries at these places: a bin uniformly, then a pair uniformly inside it."""
        u = rng.random((2, len(places)))
        low, high = self.first[places], self.first[places + 1]
        bins = low + (u[0] * (high - low)).astype(np.int64)
        low, high = self.begin[bins], self.begin[bins + 1]
        pairs = low + (u[1] * (high - low)).astype(np.int64)
        return Taken(self.rows[pairs], None if self.negatives is None else self.negatives[pairs])

    def remarks(self, bins: int) -> tuple[str, ...]:
        """What a person should know who asked for so many bins."""
        if bins == 1:
            return ()
        if not self.scored:
            return ("margins are not balanced: it has no hard negatives with a teacher's scores",)
        if self.unbalanced:
            single = f"{self.unbalanced} of {len(self.queries)} queries have a single pair or none"
            return (f"{single} with a hard negative, so their margin is not balanced",)
        return ()


def choice_of(pairs: Pairs, rows: Rows, bins: int, *, negatives: bool) -> PairChoice:
    """Lay out the pairs of each query by margin.

    Args:
        pairs: the source.
        rows: the pairs of it that are used.
        bins: bins of the teacher's margin, 1 for none.
        negatives: whether pairs bring hard negatives at all.
    """
    negatives = negatives and bool(len(pairs.negatives))
    scored = negatives and bool(len(pairs.teacher))
    if negatives:
        counts = pairs.starts[rows + 1] - pairs.starts[rows]
        lonely = counts == 0
        if scored and bins > 1:
            # It has no margin, so it is a pair only where its query has no other.
            kept = ~lonely | ~np.isin(pairs.groups[rows], pairs.groups[rows[~lonely]])
            rows, counts, lonely = rows[kept], counts[kept], lonely[kept]
        every = np.repeat(rows, np.maximum(counts, 1))
        begin = np.cumsum(np.maximum(counts, 1)) - np.maximum(counts, 1)
        chosen = pairs.starts[every] + np.arange(len(every)) - np.repeat(begin, np.maximum(counts, 1))
        chosen[begin[lonely]] = -1
    else:
        every, chosen = rows, np.full(len(rows), -1, dtype=np.int64)
    queries, owners = np.unique(pairs.groups[every], return_inverse=True)
    places = np.zeros(len(every), dtype=np.int64)
    if scored and bins > 1:
        wrong = pairs.teacher[len(pairs.queries) + chosen].astype(np.float64)
        margins = pairs.teacher[every].astype(np.float64) - wrong
        places = margin_bins(np.where(chosen < 0, 0, margins), owners, bins)
    known = np.bincount(owners[chosen >= 0], minlength=len(queries))
    order = np.lexsort((places, owners))
    every, chosen, keys = every[order], chosen[order], (owners * bins + places)[order]
    begin = np.concatenate([[0], np.flatnonzero(np.diff(keys)) + 1]).astype(np.int64)
    held = np.bincount(keys[begin] // bins, minlength=len(queries))
    return PairChoice(
        queries=queries,
        first=np.concatenate([[0], np.cumsum(held)]).astype(np.int64),
        begin=np.append(begin, len(every)),
        rows=every,
        negatives=chosen if negatives else None,
        unbalanced=int((known < 2).sum()) if scored else len(queries),
        scored=scored,
    )


def margin_bins(margins: npt.ArrayLike, queries: Rows, bins: int) -> Rows:
    """Bin of each pair by its teacher margin, over the range of its query: shape (n,), from 0 to bins - 1.

    bin = min(bins - 1, floor(bins (m - min) / (max - min))); where all margins of a query are equal it is 0.

    Args:
        margins: teacher score of the positive minus that of the negative, shape (n,).
        queries: the query of each pair, from 0 on, shape (n,).
        bins: bins of equal width.
    """
    values = np.asarray(margins, dtype=np.float64)
    low, high = np.full(queries.max() + 1, np.inf), np.full(queries.max() + 1, -np.inf)
    np.minimum.at(low, queries, values)
    np.maximum.at(high, queries, values)
    width = (high - low)[queries]
    place = np.divide(bins * (values - low[queries]), width, out=np.zeros_like(values), where=width > 0)
    return np.asarray(np.minimum(bins - 1, np.floor(place)), dtype=np.int64)
