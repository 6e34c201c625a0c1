import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from surface import recorded_chain, recorded_random

from mixtune.errors import StoreError
from mixtune.measurement import Cost, Measurement
from mixtune.preparation import Preparation
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.store.recording import Recording, read_recording, recorded, write_recording
from mixtune.study import Study
from mixtune.target import Target, TargetFacts
from mixtune.trial import Trial, TrialState

STUDY = Study(
    name="kept",
    sources=(Source("a", "jsonl", ("/home/me/a.jsonl", "/home/me/b.jsonl")), Source("b", "beir", "/home/me/b")),
    targets=(Target("t", "beir", "/home/me/t"),),
    search=Search("random"),
    budget=Budget(trials=3),
    preparation=Preparation(
        "k", {name: SourceFacts(9, 9, 30.0, name) for name in "ab"}, {"t": TargetFacts(4, 4, 9, 9, "t")}, 1200.0
    ),
)


def trials() -> list[Trial]:
    proposal = Proposal(Recipe(Mixture({"a": 0.1, "b": 0.9})), 10, Role.SEARCH)
    seen = Measurement(
        score=1 / 3,
        dev={"t": {"ndcg@10": 1 / 3}},
        dev_loss={"t": 0.5},
        cost=Cost(train=5.0, seconds=2.0),
        checkpoint="trial-0",
    )
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
    [b"", b"no gzip", *(gzip.compress(each, mtime=0) for each in (b"", b"{}\n", b"[1]\n", b"{"))],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.jsonl.gz").write_bytes(content)
    with pytest.raises(StoreError, match=r"is no recording of studies .*`mixtune replay NAME --record"):
        read_recording(tmp_path / "r.jsonl.gz")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        read_recording(tmp_path / "r.jsonl.gz")


def test_a_place_that_cannot_be_written_is_refused_with_the_option_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be written .*with --record"):
        write_recording(tmp_path / "none" / "r.jsonl.gz", Recording("c", ()), "--record")


Lines = list[dict[str, Any]]


def seen(lines: Lines, number: int = 2) -> dict[str, Any]:
    found: dict[str, Any] = lines[number]["trial"]["measurement"]
    return found


DAMAGES: dict[str, tuple[Callable[[Lines], object], str]] = {
    "only the first line": (lambda lines: lines.__delitem__(slice(1, None)), "it holds no study"),
    "a trial first": (lambda lines: lines.pop(1), "line 2: a trial stands before"),
    "a list": (lambda lines: lines.insert(9, [1, 2]), r"line \d+ is \[1, 2\]"),
    "a number": (lambda lines: lines.insert(9, 5), r"line \d+ is 5"),
    "something else": (lambda lines: lines.append({"x": {}}), r"line \d+: it holds x, neither a study nor a trial"),
    "a trial that is text": (lambda lines: lines.append({"trial": "x"}), r"line \d+: trial is 'x'"),
    "versions that are a list": (lambda lines: lines[0].update(versions=[1]), r"versions is \[1\]"),
    "no versions": (lambda lines: lines[0].pop("versions"), "versions is None"),
    "a command that is a number": (lambda lines: lines[0].update(command=5), "its command is 5"),
    "no dev_loss": (lambda lines: seen(lines).pop("dev_loss"), "trial 0 has no dev_loss of easy, dev_loss of hard"),
    "no target": (lambda lines: seen(lines, 3)["dev"].pop("hard"), "'planted', trial 1 has no ndcg@10 of hard in dev"),
    "a NaN": (lambda lines: seen(lines)["dev_loss"].update(easy=float("nan")), "line 3: .*easy is nan"),
    "a text that means no number": (lambda lines: seen(lines)["dev_loss"].update(easy="NaN"), "line 3: .*easy is nan"),
    "a source that the study has not": (
        lambda lines: lines[2]["trial"]["proposal"]["recipe"].update(mixture={"weights": {"other": 1.0}}),
        "'planted', trial 0 names other, the study has first, second, third, noise",
    ),
    "a probe of such a source": (
        lambda lines: lines[-1]["trial"]["proposal"]["probe"].update(sources=["other"]),
        "'chain', trial 5 names other, the",
    ),
    "an influence of such a source": (
        lambda lines: seen(lines, -1)["influence"].update(other=seen(lines, -1)["influence"]["first"]),
        "'chain', trial 5 names other, the",
    ),
    "no preparation": (lambda lines: lines[1]["study"].pop("preparation"), "'planted' was never prepared"),
    "no facts of a source": (
        lambda lines: lines[1]["study"]["preparation"]["sources"].pop("first"),
        "'planted' says nothing of first",
    ),
    "runs that cost nothing": (
        lambda lines: lines[1]["study"]["preparation"].update(run_flops=0),
        r"'planted' says nothing of a fresh run \(0.0 operations\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_recording_is_refused_with_the_file_and_what_is_wrong(tmp_path: Path, damage: str) -> None:
    path, (change, said) = tmp_path / "r.jsonl.gz", DAMAGES[damage]
    write_recording(path, Recording("c", (recorded_random(mixtures=2, reruns=0), recorded_chain())))
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    change(lines)
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    with pytest.raises(StoreError, match=f"r.jsonl.gz is no recording of studies .*{said}"):
        read_recording(path)
