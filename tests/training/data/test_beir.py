import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from mixtune.errors import DataError
from mixtune.training.data.beir import fingerprint, pairs, task

CORPUS = [
    {"_id": "d1", "title": "Title", "text": "first  document"},
    {"_id": "d2", "title": "", "text": "second document"},
    {"_id": "03", "text": "third document"},
]
QUERIES = [{"_id": "q1", "text": "one"}, {"_id": "q2", "text": "two"}, {"_id": "q3", "text": "three"}]
QRELS = {"train": ["q1\td1\t1", "q1\t03\t2", "q2\td2\t0"], "dev": ["q2\td2\t1", "q2\td1\t0"], "test": ["q3\t03\t3"]}


def write(
    folder: Path, corpus: Sequence[object] = CORPUS, queries: Sequence[object] = QUERIES, **qrels: list[str]
) -> str:
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for name, rows in (("corpus", corpus), ("queries", queries)):
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    for split, lines in {**QRELS, **qrels}.items():
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n")
    return str(folder)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_every_positive_judgement_is_a_pair(tmp_path: Path, cache: Path) -> None:
    found = pairs(write(tmp_path / "set"), "train", cache)
    assert found.queries == ("one", "one")
    assert found.documents == ("Title first document", "third document")
    assert found.keys == ("q1", "q1")


def test_grades_and_judged_irrelevant_documents_are_kept(tmp_path: Path, cache: Path) -> None:
    found = task(write(tmp_path / "set", dev=["q2\td2\t2", "q2\td1\t0", "q1\td1\t0"]), "dev", "test", cache)
    assert found.corpus == ("Title first document", "second document", "third document")
    assert (found.dev.queries, found.dev.judgements) == (("two",), ({1: 2.0, 0: 0.0},))
    assert (found.test.queries, found.test.judgements) == (("three",), ({2: 3.0},))


def test_gzipped_files_read_the_same(tmp_path: Path, cache: Path) -> None:
    plain = write(tmp_path / "plain")
    packed = Path(write(tmp_path / "packed"))
    for name in ("corpus.jsonl", "queries.jsonl"):
        (packed / f"{name}.gz").write_bytes(gzip.compress((packed / name).read_bytes()))
        (packed / name).unlink()
    assert task(str(packed), "dev", "test", cache) == task(plain, "dev", "test", cache)


def test_fields_that_nobody_asked_for_may_change_type(tmp_path: Path, cache: Path) -> None:
    corpus = [{**row, "metadata": extra} for row, extra in zip(CORPUS, ({"a": 1}, "text", 3), strict=True)]
    assert len(pairs(write(tmp_path / "set", corpus), "train", cache)) == 2


def test_numbers_are_ids_too(tmp_path: Path, cache: Path) -> None:
    location = write(tmp_path / "set", [{"_id": 7, "text": "seven"}], [{"_id": 1, "text": "one"}], train=["1\t7\t1"])
    assert pairs(location, "train", cache).documents == ("seven",)


def test_ids_that_are_numbers_here_and_texts_there_are_read(tmp_path: Path, cache: Path) -> None:
    location = write(
        tmp_path / "set",
        [{"_id": 7, "text": "seven"}, {"_id": "d", "text": "2020-01-01"}],
        train=["q1\t7\t1", "q1\td\t1"],
    )
    assert pairs(location, "train", cache).documents == ("seven", "2020-01-01")


def test_texts_that_all_look_like_dates_stay_texts(tmp_path: Path, cache: Path) -> None:
    location = write(tmp_path / "set", [{"_id": "d1", "text": "2020-01-01"}], train=["q1\td1\t1"])
    assert pairs(location, "train", cache).documents == ("2020-01-01",)


def test_one_judgement_may_stand_there_twice(tmp_path: Path, cache: Path) -> None:
    assert len(pairs(write(tmp_path / "set", train=["q1\td1\t1", "q1\td1\t1"]), "train", cache)) == 1


def test_a_file_without_a_byte_is_refused(tmp_path: Path, cache: Path) -> None:
    location = write(tmp_path / "set")
    (tmp_path / "set" / "queries.jsonl").write_bytes(b"")
    with pytest.raises(DataError, match=r"queries\.jsonl is empty"):
        pairs(location, "train", cache)


def test_pairs_with_an_empty_text_are_counted_and_left_out(tmp_path: Path, cache: Path) -> None:
    found = pairs(write(tmp_path / "set", [{"_id": "d1", "text": " "}, *CORPUS[1:]]), "train", cache)
    assert (found.documents, found.dropped) == (("third document",), 1)


