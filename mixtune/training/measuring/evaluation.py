"""Retrieval metrics per query, graded, from embeddings."""

import re
from collections.abc import Iterable, Mapping

import faiss
import numpy as np
import numpy.typing as npt
import torch

from mixtune.recipe import FloatArray
from mixtune.training.prepared import Floats, Rows, Split

ALWAYS = ("ndcg@10", "recall@20")
"""Metrics that every evaluation has, besides that of the objective."""

_NAME = re.compile(r"(ndcg|recall|mrr|map)@([1-9][0-9]*)")


def parse_metric(name: str) -> tuple[str, int]:
    """Split a metric's name into what it is and its cut-off.

    Raises:
        ValueError: not the name of a metric.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"metric {name!r} is not known: use ndcg@k, recall@k, mrr@k or map@k, such as 'ndcg@10'")
    return match[1], int(match[2])


def metrics_for(objective: str) -> tuple[str, ...]:
    """The metrics to compute for an objective: ALWAYS and its own."""
    return tuple(dict.fromkeys((*ALWAYS, objective)))


def select(split: Split, queries: npt.NDArray[np.bool_]) -> Split:
    """The same documents with some of the queries: those marked, shape (q,)."""
    counts = np.diff(split.starts)
    judgements = np.repeat(queries, counts)
    return Split(
        queries=split.queries[queries],
        documents=split.documents,
        starts=np.concatenate([[0], np.cumsum(counts[queries])]).astype(np.int64),
        judged=split.judged[judgements],
        grades=split.grades[judgements],
        full=split.full,
    )


def evaluate(split: Split, queries: Floats, documents: Floats, metrics: Iterable[str]) -> dict[str, FloatArray]:
    """Score an exact nearest-neighbour search (faiss, inner product): metric -> one value per query, shape (q,).

    Grades above 0 are relevant. As in trec_eval: ndcg takes the grade itself as gain, over log2(rank + 1), and the
    best possible order of all judged documents as 1; recall, map and mrr see relevant or not, map divides by all
    relevant documents. A query without relevant documents scores 0.

    Args:
        split: the judgements.
        queries: embeddings of split.queries, shape (q, dim).
        documents: embeddings of split.documents, shape (d, dim).
        metrics: names, see parse_metric.
    """
    wanted = {name: parse_metric(name) for name in metrics}
    deepest = min(len(documents), max(k for _, k in wanted.values()))
    gains = _gains(split, _search(queries, documents, deepest))
    ideal = _ideal(split, deepest)
    relevant = np.bincount(_owners(split)[split.grades > 0], minlength=len(queries)).astype(np.float64)
    return {
        name: _METRICS[kind](gains[:, :k], ideal[:, :k], np.maximum(relevant, 1)) for name, (kind, k) in wanted.items()
    }


def mean_metrics(values: Mapping[str, FloatArray]) -> dict[str, float]:
    """Mean over queries of each metric."""
    return {name: float(array.mean()) for name, array in values.items()}


def _search(queries: Floats, documents: Floats, k: int) -> Rows:
    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatIP(documents.shape[1])
    index.add(np.ascontiguousarray(documents))
    _, found = index.search(np.ascontiguousarray(queries), k)
    return np.asarray(found, dtype=np.int64)


def _owners(split: Split) -> Rows:
    """The query of each judgement."""
    return np.repeat(np.arange(len(split.queries)), np.diff(split.starts))


def _gains(split: Split, found: Rows) -> FloatArray:
    """Grade of each document found, shape (q, k); 0 where it is not judged or below 0."""
    width = len(split.documents)
    keys = _owners(split) * width + split.judged
    order = np.argsort(keys)
    keys, grades = keys[order], np.maximum(split.grades[order], 0).astype(np.float64)
    asked = np.arange(len(found))[:, None] * width + found
    at = np.minimum(np.searchsorted(keys, asked), max(0, len(keys) - 1))
    return np.where(keys[at] == asked, grades[at], 0.0) if len(keys) else np.zeros(found.shape)


def _ideal(split: Split, k: int) -> FloatArray:
    """The k largest grades of each query in order, shape (q, k), 0 where there are fewer."""
    owners, grades = _owners(split), np.maximum(split.grades, 0).astype(np.float64)
    order = np.lexsort((-grades, owners))
    ranks = np.arange(len(owners)) - split.starts[owners]
    ideal = np.zeros((len(split.queries), k))
    near = ranks < k
    ideal[owners[near], ranks[near]] = grades[order][near]
    return ideal


def _discounted(gains: FloatArray) -> FloatArray:
    return np.asarray(gains @ (1 / np.log2(np.arange(gains.shape[1]) + 2)))


def _ndcg(gains: FloatArray, ideal: FloatArray, relevant: FloatArray) -> FloatArray:
    best = _discounted(ideal)
    return np.asarray(_discounted(gains) / np.where(best > 0, best, 1))


def _recall(gains: FloatArray, ideal: FloatArray, relevant: FloatArray) -> FloatArray:
    return np.asarray((gains > 0).sum(axis=1) / relevant)


def _mrr(gains: FloatArray, ideal: FloatArray, relevant: FloatArray) -> FloatArray:
    hits = gains > 0
    return np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0.0)


def _map(gains: FloatArray, ideal: FloatArray, relevant: FloatArray) -> FloatArray:
    hits = gains > 0
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((precision * hits).sum(axis=1) / relevant)


_METRICS = {"map": _map, "mrr": _mrr, "ndcg": _ndcg, "recall": _recall}
