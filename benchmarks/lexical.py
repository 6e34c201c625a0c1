"""BM25 on the test split of targets, by the package bm25s."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import bm25s  # type: ignore[import-untyped]
import numpy as np
from judging import NDCG, RECALL, Judged

from mixtune.target import Target
from mixtune.training.data.reading import read_target

DEPTH = 20


def bm25(targets: Iterable[Target], cache: Path) -> Judged:
    """nDCG@10 and Recall@20 of BM25 (Lucene's, k1 1.5, b 0.75, English stop words) over the whole corpus."""
    return Judged({target.name: scores(target, cache) for target in targets}, dev=0.0)


def scores(target: Target, cache: Path) -> Mapping[str, list[float]]:
    """Metric -> one value per test query, graded as in mixtune.training.measuring.evaluation."""
    text = read_target(target, cache)
    index = bm25s.BM25()
    index.index(bm25s.tokenize(list(text.corpus), show_progress=False), show_progress=False)
    asked = bm25s.tokenize(list(text.test.queries), show_progress=False)
    found, _ = index.retrieve(asked, k=min(DEPTH, len(text.corpus)), n_threads=1, show_progress=False)
    ndcg, recall = [], []
    for documents, judgements in zip(found.tolist(), text.test.judgements, strict=True):
        gains = [max(0.0, judgements.get(document, 0.0)) for document in documents]
        ideal = sorted((grade for grade in judgements.values() if grade > 0), reverse=True)
        ndcg.append(discounted(gains[:10]) / discounted(ideal[:10]))
        recall.append(sum(gain > 0 for gain in gains) / len(ideal))
    return {NDCG: ndcg, RECALL: recall}


def discounted(gains: list[float]) -> float:
    """Discounted cumulative gain."""
    return float(np.sum(np.array(gains) / np.log2(np.arange(len(gains)) + 2)))
