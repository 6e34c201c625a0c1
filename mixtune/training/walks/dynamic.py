"""OPERA's dynamic pruning of one source: fewer queries and likelier pairs as the run goes on."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue as Json

from mixtune.pruning import Schedule
from mixtune.recipe import FloatArray
from mixtune.training.prepared import Floats, Pairs, Rows
from mixtune.training.walks.epochs import Epochs
from mixtune.training.walks.walk import Arrays, Taken

KEPT_AT_START = 0.25
"""Share of the queries that every epoch keeps at the start, the best ones (r0 of arXiv 2603.17205)."""

QUERY_STRENGTH = 2.0
"""One in so many of the other queries is used at the start (x0 of the paper)."""

CUTOFF_AT_START = 0.25
"""Share of a source's pairs that count as high at the start (c0 of the paper)."""


class DynamicWalk:
    """OPERA's two-stage dynamic pruning (arXiv 2603.17205), inside one source.

    Each pair has a stored cosine, at first the base model's; an ordinary step renews those of its pairs, at once. An
    epoch uses n0 = 0.625 n of the n queries: always the best by the mean stored cosine of their pairs, 0.25 n of them
    at the start and 0.531 n at the end, and of the others so many that n0 are used. Each gives one pair, a high one
    `strength` times as likely as another; high are the pairs strictly above the quantile 1 - c of all stored cosines
    of the source. The query strength x and c move along a cosine from the start of the run to its end, and are read
    when an epoch starts. Losses are not rescaled. With one pair a query, only the queries are pruned.

    Ties are broken at random by the seed, and a cosine that is not a number ranks lowest (a query with such a pair
    too). Numbers of queries are rounded to the nearest, halves to even. The paper's: all defaults of Schedule, and the
    numbers above. Ours: n0 is at least min(batch size, n), and never below `least` (a guard for rare sources); the
    optional refresh of all stored cosines; that a batch may run on into the next epoch, where a query that it holds
    already waits for the batch after; that pairs are chosen when an epoch starts, so that a refresh counts from the
    next one on.

    Args:
        pairs: the source.
        rows: the pair numbers that static pruning keeps, shape (n,), at least one.
        schedule: how the pruning changes.
        batch_size: pairs of a batch.
        seed: numbers that no other walk of the run has.
        horizon: optimiser steps that the schedule spans (T); it stays at its end afterwards.
        least: queries that an epoch uses at least, where there are so many.
    """

    def __init__(
        self,
        pairs: Pairs,
        rows: Rows,
        schedule: Schedule,
        *,
        batch_size: int,
        seed: Sequence[int],
        horizon: int,
        least: int = 1,
    ) -> None:
        self._pairs = pairs
        self._rows = rows
        self._schedule = schedule
        self._seed = tuple(seed)
        self._horizon = max(1, horizon)
        self._fewest = max(batch_size, least)
        self._scores: Floats = pairs.similarity
        self._own = False
        self._epochs = Epochs(self._plan, pairs.groups)

    @property
    def completed(self) -> int:
        """Epochs whose last pair was taken."""
        return self._epochs.completed

    @property
    def pruned(self) -> int:
        """Pairs that an epoch leaves out: all but one of each query that it uses."""
        return len(self._rows) - self.used

    @property
    def queries(self) -> int:
        """Queries with a pair (n)."""
        return len(self._by_query[1])

    @property
    def used(self) -> int:
        """Queries that every epoch uses (n0)."""
        share = KEPT_AT_START + (1 - KEPT_AT_START) / QUERY_STRENGTH
        return max(min(self._fewest, self.queries), round(share * self.queries))

    @cached_property
    def _by_query(self) -> tuple[Rows, Rows]:
        """The pair numbers with those of a query side by side, and where each query starts among them."""
        groups = self._pairs.groups[self._rows]
        order = np.argsort(groups, kind="stable")
        starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order[:1]] - 1))
        return self._rows[order], starts

    def take(self, size: int, position: int) -> Taken:
        """The next pairs of the epoch, each of another query."""
        return self._epochs.take(min(size, self.used), position)

    def learn(self, taken: Taken, similarity: Floats, losses: Floats) -> None:
        """Store the present cosines of taken pairs."""
        self._stored()[taken.rows] = similarity

    def renew(self, similarity: Floats) -> None:
        """Store the present cosines of all pairs; the epoch under way was chosen by the old ones."""
        self._stored()[self._rows] = similarity

    def memory(self) -> Floats:
        """Stored cosine of every pair of the source."""
        return self._scores

    def adopt(self, memory: Floats) -> None:
        """Start from the cosines that another walk over the source has stored."""
        self._scores, self._own = memory, False

    def _stored(self) -> Floats:
        if not self._own:
            self._scores, self._own = np.array(self._scores, dtype=np.float32), True
        return self._scores

    def state(self) -> dict[str, Json]:
        """Epochs begun."""
        return self._epochs.state()

    def arrays(self) -> Arrays:
        """Stored cosines where they are no longer the base model's, and what is left of the epoch."""
        scores = {"memory": self._scores[self._rows]} if self._own else {}
        return {**self._epochs.arrays(), **scores}

    def restore(self, state: Mapping[str, Json], arrays: Arrays) -> None:
        """Go on where another walk over the same rows stood."""
        self._epochs.restore(state, arrays)
        if "memory" in arrays:
            self.renew(arrays["memory"])

    def _plan(self, epoch: int, position: int) -> Taken:
        rng = np.random.default_rng([*self._seed, epoch, position])
        progress = position / self._horizon
        rows, starts = self._by_query
        stored = self._scores[rows].astype(np.float64)
        scores = np.where(np.isnan(stored), -np.inf, stored)
        counts = np.diff(starts, append=len(rows))
        means = np.add.reduceat(scores, starts) / counts
        used = chosen_queries(means, self.used, cosine(QUERY_STRENGTH, self._schedule.query_end, progress), rng)
        cutoff = quantile(scores, 1 - cosine(CUTOFF_AT_START, self._schedule.cutoff_end, progress))
        likely = np.cumsum(np.where(scores > cutoff, self._schedule.strength, 1.0))
        edges = np.concatenate([[0.0], likely])
        low, high = edges[starts[used]], edges[starts[used] + counts[used]]
        drawn = np.searchsorted(likely, low + rng.random(len(used)) * (high - low), side="right")
        return Taken(rows[np.minimum(drawn, starts[used] + counts[used] - 1)])


