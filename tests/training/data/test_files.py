import gzip
import json
import os
import shutil
import time
from pathlib import Path

import pytest
from datasets import Dataset

from mixtune.errors import DataError
from mixtune.source import Columns, Source
from mixtune.training.data.files import files_of, pairs
from mixtune.training.data.reading import read_source, source_hash
from mixtune.training.data.texts import SourceText

ROWS = [{"query": "one", "positive": "first"}, {"query": "two", "positive": "second"}]


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(path: Path | str, kind: str = "jsonl", **more: object) -> SourceText:
    source = Source("s", kind, str(path), **more)  # type: ignore[arg-type]
    return pairs(source, Path(path).parent / "cache")


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parquet(path: Path, **columns: list[object]) -> Path:
    Dataset.from_dict(columns).to_parquet(path)
    return path


def test_all_kinds_of_files_hold_the_same_pairs(tmp_path: Path) -> None:
    csv = "query,positive\none,first\ntwo,second\n"
    found = [
        read(written(tmp_path / "a.jsonl", lines(*ROWS))),
        read(written(tmp_path / "a.jsonl.gz", gzip.compress(lines(*ROWS).encode()))),
        read(written(tmp_path / "a.json", json.dumps(ROWS, indent=1))),
        read(written(tmp_path / "a.csv", csv), "csv"),
        read(written(tmp_path / "b.csv", "\ufeff" + csv), "csv"),
        read(written(tmp_path / "a.csv.gz", gzip.compress(csv.encode())), "csv"),
        read(written(tmp_path / "a.tsv", csv.replace(",", "\t")), "csv"),
        read(parquet(tmp_path / "a.parquet", query=["one", "two"], positive=["first", "second"]), "parquet"),
    ]
    assert found[0].documents == ("first", "second")
    assert {each.sha256 for each in found} == {found[0].sha256}


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    for number in (2, 10, 1):
        written(tmp_path / "set" / "deep" / f"part{number:02}.jsonl", lines({"query": f"q{number}", "positive": "x"}))
    written(tmp_path / "set" / "notes.txt", "not data")
    written(tmp_path / "set" / ".hidden" / "a.jsonl", "not data")
    assert read(tmp_path / "set").queries == ("q1", "q2", "q10")


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    first, second = (written(tmp_path / f"{name}.jsonl", lines(ROWS[0])) for name in "ab")
    source = Source("s", "jsonl", (str(second), str(tmp_path / "*.jsonl")))
    assert files_of(source) == [second, first]
    assert len(pairs(source, tmp_path / "cache")) == 2


def test_texts_that_look_like_numbers_dates_or_nothing_stay_texts(tmp_path: Path) -> None:
    csv = written(tmp_path / "a.csv", "query,positive\n007,NA\n1e3,null\n")
    assert read(csv, "csv").queries == ("007", "1e3")
    assert read(csv, "csv").documents == ("NA", "null")
    dates = written(tmp_path / "a.jsonl", lines({"query": "2020-01-01", "positive": ["2020-01-02"]}))
    assert read(dates).queries + read(dates).documents == ("2020-01-01", "2020-01-02")


def test_cells_of_one_column_may_be_texts_and_lists(tmp_path: Path) -> None:
    rows = [{"query": "a", "pos": "x"}, {"query": "b", "pos": ["y", "z"]}]
    assert read(written(tmp_path / "a.jsonl", lines(*rows))).documents == ("x", "y", "z")


def test_quoted_fields_hold_line_breaks_separators_and_quotes_of_any_length(tmp_path: Path) -> None:
    csv = 'query,positive\n"a\nb","x, ""y"""\nc,' + "long " * 40_000 + "\n"
    found = read(written(tmp_path / "a.csv", csv), "csv")
    assert found.queries == ("a b", "c")
    assert found.documents[0] == 'x, "y"'
    assert len(found.documents[1].split()) == 40_000


def test_a_changed_file_changes_the_hash(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", lines(*ROWS))
    source = Source("s", "jsonl", str(path))
    before = source_hash(source, tmp_path / "root")
    assert before == read_source(source, tmp_path / "root").sha256
    written(path, lines(*ROWS, {"query": "three", "positive": "third"}))
    assert source_hash(source, tmp_path / "root") != before


def test_another_map_gives_another_hash(tmp_path: Path) -> None:
    path = str(written(tmp_path / "a.jsonl", lines(*ROWS)))
    turned = Source("s", "jsonl", path, columns=Columns("positive", ("query",)))
    assert source_hash(turned, tmp_path / "root") != source_hash(Source("s", "jsonl", path), tmp_path / "root")


def test_reading_asks_the_network_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *where, **_: asked.append(where))
    read(written(tmp_path / "a.jsonl", lines(*ROWS)))
    read(parquet(tmp_path / "a.parquet", query=["a"], positive=["b"]), "parquet")
    assert asked == []


def test_a_hundred_thousand_rows_are_read_in_seconds(tmp_path: Path) -> None:
    rows = "".join(f'{{"query": "query {i}", "positive": "document {i} {"word " * 40}"}}\n' for i in range(100_000))
    path = written(tmp_path / "a.jsonl", rows)
    started = time.process_time()
    assert len(read(path)) == 100_000
    assert time.process_time() - started < 10


