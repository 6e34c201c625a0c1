import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import results
from results import Line, Results

from mixtune.study import Study


@dataclass(frozen=True)
class Nowhere:
    key: str = "nowhere"

    def study(self) -> Study:
        raise AssertionError("nothing is prepared here")


@dataclass(frozen=True)
class Doubling:
    number: int
    done: list[int]
    setting: Nowhere = Nowhere()

    @property
    def key(self) -> str:
        return f"twice {self.number}"

    def run(self) -> Line:
        self.done.append(self.number)
        return {"value": 2 * self.number}


@pytest.fixture(autouse=True)
def unprepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "driver_of", lambda setting: SimpleNamespace())


def test_lines_come_in_the_order_of_the_jobs_and_equal_jobs_run_once(tmp_path: Path) -> None:
    done: list[int] = []
    lines = Results(tmp_path / "out.jsonl", 1).finish([Doubling(number, done) for number in (3, 1, 3)])
    assert [line["value"] for line in lines] == [6, 2, 6]
    assert done == [3, 1]


def test_a_later_sitting_repeats_nothing(tmp_path: Path) -> None:
    done: list[int] = []
    Results(tmp_path / "out.jsonl", 1).finish([Doubling(1, done)])
    lines = Results(tmp_path / "out.jsonl", 1).finish([Doubling(1, done), Doubling(2, done)])
    assert [line["value"] for line in lines] == [2, 4]
    assert done == [1, 2]


def test_a_line_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    done: list[int] = []
    path = tmp_path / "out.jsonl"
    Results(path, 1).finish([Doubling(1, done), Doubling(2, done)])
    whole = path.read_text()
    path.write_text(whole[:-5])
    Results(path, 1).finish([Doubling(1, done), Doubling(2, done)])
    assert done == [1, 2, 2]
    assert [json.loads(text)["value"] for text in path.read_text().splitlines()] == [2, 4]
    assert path.read_text() == whole