def cosine(start: float, end: float, progress: float) -> float:
    """c(t) = end + (start - end) / 2 * (1 + cos(pi t / T)), with t / T held in [0, 1] (arXiv 2603.17205)."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))


def kept_share(queries: int, used: int, strength: float) -> float:
    """Share r of n queries that an epoch of n0 keeps whatever happens: of the others one in `strength` is used.

    r = clip((x n0 - n) / (n (x - 1)), 0, n0 / n), which solves r n + (1 - r) n / x = n0 (arXiv 2603.17205).
    """
    solved = (strength * used - queries) / (queries * (strength - 1))
    return min(max(solved, 0.0), used / queries)


def chosen_queries(means: FloatArray, used: int, strength: float, rng: np.random.Generator) -> Rows:
    """Queries of an epoch in random order, shape (used,): the best r n by their means, the rest from the others.

    means (n,) has -inf for queries that rank lowest; ties are broken by rng, and the others are drawn uniformly
    without replacement.
    """
    best = min(round(kept_share(len(means), used, strength) * len(means)), used)
    ranked = np.lexsort((rng.random(len(means)), -means))
    others = rng.choice(ranked[best:], used - best, replace=False)
    return rng.permutation(np.concatenate([ranked[:best], others]))


def quantile(values: npt.ArrayLike, share: float) -> float:
    """The linear quantile of values (n,), of which some may be -inf: between one of them and a number it is -inf."""
    ranked = np.sort(np.asarray(values, dtype=np.float64))
    place = share * (len(ranked) - 1)
    below = min(int(place), len(ranked) - 1)
    part = place - below
    low, high = float(ranked[below]), float(ranked[min(below + 1, len(ranked) - 1)])
    return low if not part or low == high or low == -math.inf else low + part * (high - low)
