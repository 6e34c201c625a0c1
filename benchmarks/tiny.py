"""Sixteen tiny sets under the names of the real ones, so that every table can be tried anywhere within seconds."""

import json
from pathlib import Path

import numpy as np
from scenarios import SETS

QUERIES = {"train": 16, "dev": 6, "test": 6}
WORDS = 40
"""Words of a set's own."""


def write_sets(folder: Path) -> None:
    """Write BEIR folders of made-up words: a query is three words of its document."""
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    for name in SETS:
        place = folder / name
        (place / "qrels").mkdir(parents=True)
        own = ["".join(rng.choice(letters, 5)) for _ in range(WORDS)]
        count = sum(QUERIES.values())
        documents = [rng.choice(own, 8, replace=False).tolist() for _ in range(count)]
        _write(place / "corpus.jsonl", [f"d{i}" for i in range(count)], documents)
        _write(place / "queries.jsonl", [f"q{i}" for i in range(count)], [words[:3] for words in documents])
        numbers = iter(range(count))
        for split, size in QUERIES.items():
            rows = "".join(f"q{i}\td{i}\t1\n" for i, _ in zip(numbers, range(size), strict=False))
            (place / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)


def _write(path: Path, keys: list[str], texts: list[list[str]]) -> None:
    lines = [json.dumps({"_id": key, "text": " ".join(words)}) for key, words in zip(keys, texts, strict=True)]
    path.write_text("\n".join(lines) + "\n")
