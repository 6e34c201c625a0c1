"""Topics of training queries: the clusters that TAS-Balanced (arXiv 2104.06967) composes batches from."""

import hashlib
import io
from pathlib import Path

import numpy as np
from filelock import FileLock

from mixtune.training.cache import keep_bytes, room_in
from mixtune.training.encoding.embedder import Features
from mixtune.training.prepared import Floats, Pairs, Rows
from mixtune.training.survey.kmeans import one_thread, trained

ITERATIONS = 20
"""Rounds of k-means (ours)."""

_SEED = 0x746F7069
_FORMAT = "topics-1"


class Topics:
    """The topics of a study's sources, found when they are first asked for and then held.

    Args:
        table: the feature table; its embeddings are read.
        root: cache root, None keeps nothing on disk.
    """

    def __init__(self, table: Features, root: Path | None = None) -> None:
        self._table = table
        self._root = root
        self._held: dict[tuple[str, int], Rows] = {}

    def of(self, source: str, pairs: Pairs, size: int) -> Rows:
        """Topic of each query of a source, see `topics_of`."""
        found = self._held.get((source, size))
        if found is None:
            found = self._held[source, size] = topics_of(pairs, self._table.embeddings, size, self._root)
        return found


def topics_of(pairs: Pairs, embeddings: Floats, size: int, root: Path | None = None) -> Rows:
    """Topic of each query of a source, by its number in Pairs.groups, shape (queries,): about `size` queries each.

    k-means with k = max(1, round(n / size)) over the base model's embeddings of the n distinct queries, on one thread
    and from a fixed seed: equal embeddings give equal topics. (The paper: 2,000 clusters of 400,000 queries. The
    number of iterations is ours.) Under a cache root they are computed once.

    Args:
        pairs: the source.
        embeddings: of every row of the feature table.
        size: queries per topic.
        root: cache root, None keeps nothing.
    """
    asked = np.empty(int(pairs.groups.max()) + 1, dtype=np.int64)
    asked[pairs.groups] = pairs.queries
    count = max(1, round(len(asked) / size))
    if count == 1:
        return np.zeros(len(asked), dtype=np.int64)
    points = np.ascontiguousarray(embeddings[asked], dtype=np.float32)
    if root is None:
        return _clustered(points, count)
    question = hashlib.sha256(f"{_FORMAT}\0{count}\0{points.shape}\0".encode())
    question.update(points.data)
    path = root / "topics" / f"{question.hexdigest()[:32]}.npy"
    if not path.exists():
        with room_in(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):
                if not path.exists():
                    whole = io.BytesIO()
                    np.save(whole, _clustered(points, count))
                    keep_bytes(path, whole.getvalue())
    return np.asarray(np.load(path), dtype=np.int64)


def _clustered(points: Floats, count: int) -> Rows:
    means = trained(points, count, iterations=ITERATIONS, seed=_SEED, learnt_from=len(points))
    with one_thread():
        _, nearest = means.index.search(points, 1)
    return np.asarray(nearest[:, 0], dtype=np.int64)
