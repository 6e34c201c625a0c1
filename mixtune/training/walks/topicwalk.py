"""Batches by topic, pairs by margin: the walk of TAS-Balanced (arXiv 2104.06967, section 4)."""

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
from pydantic import JsonValue as Json

from mixtune.batching import Batching
from mixtune.training.prepared import Floats, Pairs, Rows
from mixtune.training.walks.pairchoice import PairChoice, choice_of
from mixtune.training.walks.walk import Arrays, Taken

_SEED = 0x74617362


class TopicWalk:
    """Draws queries by topic, and one pair of each query evenly over its margins. It has no passes and never ends.

    A batch takes the queries of a topic drawn uniformly, whatever its size, at most floor(batch / clusters) of them
    without replacement; then of another topic, until the batch is full. No topic comes twice in a batch: a small one
    gives all it has and another fills up, and when all are used the batch is smaller. Without topics all queries are
    one. A pair is a positive of the query with one of the hard negatives that came with it. With margin_bins above 1
    the pair is drawn from one of the query's non-empty bins (see margin_bins), drawn uniformly; otherwise uniformly
    from all pairs. A positive without a hard negative is a pair too, beside bins only where its query has nothing else.
    Where the source has no hard negatives (or the run uses none), pairs are positives alone, and Taken leaves the
    negatives open.

    (Topics, bins and the order of draws are the paper's. That a query with a single pair stays is ours: the authors
    drop those. Its draw cannot be balanced: unbalanced counts them.) Batch b at a position of the schedule follows from
    (seed, stream, position, b), so the state is one number; and a chain that leaves topics for some rounds, where that
    number is lost, does not see its first batches again.

    Args:
        pairs: the source.
        rows: the pairs of it that are used.
        batching: topics, clusters and margin_bins; topics 0 is one topic.
        topics: gives the topic of each query, by its number in Pairs.groups (see topics_of); asked at the first draw,
            where batching has topics.
        negatives: whether pairs bring hard negatives at all.
        seed: of the run.
        stream: position of the source, which sets its draws apart from those of others.
    """

    completed: int | None = None
    pruned: int = 0

    def __init__(
        self,
        pairs: Pairs,
        rows: Rows,
        batching: Batching,
        topics: Callable[[], Rows],
        *,
        negatives: bool,
        seed: int,
        stream: int,
    ) -> None:
        self._pairs = pairs
        self._rows = rows
        self._batching = batching
        self._labels = topics
        self._negatives = negatives
        self._seed = (seed, _SEED, stream)
        self._batch = 0

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of the source who asked for such batches."""
        if self._batching.margin_bins == 1:
            return ()  # pairs need not be laid out to say so
        return self._choice.remarks(self._batching.margin_bins)

    @property
    def unbalanced(self) -> int:
        """Queries whose draw cannot be balanced: they have fewer than two pairs with a teacher's margin."""
        return self._choice.unbalanced

    @cached_property
    def _choice(self) -> PairChoice:
        return choice_of(self._pairs, self._rows, self._batching.margin_bins, negatives=self._negatives)

    @cached_property
    def _topics(self) -> list[Rows]:
        """Places of each topic's queries in the choice; topics of which no query is used are none."""
        queries = self._choice.queries
        labels = self._labels()[queries] if self._batching.topics else np.zeros(len(queries), dtype=np.int64)
        order = np.argsort(labels, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)

    def take(self, size: int, position: int) -> Taken:
        """The next batch, at most `size` pairs, each of another query."""
        rng = np.random.default_rng([*self._seed, position, self._batch])
        self._batch += 1
        share = max(1, size // (self._batching.clusters if self._batching.topics else 1))
        chosen: list[Rows] = []
        missing = size
        for topic in rng.permutation(len(self._topics)):
            members = self._topics[topic]
            some = rng.choice(members, min(share, missing, len(members)), replace=False)
            chosen.append(some)
            missing -= len(some)
            if not missing:
                break
        return self._choice.draw(np.concatenate(chosen), rng)

    def learn(self, taken: Taken, similarity: Floats, losses: Floats) -> None:
        """Nothing is learnt."""

    def renew(self, similarity: Floats) -> None:
        """Nothing is kept of it."""

    def state(self) -> dict[str, Json]:
        """The number of batches drawn."""
        return {"batch": self._batch}

    def arrays(self) -> Arrays:
        """Nothing."""
        return {}

    def restore(self, state: Mapping[str, Json], arrays: Arrays) -> None:
        """Go on behind the batches that another walk drew.

        Raises:
            ValueError: not a state of a TopicWalk.
        """
        batch = state.get("batch")
        if not isinstance(batch, int):
            raise ValueError(f"not a state of TopicWalk: {dict(state)!r}")
        self._batch = batch
