import gzip
import json
from pathlib import Path

import datasets
import pytest

from mixtune.errors import DataError
from mixtune.training.data.jsonl import as_it_stands, lines, opened, place, quiet, records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.jsonl"


def test_objects_are_numbered_by_their_lines(path: Path) -> None:
    path.write_text('{"a": 1}\n\n  \n{"a": 2}\n')
    assert list(records(path)) == [(f"{path}, line 1", {"a": 1}), (f"{path}, line 4", {"a": 2})]
    assert place(path, 1) == f"{path}, line 4"


def test_items_of_a_list_are_numbered_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"a": 1},\n\n{"a": 2}]')
    assert place(path, 1) == f"{path}, item 2"


def test_archives_have_the_lines_of_what_is_in_them(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"one\n\nthree\n"))
    assert list(lines(path)) == [(1, b"one\n"), (3, b"three\n")]
    assert [number for number, _ in lines(path, blank=True)] == [1, 2, 3]


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b""])
def test_a_byte_order_mark_is_no_text(path: Path, start: bytes) -> None:
    path.write_bytes(start + b'{"a": 1}\r\n')
    assert [record for _, record in records(path)] == [{"a": 1}]


def test_what_datasets_cannot_read_is_not_opened(path: Path, tmp_path: Path) -> None:
    path.write_text('{"a": 1}\n{"a": ')
    assert opened(path, tmp_path / "cache") is None
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: not JSON"):
        list(records(path))


@pytest.mark.parametrize(
    "values, trusted",
    [
        (["text", None], True),
        ([["text"], []], True),
        ([{"title": "a", "text": "b"}], True),
        ([0.5, 1], True),
        (["2020-01-01"], False),
        ([["2020-01-01"]], False),
        (["text", 7], False),
        (["text", ["text"]], False),
    ],
)
def test_only_values_that_datasets_leaves_alone_are_trusted(
    values: list[object], trusted: bool, path: Path, tmp_path: Path
) -> None:
    path.write_text("".join(json.dumps({"a": value, "b": "text"}) + "\n" for value in values))
    dataset = opened(path, tmp_path / "cache")
    assert dataset is not None
    assert as_it_stands(dataset, ["b"])
    assert as_it_stands(dataset, ["a"]) is trusted


def test_progress_bars_are_shown_again_after_quiet() -> None:
    before = datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    with quiet():
        assert datasets.are_progress_bars_disabled()
    assert (datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()) == before
