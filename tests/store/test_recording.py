import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from mixtune.errors import StoreError
from mixtune.measurement import Cost, Measurement
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source
from mixtune.store.recording import Recording, read_recording, recorded, write_recording
from mixtune.study import Study
from mixtune.target import Target
from mixtune.trial import Trial, TrialState

STUDY = Study(
    name="kept",
    sources=(Source("a", "jsonl", ("/home/me/a.jsonl", "/home/me/b.jsonl")), Source("b", "beir", "/home/me/b")),
    targets=(Target("t", "beir", "/home/me/t"),),
    search=Search("random"),
    budget=Budget(trials=3),
)


def trials() -> list[Trial]:
    proposal = Proposal(Recipe(Mixture({"a": 0.1, "b": 0.9})), 10, Role.SEARCH)
    seen = Measurement(score=1 / 3, cost=Cost(train=5.0, seconds=2.0), checkpoint="trial-0")
    done = Trial(
        0, proposal, 5, state=TrialState.COMPLETE, measurement=seen, node="my-host", pid=4, started=1.0, finished=2.0
    )
    return [done, replace(done, number=1, state=TrialState.FAILED, measurement=None, error="/home/me failed")]


def test_a_recording_is_read_back_equal(tmp_path: Path) -> None:
    recording = Recording("mixtune run FILE", (recorded(STUDY, trials()), recorded(STUDY, [])), {"numpy": "2"})
    write_recording(tmp_path / "r.jsonl.gz", recording)
    assert read_recording(tmp_path / "r.jsonl.gz") == recording


def test_nothing_of_the_machine_is_kept(tmp_path: Path) -> None:
    found = recorded(STUDY, trials())
    (only,) = found.trials
    assert (only.node, only.pid, only.started, only.finished) == (None, None, None, None)
    assert only.measurement is not None and only.measurement.checkpoint is None
    assert only.measurement.cost == Cost(train=5.0) and only.measurement.score == 1 / 3
    write_recording(tmp_path / "r.jsonl.gz", Recording("c", (found,)))
    text = gzip.decompress((tmp_path / "r.jsonl.gz").read_bytes()).decode()
    assert "/home" not in text and "my-host" not in text and '"b.jsonl"' in text


def test_equal_recordings_are_equal_files(tmp_path: Path) -> None:
    for name in ("x", "y"):
        write_recording(tmp_path / name, Recording("c", (recorded(STUDY, trials()),)))
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b""), gzip.compress(b"{}\n"), gzip.compress(b"[1]\n"), gzip.compress(b"{")],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.jsonl.gz").write_bytes(content)
    with pytest.raises(StoreError, match=r"is no recording of studies .*`mixtune replay NAME --record"):
        read_recording(tmp_path / "r.jsonl.gz")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        read_recording(tmp_path / "r.jsonl.gz")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write_recording(tmp_path / "none" / "r.jsonl.gz", Recording("c", ()))
