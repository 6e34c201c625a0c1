import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mixtune.errors import DataError
from mixtune.training.encoding.textlog import digest
from mixtune.training.teaching import scorebook
from mixtune.training.teaching.scorebook import ScoreBook, pair_address


def address(number: int) -> bytes:
    return digest(f"text {number}")


def test_scores_are_read_back_bit_for_bit_and_unknown_ones_are_absent(tmp_path: Path) -> None:
    book = ScoreBook(tmp_path / "deep" / "book.db")
    assert book.scores([address(0)]) == {}
    scores = {address(i): i / 3 for i in range(1200)}
    book.keep_scores(scores)
    assert ScoreBook(tmp_path / "deep" / "book.db").scores([*scores, address(9999)]) == scores


def test_a_score_that_is_there_never_changes(tmp_path: Path) -> None:
    book = ScoreBook(tmp_path / "book.db")
    book.keep_scores({address(1): 1.0})
    book.keep_scores({address(1): 2.0, address(2): 3.0})
    assert book.scores([address(1), address(2)]) == {address(1): 1.0, address(2): 3.0}


def test_texts_of_any_characters_are_kept(tmp_path: Path) -> None:
    book = ScoreBook(tmp_path / "book.db")
    texts = {digest(text): text for text in ("", "plain", "naïve \u03b1\0", "half \ud800 pair")}
    book.keep_texts(texts)
    assert book.texts(texts) == texts


def test_a_pair_is_named_by_both_texts_in_order() -> None:
    assert len({pair_address(address(a), address(b)) for a in range(5) for b in range(5)}) == 25


def test_a_file_that_a_killed_writer_left_empty_is_read_and_written(tmp_path: Path) -> None:
    (tmp_path / "book.db").touch()
    book = ScoreBook(tmp_path / "book.db")
    assert book.scores([address(1)]) == {}
    assert book.texts([address(1)]) == {}
    book.keep_scores({address(1): 1.0})
    assert book.scores([address(1)]) == {address(1): 1.0}


def test_both_tables_appear_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorebook, "_TABLES", (scorebook._TABLES[0], "broken ("))
    with pytest.raises(sqlite3.OperationalError):
        ScoreBook(tmp_path / "book.db").keep_scores({address(1): 1.0})
    monkeypatch.undo()
    assert ScoreBook(tmp_path / "book.db").texts([address(1)]) == {}


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    def write(worker: int) -> None:
        for start in range(5):
            ScoreBook(tmp_path / "book.db").keep_scores({address(1000 * worker + start): float(worker)})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    every = [address(1000 * worker + start) for worker in range(4) for start in range(5)]
    assert len(ScoreBook(tmp_path / "book.db").scores(every)) == 20


def test_a_full_disk_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite3.connect

    def small(*args: object, **kwargs: object) -> sqlite3.Connection:
        database = real(*args, **kwargs)  # type: ignore[call-overload]
        database.execute("PRAGMA max_page_count = 8")
        return database  # type: ignore[no-any-return]

    monkeypatch.setattr("mixtune.training.teaching.scorebook.sqlite3.connect", small)
    with pytest.raises(DataError, match="no space left"):
        ScoreBook(tmp_path / "book.db").keep_texts({address(i): "long " * 500 for i in range(100)})
