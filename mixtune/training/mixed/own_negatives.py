"""Own negatives of training pairs: hard negatives where they have them, other documents of their source where not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mixtune.training.prepared import Pairs, Rows
from mixtune.training.step import step_of
from mixtune.training.walks.walk import Taken

_DRAWN = 0x6F776E6E
"""Part of the seed of drawn negatives."""

_SPARE = 4
"""Documents looked at beyond those needed, since some are positives."""

_Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Told:
    """What n pairs are told from: rows of the feature table, shape (n, most), -1 where there is nothing more.

    drawn (n,) counts, of each pair, the entries that are no hard negatives of it but other documents of its source.
    """

    documents: Rows
    drawn: Rows


class OwnNegatives:
    """Up to `most` negatives for each pair of a source, its own and nobody else's.

    Hard negatives of the pair come first; of more than `most` as many are taken as a step takes (see step_of). The
    rest are distinct documents of the source, none of them a positive of the pair's query: a walk through all of them
    from a start and with a stride that (seed, place, pair number) decide, so that a pair is always told from the same
    ones. A hard negative that is a positive of the query by another pair is left out. A source with too few documents
    gives fewer.

    Args:
        sources: the study's usable sources, in its order; one is looked into when it is first drawn.
        most: negatives per pair.
        seed: of the study: equal for all runs whose losses are compared.
    """

    def __init__(self, sources: Sequence[Pairs], most: int, *, seed: int) -> None:
        self._sources = sources
        self._most = most
        self._seed = seed
        self._held: dict[int, _Documents] = {}

    def of(self, taken: Mapping[int, Taken], seed: int, position: int) -> Told:
        """Negatives of the pairs taken in a step, source by source in the order given.

        Args:
            taken: by the source's place in the study.
            seed: of the run.
            position: steps that the schedule has advanced.
        """
        for place in taken:
            if place not in self._held:
                self._held[place] = _Documents(self._sources[place], self._seed, place)
        found = np.concatenate([self._given(place, some, seed, position) for place, some in taken.items()])
        given = (found >= 0).sum(axis=1)
        if (given < self._most).any():
            places = np.repeat(list(taken), [len(some.rows) for some in taken.values()])
            self._fill(found, places, np.concatenate([some.rows for some in taken.values()]))
        return Told(found, (found >= 0).sum(axis=1) - given)

    def _given(self, place: int, taken: Taken, seed: int, position: int) -> Rows:
        """Hard negatives of pairs of one source, shape (n, most)."""
        pairs, found = self._sources[place], np.full((len(taken.rows), self._most), -1, dtype=np.int64)
        if not pairs.negatives.size:
            return found
        step = step_of(pairs, taken, self._most, seed, position)
        owners, given = step.owners, pairs.negatives[step.negatives]
        right = ~self._held[place].positive(taken.rows[owners], given)
        owners, given = owners[right], given[right]
        counts = np.bincount(owners, minlength=len(found))
        found[owners, np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)] = given
        return found

    def _fill(self, found: Rows, places: Rows, rows: Rows) -> None:
        """Draw what is missing, in place.

        Args:
            found: shape (n, most), what is there on the left.
            places: source of each pair, shape (n,).
            rows: number of each pair in its source, shape (n,).
        """
        keys = np.array([self._held[place].key for place in places.tolist()])
        size = np.array([len(self._held[place].rows) for place in places.tolist()])
        words = (_scattered(rows.astype(np.uint64)[:, None] ^ keys) % size.astype(np.uint64)[:, None]).astype(np.int64)
        start, stride = words[:, 0], 1 + words[:, 1]
        while (shared := np.gcd(stride, size) > 1).any():  # a stride prime to the size visits every document
            stride[shared] += 1
        counts, first = (found >= 0).sum(axis=1), 0
        while len(wanting := np.flatnonzero((counts < self._most) & (size > first))):
            steps = np.arange(first, first + self._most + _SPARE)
            at = (start[wanting, None] + stride[wanting, None] * steps) % size[wanting, None]
            candidates, wrong = np.empty_like(at), np.empty(at.shape, dtype=bool)
            for place in dict.fromkeys(places[wanting].tolist()):
                own, held = places[wanting] == place, self._held[place]
                candidates[own] = held.rows[at[own]]
                wrong[own] = held.positive(rows[wanting][own][:, None], candidates[own])
            wrong |= steps >= size[wanting, None]
            wrong |= (candidates[:, :, None] == found[wanting][:, None, :]).any(axis=2)
            rank = np.cumsum(~wrong, axis=1)
            pair, column = np.nonzero(~wrong & (rank <= self._most - counts[wanting, None]))
            found[wanting[pair], counts[wanting[pair]] + rank[pair, column] - 1] = candidates[pair, column]
            counts, first = (found >= 0).sum(axis=1), first + len(steps)


class _Documents:
    """The distinct documents of a source, which of them are positives of which query, and the key of its draws."""

    def __init__(self, pairs: Pairs, seed: int, place: int) -> None:
        self.rows = _distinct(pairs.documents)
        self.key = np.random.SeedSequence([seed, _DRAWN, place]).generate_state(2, np.uint64)
        self._groups = np.asarray(pairs.groups)
        self._span = int(max(self.rows[-1], pairs.negatives.max(initial=0))) + 1
        self._positives = _distinct(pairs.groups * self._span + pairs.documents)

    def positive(self, pairs: Rows, documents: Rows) -> npt.NDArray[np.bool_]:
        """Whether documents are positives of the queries of pairs, arrays of like shape."""
        wanted = self._groups[pairs] * self._span + documents
        at = np.minimum(np.searchsorted(self._positives, wanted), len(self._positives) - 1)
        return np.asarray(self._positives[at] == wanted)


def _distinct(numbers: Rows) -> Rows:
    """As np.unique, which takes many times as long (numpy 2.4)."""
    ordered = np.sort(np.asarray(numbers))
    return np.asarray(ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])])


def _scattered(words: _Words) -> _Words:
    """Words that look random, equal for equal words: the finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    mixed = words + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