def test_a_changed_file_is_read_again(tmp_path: Path, cache: Path) -> None:
    location = write(tmp_path / "set")
    before, first = fingerprint(location), pairs(location, "train", cache)
    write(tmp_path / "set", [{"_id": "d1", "text": "changed"}, *CORPUS[1:]])
    assert fingerprint(location) != before
    assert pairs(location, "train", cache) != first


def test_reading_asks_the_network_for_nothing(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *where, **_: asked.append(where))
    pairs(write(tmp_path / "set"), "train", cache)
    assert asked == []


def test_reading_is_silent(tmp_path: Path, cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pairs(write(tmp_path / "set"), "train", cache)
    assert capfd.readouterr() == ("", "")


BROKEN: dict[str, tuple[dict[str, object], str]] = {
    "broken JSON": ({"corpus": [CORPUS[0], '{"_id": "d2", ']}, r"corpus\.jsonl, line 2: not JSON"),
    "no text": ({"queries": [QUERIES[0], {"_id": "q2"}]}, r"queries\.jsonl, line 2: expected an object like"),
    "not an object": ({"queries": ["[1]"]}, r"queries\.jsonl, line 1: expected an object like"),
    "an id twice": ({"corpus": [*CORPUS, {"_id": "d1", "text": "other"}]}, "_id 'd1' stands there twice"),
    "empty corpus": ({"corpus": []}, r"corpus\.jsonl is empty"),
    "unknown documents": (
        {"train": ["q1\td1\t1", "q1\tgone\t1", "q2\tlost\t1"]},
        r"train\.tsv points at 2 documents that corpus\.jsonl does not hold, first 'gone'",
    ),
    "one judgement graded twice": (
        {"train": ["q1\td1\t1", "q1\td1\t2"]},
        r"train\.tsv, line 3: document 'd1' of query 'q1' is judged twice, 1 and 2",
    ),
    "unknown queries": ({"train": ["q9\td1\t1"]}, r"points at 1 queries that queries\.jsonl does not hold, first 'q9'"),
    "spaces for tabs": ({"train": ["q1 d1 1"]}, r"train\.tsv, line 2: expected query-id, corpus-id and score"),
    "a score that is no number": ({"train": ["q1\td1\tyes"]}, r"train\.tsv, line 2: expected .*'q1\\td1\\tyes'"),
    "a score that is not finite": ({"train": ["q1\td1\tnan"]}, r"train\.tsv, line 2: expected"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_data_is_named_by_file_and_line(case: str, tmp_path: Path, cache: Path) -> None:
    changes, message = BROKEN[case]
    with pytest.raises(DataError, match=message):
        pairs(write(tmp_path / "set", **changes), "train", cache)  # type: ignore[arg-type]


def test_text_that_is_not_utf8_is_named_by_line(tmp_path: Path, cache: Path) -> None:
    location = write(tmp_path / "set")
    (tmp_path / "set" / "queries.jsonl").write_bytes(b'{"_id": "q1", "text": "ok"}\n{"_id": "q2", "text": "\xff"}\n')
    with pytest.raises(DataError, match=r"queries\.jsonl, line 2: not UTF-8"):
        pairs(location, "train", cache)


def test_a_torn_gzip_file_is_named(tmp_path: Path, cache: Path) -> None:
    location = write(tmp_path / "set")
    corpus = tmp_path / "set" / "corpus.jsonl"
    (tmp_path / "set" / "corpus.jsonl.gz").write_bytes(gzip.compress(corpus.read_bytes())[:-12])
    corpus.unlink()
    with pytest.raises(DataError, match=r"corpus\.jsonl\.gz is not a whole gzip file"):
        pairs(location, "train", cache)


def test_half_a_surrogate_pair_is_replaced(tmp_path: Path, cache: Path) -> None:
    found = pairs(write(tmp_path / "set", ['{"_id": "d1", "text": "half \\ud83d pair"}', *CORPUS[1:]]), "train", cache)
    found.documents[0].encode("utf-8")
    assert found.documents[0].startswith("half ")


def test_a_split_without_relevant_documents_is_refused(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(DataError, match="judges no document of any query as relevant"):
        task(write(tmp_path / "set", dev=["q2\td2\t0"]), "dev", "test", cache)


def test_a_missing_split_names_those_there_are(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(DataError, match=r"valid\.tsv does not exist: .* are dev, test, train"):
        pairs(write(tmp_path / "set"), "valid", cache)


def test_a_missing_folder_or_file_is_named(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(DataError, match="nowhere' does not exist"):
        pairs(str(tmp_path / "nowhere"), "train", cache)
    location = write(tmp_path / "set")
    (tmp_path / "set" / "corpus.jsonl").unlink()
    with pytest.raises(DataError, match=r"neither corpus\.jsonl nor corpus\.jsonl\.gz"):
        pairs(location, "train", cache)
