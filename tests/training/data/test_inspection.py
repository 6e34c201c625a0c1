"""What the data of a study looks like, on folders whose numbers are counted by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mixtune.search import Budget, Search
from mixtune.source import Source
from mixtune.study import Study
from mixtune.target import Target
from mixtune.training.data.inspection import Inspection, Lengths, SplitInspection, inspect

Rows = Sequence[tuple[str, str, str]]
"""Query, document, split."""

LEFT: Rows = [
    ("a", "first text", "train"),
    ("b", "second text", "train"),
    ("c", "third text", "train"),
    ("c", "fourth", "train"),
]
RIGHT: Rows = [("b", "second text", "train"), ("d", "other text", "train"), ("goal query", "a b c d", "train")]
GOAL: Rows = [
    ("goal query", "one", "dev"),
    ("goal query", "two", "dev"),
    ("other goal", "three", "dev"),
    ("last goal", "four", "test"),
]


def beir_folder(place: Path, rows: Rows) -> str:
    (place / "qrels").mkdir(parents=True)
    queries = {query: f"q{number}" for number, query in enumerate(dict.fromkeys(query for query, _, _ in rows))}
    documents = [{"_id": f"d{number}", "text": text} for number, (_, text, _) in enumerate(rows)]
    (place / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    (place / "queries.jsonl").write_text("\n".join(json.dumps({"_id": q, "text": t}) for t, q in queries.items()))
    for wanted in {split for _, _, split in rows}:
        lines = [f"{queries[query]}\td{n}\t1" for n, (query, _, split) in enumerate(rows) if split == wanted]
        (place / "qrels" / f"{wanted}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n")
    return str(place)


@pytest.fixture
def found(tmp_path: Path) -> Inspection:
    folders: Mapping[str, Rows] = {"left": LEFT, "right": RIGHT, "goal": GOAL}
    places = {name: beir_folder(tmp_path / name, rows) for name, rows in folders.items()}
    study = Study(
        name="seen",
        sources=(Source("left", "beir", places["left"]), Source("right", "beir", places["right"])),
        targets=(Target("goal", "beir", places["goal"]),),
        search=Search("random"),
        budget=Budget(trials=1),
    )
    return inspect(study, tmp_path / "cache", lambda what, done, total: None)


def test_rows_queries_and_lengths_are_counted(found: Inspection) -> None:
    left = found.sources["left"]
    assert (left.rows, left.unique_queries, left.repeated, left.dropped) == (4, 3, 0, 0)
    assert left.query == Lengths(1, 1)
    assert left.document == Lengths(10, 11)  # of 10, 11, 10 and 6 characters


def test_pairs_of_another_source_are_counted_in_both(found: Inspection) -> None:
    assert dict(found.sources["left"].shared) == {"right": 1}
    assert dict(found.sources["right"].shared) == {"left": 1}
    assert [each.elsewhere for each in found.sources.values()] == [1, 1]


def test_a_row_counts_once_however_many_other_sources_hold_its_pair(tmp_path: Path) -> None:
    rows: Mapping[str, Rows] = {"first": LEFT, "second": LEFT[1:], "third": LEFT[:2], "goal": GOAL}
    places = {name: beir_folder(tmp_path / name, each) for name, each in rows.items()}
    study = Study(
        name="thrice",
        sources=tuple(Source(name, "beir", places[name]) for name in ("first", "second", "third")),
        targets=(Target("goal", "beir", places["goal"]),),
        search=Search("random"),
        budget=Budget(trials=1),
    )
    sources = inspect(study, tmp_path / "cache", lambda what, done, total: None).sources
    assert {name: each.elsewhere for name, each in sources.items()} == {"first": 4, "second": 3, "third": 2}
    assert list(sources["first"].shared.items()) == [("second", 3), ("third", 2)]


def test_rows_that_train_on_a_judged_query_are_counted(found: Inspection) -> None:
    assert dict(found.sources["left"].judged) == {}
    assert dict(found.sources["right"].judged) == {"goal": 1}


def test_two_rows_are_shown_as_they_stand(found: Inspection) -> None:
    examples = found.sources["left"].examples
    assert len(examples) == 2 and set(examples) < {(query, text) for query, text, _ in LEFT}


def test_a_target_tells_its_documents_and_judged_queries(found: Inspection) -> None:
    goal = found.targets["goal"]
    assert (goal.documents, goal.dev, goal.test) == (4, SplitInspection(2, 1.5), SplitInspection(1, 1.0))


def test_the_same_data_looks_the_same_again(found: Inspection, tmp_path: Path) -> None:
    study = Study(
        name="again",
        sources=(Source("left", "beir", str(tmp_path / "left")),),
        targets=(Target("goal", "beir", str(tmp_path / "goal")),),
        search=Search("random"),
        budget=Budget(trials=1),
    )
    again = inspect(study, tmp_path / "cache", lambda what, done, total: None)
    assert again.targets == found.targets
    assert again.sources["left"].examples == found.sources["left"].examples
    assert again.sources["left"].sha256 == found.sources["left"].sha256
