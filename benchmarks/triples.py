"""Training pairs with negatives that BM25 finds, as those of MS MARCO have them (which TAS-B trains on)."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import bm25s  # type: ignore[import-untyped]
import numpy as np

from mixtune.source import Source
from mixtune.training.data.reading import read_source, source_hash
from mixtune.training.data.texts import SourceText

DEPTH = 100
"""Negatives are drawn from so many documents that BM25 ranks first."""


def pooled(sources: Sequence[Source], cache: Path, count: int) -> Source:
    """All sources as one collection, each pair with `count` negatives; its file is written on the first call.

    Negatives come from the training documents of a pair's own source: what only dev or test judges is not among them.
    The file is named after all that it is made of.
    """
    parts = [f"{source.name} {source_hash(source, cache)}" for source in sources]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    place = cache / "benchmarks" / f"pool-{count}of{DEPTH}-{digest}.jsonl"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_suffix(".part")
        with beside.open("w", encoding="utf-8") as file:
            for source in sources:
                text = read_source(source, cache)
                rows = zip(text.queries, text.documents, negatives_of(text, count), strict=True)
                for query, own, others in rows:
                    file.write(json.dumps({"query": query, "positive": own, "negative": others}) + "\n")
        beside.rename(place)
    return Source("pool", "jsonl", str(place), weight=1.0)


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