GOOD, BAD_UTF8 = b'{"query": "a", "positive": "x"}\n', b'{"query": "a", "positive": "\xff"}\n'
BROKEN: dict[str, tuple[str, str | bytes, str]] = {
    "broken JSON": ("a.jsonl", GOOD + b'\n{"query": ', r"a\.jsonl, line 3: not JSON"),
    "not an object": ("a.jsonl", GOOD + b"[1]\n", r"a\.jsonl, line 2: expected an object like .*, got \[1\]"),
    "bytes that are no text": ("a.jsonl", GOOD + BAD_UTF8, r"a\.jsonl, line 2: not UTF-8"),
    "a number as query": ("a.jsonl", lines(*ROWS, {"query": 3, "positive": "x"}), r"a\.jsonl, line 3: column 'query'"),
    "numbers as queries": (
        "a.jsonl",
        lines({"query": 3, "positive": "x"}),
        r"a\.jsonl, line 1: column 'query' holds 3",
    ),
    "a line after blank ones": ("a.jsonl", b"\n\n" + lines({"query": ["a"], "positive": "x"}).encode(), r"line 3: col"),
    "an empty file": ("a.jsonl", b"", r"a\.jsonl is empty"),
    "blank lines": ("a.jsonl", b"\n\n", r"a\.jsonl is empty"),
    "unknown columns": (
        "a.jsonl",
        lines({"q": "a", "d": "b"}),
        r"a\.jsonl has the columns q, d, and none that is known",
    ),
    "a torn archive": ("a.jsonl.gz", gzip.compress(GOOD)[:-9], r"a\.jsonl\.gz is not a whole gzip file"),
    "a broken list": ("a.json", '[{"query": "a"},\n {', r"a\.json, line 2: not JSON"),
    "an empty list": ("a.json", "[]", r"a\.json is empty"),
    "an item of a list": ("a.json", json.dumps([*ROWS, {"query": 3}]), r"a\.json, item 3: column 'query' holds 3"),
    "too few fields": ("a.csv", "query,positive\na\n", r"a\.csv, line 2: 1 fields, where the first line names 2"),
    "fields after a line break": ("a.csv", 'query,positive\n"a\nb",x\nc,d,e\n', r"a\.csv, line 4: 3 fields"),
    "a stray quote": ("a.csv", 'query,positive\n"a"b,x\n', r"a\.csv, line 2: not CSV"),
    "a column twice": ("a.csv", "query,query\na,b\n", r"a\.csv, line 1: column 'query' is named twice"),
    "no rows": ("a.csv", "query,positive\n", r"a\.csv is empty"),
    "bytes in CSV": ("a.csv", b"query,positive\na,b\n\xff,c\n", r"a\.csv, line 3: not UTF-8"),
    "a weight that is no number": ("a.csv", "query,positive,weight\na,b,nan\n", r"a\.csv, line 2: column 'weight'"),
    "a torn Parquet file": ("a.parquet", b"PAR1 and no more", r"a\.parquet cannot be read as Parquet"),
    "an empty Parquet file": ("a.parquet", b"", r"a\.parquet cannot be read as Parquet"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_named_by_file_and_line(case: str, tmp_path: Path) -> None:
    name, content, message = BROKEN[case]
    kind = {"jsonl": "jsonl", "json": "jsonl", "csv": "csv", "parquet": "parquet"}[name.split(".")[1]]
    with pytest.raises(DataError, match=message):
        read(written(tmp_path / name, content), kind)


def test_a_torn_parquet_file_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", query=["a"] * 100, positive=["b"] * 100)
    written(path, path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as Parquet"):
        read(path, "parquet")


def test_a_cell_of_a_parquet_file_is_named_by_its_row(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", query=[1, 2], positive=["a", "b"])
    with pytest.raises(DataError, match=r"a\.parquet, row 1: column 'query' holds 1 \(a number\)"):
        read(path, "parquet")


@pytest.mark.parametrize(
    "location, message",
    [
        ("none.jsonl", r"none\.jsonl' does not exist: name a jsonl file, a folder of them, or a pattern"),
        ("*.jsonl", r"no file fits the pattern '.*\*\.jsonl'"),
        ("folder", r"folder '.*folder' holds no jsonl file: those are named \*\.jsonl, \*\.jsonl\.gz"),
    ],
)
def test_a_place_without_files_is_refused(location: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=message):
        read(f"{tmp_path}/{location}")


def test_a_file_that_went_away_is_read_no_more(tmp_path: Path) -> None:
    shutil.rmtree(written(tmp_path / "set" / "a.jsonl", lines(*ROWS)).parent)
    with pytest.raises(DataError, match="does not exist"):
        read(tmp_path / "set" / "a.jsonl")


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_file_that_changed_under_an_old_date_is_read_again(tmp_path: Path, kind: str) -> None:
    def put(*queries: str) -> None:
        if kind == "parquet":
            parquet(path, query=list(queries), positive=["x"] * len(queries))
        else:
            written(path, lines(*({"query": query, "positive": "x"} for query in queries)))
        os.utime(path, (1_000_000_000, 1_000_000_000))

    path = tmp_path / f"a.{kind}"
    put("one", "two")
    assert read(path, kind).queries == ("one", "two")
    put("other one", "other two")
    assert read(path, kind).queries == ("other one", "other two")


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_brackets_in_a_name_are_part_of_the_name(tmp_path: Path, kind: str) -> None:
    for name, query in ((f"part[1].{kind}", "right"), (f"part1.{kind}", "wrong")):
        if kind == "parquet":
            parquet(tmp_path / name, query=[query], positive=["x"])
        else:
            written(tmp_path / name, lines({"query": query, "positive": "x"}))
    assert read(tmp_path / f"part[1].{kind}", kind).queries == ("right",)


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv"])
def test_one_column_may_be_both_query_and_positive(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "parquet":
        parquet(path, text=["one", "two"])
    else:
        written(path, "text\none\ntwo\n" if kind == "csv" else lines({"text": "one"}, {"text": "two"}))
    found = read(path, kind, columns=Columns("text", ("text",)))
    assert found.queries == found.documents == ("one", "two")
