"""Candidate pools: which documents of a large corpus dev is evaluated against."""

import faiss
import numpy as np
import numpy.typing as npt

from mixtune.training.prepared import Floats, Rows

HITS_SHARE = 0.75
"""Share of the places left by judged documents that the base model's top hits take; random documents get the rest."""


def candidate_pool(
    queries: Floats, corpus: Floats, judged: npt.NDArray[np.int64], size: int, rng: np.random.Generator
) -> Rows:
    """Positions in the corpus of the documents that dev queries are ranked against, ascending.

    All judged documents; then the base model's top hits, rank by rank over all queries, so that every query has its
    hardest candidates in the pool; then random documents up to `size`. More judged documents than that are all kept.

    Args:
        queries: base-model embeddings (q, dim), normalised.
        corpus: base-model embeddings (d, dim), normalised.
        judged: positions in the corpus that any query's judgements name.
        size: number of documents wanted; 0, or at least d, gives the whole corpus.
        rng: draws the random part.
    """
    if size == 0 or size >= len(corpus):
        return np.arange(len(corpus), dtype=np.int64)
    taken = np.zeros(len(corpus), dtype=bool)
    taken[judged] = True
    free = max(0, size - int(taken.sum()))
    wanted = round(HITS_SHARE * free)
    if wanted:
        hits = top_hits(queries, corpus, min(len(corpus), -(-wanted // len(queries)) * 4 + 10))
        _, first = np.unique(hits.T.ravel(), return_index=True)
        by_rank = hits.T.ravel()[np.sort(first)]
        chosen = by_rank[~taken[by_rank]][:wanted]
        taken[chosen] = True
        free -= len(chosen)
    taken[rng.choice(np.flatnonzero(~taken), free, replace=False)] = True
    return np.flatnonzero(taken).astype(np.int64)


def top_hits(queries: Floats, corpus: Floats, depth: int) -> Rows:
    """Positions of the `depth` nearest documents of each query, (q, depth), nearest first; exact, by inner product."""
    index = faiss.IndexFlatIP(corpus.shape[1])
    index.add(np.ascontiguousarray(corpus))
    _, hits = index.search(np.ascontiguousarray(queries), depth)
    return np.asarray(hits, dtype=np.int64)
