"""Training pairs with negatives that BM25 finds, as those of MS MARCO have them (which TAS-B trains on)."""

import json
from pathlib import Path

import bm25s  # type: ignore[import-untyped]
import numpy as np

from mixtune.source import Source
from mixtune.training.data import read_source, source_hash
from mixtune.training.texts import SourceText

DEPTH = 100
"""Negatives are drawn from so many documents that BM25 ranks first."""


def with_negatives(source: Source, cache: Path, count: int) -> Source:
    """The source read from a file of its pairs with `count` negatives each, which is written on the first call.

    They come from the documents of the source itself: what only dev or test judges is not among them.
    """
    place = cache / "benchmarks" / f"{source.name}-{count}-{source_hash(source, cache)[:16]}.jsonl"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        text = read_source(source, cache)
        rows = zip(text.queries, text.documents, negatives_of(text, count), strict=True)
        lines = [json.dumps({"query": query, "positive": own, "negative": others}) for query, own, others in rows]
        beside = place.with_suffix(".part")
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
        beside.rename(place)
    return Source(source.name, "jsonl", str(place), weight=1.0)


def negatives_of(text: SourceText, count: int) -> list[list[str]]:
    """Seeded negatives of each pair, from the DEPTH best documents for its query that are no positives of it."""
    corpus = sorted(set(text.documents))
    positives: dict[str, set[str]] = {}
    for query, document in zip(text.queries, text.documents, strict=True):
        positives.setdefault(query, set()).add(document)
    index = bm25s.BM25()
    index.index(bm25s.tokenize(corpus, show_progress=False), show_progress=False)
    asked = bm25s.tokenize(list(text.queries), show_progress=False)
    found, _ = index.retrieve(asked, k=min(DEPTH, len(corpus)), n_threads=1, show_progress=False)
    rng = np.random.default_rng(0)
    negatives = []
    for query, places in zip(text.queries, found.tolist(), strict=True):
        others = [corpus[place] for place in places if corpus[place] not in positives[query]]
        chosen = rng.permutation(len(others))[:count].tolist()
        negatives.append([others[each] for each in sorted(chosen)])
    return negatives
