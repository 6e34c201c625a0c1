from collections.abc import Callable
from pathlib import Path

import pytest

from mixtune.errors import DataError
from mixtune.prompts import Prompts
from mixtune.source import Source
from mixtune.target import Target
from mixtune.training.data import reading as data
from mixtune.training.data.reading import (
    READERS,
    Reader,
    corrupted,
    read_source,
    read_target,
    sampled,
    source_hash,
    target_hash,
)
from mixtune.training.data.texts import JudgedQueries, SourceText, TargetText


def rows(count: int, documents: int | None = None) -> SourceText:
    return SourceText(
        tuple(f"q{i}" for i in range(count)),
        tuple(f"d{i % (documents or count)}" for i in range(count)),
        tuple(f"k{i}" for i in range(count)),
    )


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Kind `made` gives as many rows as its location says; the list fills with the locations that were really read."""
    read: list[str] = []

    def pairs(source: Source, cache: Path) -> SourceText:
        read.extend(source.locations)
        return rows(int(source.locations[0]))

    def task(target: Target, cache: Path) -> TargetText:
        judged = JudgedQueries(("q",), ({0: 1.0},))
        return TargetText(("d",), judged, judged if target.location == "whole" else JudgedQueries((), ()))

    monkeypatch.setattr(data, "READERS", {**READERS, "made": Reader(lambda data: str(data.location), pairs, task)})
    return read


@pytest.mark.parametrize("count", [2, 3, 50])
def test_full_corruption_leaves_no_row_its_own_document(count: int) -> None:
    text = rows(count)
    found = corrupted(text, 1.0)
    assert sorted(found.documents) == sorted(text.documents)
    assert found.queries == text.queries
    assert not [i for i in range(count) if found.documents[i] == text.documents[i]]


def test_corruption_keeps_rows_of_equal_documents_apart() -> None:
    text = rows(60, documents=3)
    assert not [i for i in range(60) if corrupted(text, 1.0).documents[i] == text.documents[i]]


def test_corruption_touches_the_share_that_was_asked_for() -> None:
    text = rows(200)
    assert sum(a != b for a, b in zip(corrupted(text, 0.3).documents, text.documents, strict=True)) == 60
    assert corrupted(text, 0.0) is text


def test_corruption_and_samples_depend_on_the_content_alone() -> None:
    assert corrupted(rows(50), 0.5) == corrupted(rows(50), 0.5)
    assert sampled(rows(50), 10) == sampled(rows(50), 10)


def test_a_sample_keeps_rows_whole_and_in_order() -> None:
    found = sampled(rows(100), 20)
    numbers = [int(query[1:]) for query in found.queries]
    assert (len(numbers), sorted(set(numbers))) == (20, numbers)
    assert found.documents == tuple(f"d{i}" for i in numbers)
    assert numbers != list(range(20))
    assert sampled(rows(20), 20) == rows(20)


def test_a_source_is_sampled_first_and_corrupted_then(reader: list[str], tmp_path: Path) -> None:
    found = read_source(Source("s", "made", "100", limit=10, corrupt=1.0), tmp_path)
    assert len(found) == 10
    assert {query[1:] for query in found.queries} == {document[1:] for document in found.documents}
    assert all(query[1:] != document[1:] for query, document in zip(found.queries, found.documents, strict=True))


def test_the_hash_of_a_source_is_remembered(reader: list[str], tmp_path: Path) -> None:
    first = source_hash(Source("s", "made", "9"), tmp_path)
    assert source_hash(Source("other name", "made", "9", weight=2.0), tmp_path) == first == rows(9).sha256
    assert reader == ["9"]


@pytest.mark.parametrize(
    "changed",
    [
        Source("s", "made", "9", limit=5),
        Source("s", "made", "9", corrupt=0.5),
        Source("s", "made", "9", prompts=Prompts(query="query: ")),
        Source("s", "made", "9", prompts=Prompts(document="passage: ")),
    ],
)
def test_what_changes_the_rows_changes_the_hash(changed: Source, reader: list[str], tmp_path: Path) -> None:
    assert source_hash(changed, tmp_path) != source_hash(Source("s", "made", "9"), tmp_path)


def test_texts_that_run_together_differently_hash_differently() -> None:
    assert SourceText(("ab",), ("c",), ("",)).sha256 != SourceText(("a",), ("bc",), ("",)).sha256


@pytest.mark.parametrize("count", [0, 1])
def test_an_empty_source_is_refused_by_name(count: int, reader: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"source 'poor' .* has {count} usable pairs"):
        read_source(Source("poor", "made", str(count)), tmp_path)


def test_a_target_without_judged_queries_is_refused_by_name(reader: list[str], tmp_path: Path) -> None:
    assert read_target(Target("good", "made", "whole"), tmp_path).corpus == ("d",)
    with pytest.raises(DataError, match=r"target 'poor' .* no judged queries in split 'test'"):
        read_target(Target("poor", "made", "half"), tmp_path)


def test_an_unknown_kind_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="kind 'arff' is not known: use one of beir, csv, docstrings, hub, jsonl"):
        read_source(Source("s", "arff", ""), tmp_path)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_an_impossible_share_is_refused(share: float) -> None:
    with pytest.raises(DataError, match="corrupt must be a share from 0 to 1"):
        corrupted(rows(5), share)


def test_a_sample_of_one_row_is_refused() -> None:
    with pytest.raises(DataError, match="limit must be at least 2"):
        sampled(rows(5), 1)


def test_readers_are_registered_in_order() -> None:
    assert list(READERS) == sorted(READERS)
    assert {"beir", "docstrings"} <= set(READERS)


@pytest.mark.parametrize(
    "read",
    [
        lambda root: read_source(Source("mine", "docstrings", "no_such_package"), root),
        lambda root: source_hash(Source("mine", "docstrings", "no_such_package"), root),
        lambda root: read_target(Target("mine", "docstrings", "no_such_package"), root),
        lambda root: target_hash(Target("mine", "docstrings", "no_such_package"), root),
    ],
)
def test_a_refusal_names_the_entry_of_the_study(read: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^(source|target) 'mine': package 'no_such_package' is not installed"):
        read(tmp_path)


def test_prompts_stand_before_every_text_of_a_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = SourceText(("q", "r"), ("d", "e"), ("1", "2"), negatives=(("n", "m"), ()))
    monkeypatch.setattr(data, "READERS", {"made": Reader(lambda data: "", lambda source, cache: text, None)})
    found = read_source(Source("s", "made", "", prompts=Prompts("query: ", "passage: ")), tmp_path)
    assert found.queries == ("query: q", "query: r")
    assert found.documents == ("passage: d", "passage: e")
    assert found.negatives == (("passage: n", "passage: m"), ())
    assert found.keys == ("1", "2")


def test_prompts_choose_no_other_sample(reader: list[str], tmp_path: Path) -> None:
    plain = read_source(Source("s", "made", "90", limit=9), tmp_path)
    prompted = read_source(Source("s", "made", "90", limit=9, prompts=Prompts("? ", "")), tmp_path)
    assert prompted.queries == tuple(f"? {query}" for query in plain.queries)


def test_prompts_stand_before_every_text_of_a_target(reader: list[str], tmp_path: Path) -> None:
    plain = Target("t", "made", "whole")
    prompted = Target("t", "made", "whole", prompts=Prompts("query: ", "passage: "))
    found = read_target(prompted, tmp_path)
    assert (found.corpus, found.dev.queries, found.test.queries) == (("passage: d",), ("query: q",), ("query: q",))
    assert found.dev.judgements == ({0: 1.0},)
    assert target_hash(prompted, tmp_path) != target_hash(plain, tmp_path)


def test_a_target_of_a_kind_without_judgements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="kind 'csv' holds training pairs, not retrieval tasks: use one of beir, docst"):
        read_target(Target("t", "csv", "x.csv"), tmp_path)


def test_several_places_for_a_reader_of_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="source 's': kind 'beir' reads one place, got 2: make a source of each"):
        read_source(Source("s", "beir", ("a", "b")), tmp_path)


def test_too_few_pairs_say_what_was_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = SourceText(("q",), ("d",), ("1",), dropped=3, notes=("4 pairs with a score below 0.5 were left out",))
    monkeypatch.setattr(data, "READERS", {"made": Reader(lambda data: "", lambda source, cache: text, None)})
    with pytest.raises(DataError, match=r"has 1 usable pairs.*3 pairs with an empty text.*; 4 pairs with a score"):
        read_source(Source("s", "made", "here"), tmp_path)
