"""From texts to the arrays that trials read: pairs, splits, and which dev queries give the signal."""

import numpy as np
import numpy.typing as npt

from mixtune.errors import DataError
from mixtune.target import signal_queries
from mixtune.training.data.texts import JudgedQueries, SourceText
from mixtune.training.prepared import Floats, Pairs, Rows, Split

CHUNK = 65536


def pairs_of(text: SourceText, queries: Rows, documents: Rows, negatives: Rows, embeddings: Floats) -> Pairs:
    """Training pairs from a source's texts, the table rows of these texts, and the base model's embeddings.

    A hard negative that is a positive of the same query anywhere in the source is left out, with its teacher score.

    Args:
        text: the source.
        queries: row of each query, shape (n,).
        documents: row of each positive, shape (n,).
        negatives: row of each negative, all pairs' one after the other.
        embeddings: of every row of the table.
    """
    _, groups = np.unique(queries, return_inverse=True)
    groups = groups.astype(np.int64)
    similarity = np.empty(len(queries), dtype=np.float32)
    for start in range(0, len(queries), CHUNK):
        some = slice(start, start + CHUNK)
        similarity[some] = np.einsum("nd,nd->n", embeddings[queries[some]], embeddings[documents[some]])
    weights = np.array(text.weights, dtype=np.float32)
    scores = np.array([row[0] for row in text.teacher], dtype=np.float32)
    if not len(negatives):
        return Pairs(queries, documents, groups, similarity, weights=weights, teacher=scores)
    owners = np.repeat(np.arange(len(queries)), [len(own) for own in text.negatives])
    span = 1 + max(documents.max(), negatives.max())
    kept = ~np.isin(groups[owners] * span + negatives, groups * span + documents)
    others = np.array([score for row in text.teacher for score in row[1:]], dtype=np.float32)
    return Pairs(
        queries,
        documents,
        groups,
        similarity,
        starts=np.concatenate([[0], np.cumsum(np.bincount(owners[kept], minlength=len(queries)))]).astype(np.int64),
        negatives=negatives[kept],
        weights=weights,
        teacher=np.concatenate([scores, others[kept]]) if text.teacher else scores,
    )


def split_of(judged: JudgedQueries, queries: Rows, corpus: Rows, positions: Rows) -> Split:
    """A split against the documents at the given corpus positions, which must be ascending.

    Judgements of documents that are not among them are left out; `full` says that none could be.
    """
    places = np.full(len(corpus), -1, dtype=np.int64)
    places[positions] = np.arange(len(positions))
    judgements = [
        [(int(places[position]), grade) for position, grade in sorted(one.items()) if places[position] >= 0]
        for one in judged.judgements
    ]
    flat = [pair for one in judgements for pair in one]
    return Split(
        queries=queries,
        documents=corpus[positions],
        starts=np.cumsum([0, *(len(one) for one in judgements)]).astype(np.int64),
        judged=np.array([place for place, _ in flat], dtype=np.int64),
        grades=np.array([grade for _, grade in flat], dtype=np.float32),
        full=len(positions) == len(corpus),
    )


def dev_signal(target: str, queries: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Mark the dev queries that influence is measured on, shape (queries,); at least 2, and at least 2 others.

    Raises:
        DataError: there are fewer than 4 dev queries.
    """
    if queries < 4:
        raise DataError(
            f"target {target!r} has {queries} dev queries with a relevant document, and at least 4 are needed (2 to"
            " measure influence on, 2 to report progress): add judged dev queries, or take the target out"
        )
    marks = np.zeros(queries, dtype=bool)
    marks[rng.choice(queries, signal_queries(queries), replace=False)] = True
    return marks
