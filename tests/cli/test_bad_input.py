"""What can be wrong with what a person gives mixtune: one message with the value, what is allowed and the next step.

Nothing is mocked but the machine: every command runs with its real parts, and encoding a text fails the test.
"""

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from bad_cases import CASES, STUDY, Case, Change, gone, lines, model, study
from click.testing import Result
from desk import Desk
from full_disk import full_disk
from test_check import folder
from typer.testing import CliRunner

from mixtune.cli import Parts, create_app
from mixtune.store.sql import open_store
from mixtune.study import StudyState
from mixtune.training.encoding.features import FeatureTable


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good data and a good study file, in which a command may be typed and no text be encoded."""

    def encoded(*_: object) -> None:
        raise AssertionError("a text was encoded")

    monkeypatch.setattr(FeatureTable, "_encode", encoded)
    monkeypatch.setenv("MIXTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("MIXTUNE_DB", "MIXTUNE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    folder(tmp_path, "wiki", 30)
    pairs = [{"query": f"question {n}", "positive": f"answer to {n}"} for n in range(20)]
    (tmp_path / "faq.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


def typed(command: str, memory: int = 10**12) -> Result:
    return CliRunner().invoke(create_app(), command.split(), obj=Parts(memory=lambda: memory))


def refused(command: str, memory: int = 10**12) -> str:
    """The message of a command that must refuse: one, and besides it no more than what was being done."""
    result = typed(command, memory)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (1, 2), result.output
    message = result.stderr
    assert len(re.findall("^Error: ", message, re.MULTILINE)) == 1 and "Traceback" not in message
    assert all(re.search("preparing: (reading|comparing)", line) for line in result.stdout.splitlines())
    return message


def left_behind(place: Path) -> list[str]:
    """What a refused command may not leave: encoded texts, a prepared study, anything half written."""
    made = [path for path in (place / "home").rglob("*") if path.is_file()]
    return [path.name for path in made if "prepared" in path.parts or path.suffix in (".bin", ".have", ".tmp")]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_one_message_says_what_is_wrong_and_what_to_do(case: Case, place: Path) -> None:
    case.change(place)
    databases = sorted(place.rglob("*.db"))
    message = refused(case.command)
    for part in case.says:
        assert part in message, message
    assert left_behind(place) == []
    assert sorted(place.rglob("*.db")) == databases


MACHINE = [
    (
        "a home that cannot be written",
        {"MIXTUNE_HOME": "/proc/mixtune"},
        "check study.yaml",
        ("/proc/mixtune", "set MIXTUNE_HOME to a folder that can"),
    ),
    (
        "a home that is a file",
        {"MIXTUNE_HOME": "faq.jsonl"},
        "run study.yaml",
        ("faq.jsonl", "cannot be written", "set MIXTUNE_HOME"),
    ),
    (
        "a database that cannot be written",
        {"MIXTUNE_DB": "sqlite:////proc/x.db"},
        "run study.yaml",
        ("/proc/x.db", "you may write to it"),
    ),
    (
        "a study file that cannot be written",
        {},
        "init . --out /proc/study.yaml",
        ("/proc/study.yaml cannot be written", "--out"),
    ),
    ("a study file that is there", {}, "init .", ("study.yaml exists", "--out")),
    (
        "a folder of data that is not there",
        {"MIXTUNE_HOME": "other"},
        "init home --out new.yaml",
        ("there is no folder 'home'", "your data"),
    ),
]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody may write to, root included")
@pytest.mark.parametrize(
    "environment, command, says", [each[1:] for each in MACHINE], ids=[each[0] for each in MACHINE]
)
def test_a_place_that_cannot_be_used_is_told(
    environment: dict[str, str], command: str, says: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    message = refused(command)
    for part in says:
        assert part in message, message
    assert left_behind(place) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "locked").mkdir(mode=0o555)
    monkeypatch.setenv("MIXTUNE_HOME", str(place / "locked" / "home"))
    assert "cannot be written (Permission denied): set MIXTUNE_HOME" in refused("check study.yaml")
    monkeypatch.setenv("MIXTUNE_HOME", str(place / "home"))
    assert "you may write to it" in refused(f"run study.yaml --db sqlite:///{place}/locked/x.db")


@pytest.mark.parametrize("command", ["check study.yaml", "run study.yaml"])
def test_more_workers_than_fit_into_memory_are_refused(command: str, place: Path) -> None:
    study("trials: 3", "trials: 3, workers: 6")(place)
    message = refused(command, memory=4_200_000_000)
    assert "budget.workers is 6, and each worker takes at least 1 GB of memory, but 4.2 GB are free" in message
    assert "lower budget.workers to 4, or end other programs" in message


def test_a_study_that_died_of_memory_is_told_what_to_lower(desk: Desk) -> None:
    desk.tuner.end = (StudyState.FAILED, "3 trials failed in a row, the last one (trial 9) with: MemoryError")
    message = desk("run", desk.write()).stderr
    assert "too little memory: end other programs, or lower budget.workers or proxy.batch_size" in message
    desk.tuner.end = (StudyState.FAILED, "3 trials failed in a row, the last one (trial 9) with: ValueError: no luck")
    assert "memory" not in desk("resume", "duo").stderr


def test_a_disk_that_is_too_small_is_told_before_anything_is_encoded(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixtune.cli.check.free", lambda folder: 1000)
    assert "needs 1 MB in" in refused("check study.yaml")


@pytest.mark.parametrize("size", [0, 200, 1000])
def test_a_disk_that_is_full_is_told_and_check_passes_once_it_has_room(place: Path, size: int) -> None:
    with full_disk(size):
        message = refused("check study.yaml")
    assert "no space left in" in message and "free some or set MIXTUNE_HOME to a folder on another disk" in message
    assert left_behind(place) == []
    assert typed("check study.yaml").exit_code == 0


def test_a_database_on_a_full_disk_is_told_and_opens_once_it_has_room(place: Path) -> None:
    with full_disk(100):
        message = refused("run study.yaml")
    assert "mixtune.db: " in message and ("free some space" in message or "check the disk" in message)
    with closing(open_store(f"sqlite:///{place / 'mixtune.db'}", create=True)) as store:
        assert store.studies() == []


def test_init_on_a_full_disk_leaves_no_study_file(place: Path) -> None:
    with full_disk(100):
        message = refused("init wiki --out new.yaml")
    assert "new.yaml cannot be written" in message
    assert not (place / "new.yaml").exists()


STOPPED_EARLY = [
    ("a broken JSON line", lines("faq.jsonl", 7, "{"), "faq.jsonl, line 7: not JSON"),
    ("no dev judgements", gone("wiki/qrels/dev.tsv"), "dev.tsv does not exist"),
    ("a model that is not there", model("./nowhere"), "'./nowhere' does not exist"),
    ("a keep level that empties a source", study("final:", "space: {keep: [0.05]}\nfinal:"), "leaves 1 of the"),
    ("passes that leave no mixture", study("final:", "space: {max_epochs: 1}\nfinal:"), "raise space.max_epochs"),
]


@pytest.mark.parametrize("change, says", [each[1:] for each in STOPPED_EARLY], ids=[each[0] for each in STOPPED_EARLY])
def test_run_refuses_as_check_does_before_anything_is_encoded(change: Change, says: str, place: Path) -> None:
    change(place)
    assert says in refused("run study.yaml")
    assert left_behind(place) == []
    with closing(open_store(f"sqlite:///{place / 'mixtune.db'}", create=False)) as store:
        assert store.study("tiny").state == "failed"
        assert store.trials("tiny") == []


def test_what_is_odd_but_allowed_is_noted_by_check(place: Path) -> None:
    study("batch_size: 4", "batch_size: 24")(place)
    lines("faq.jsonl", 2, '{"query": "question 0", "positive": "another answer"}')(place)
    repeated = [{"query": f"question {n % 5}", "positive": f"answer {n}"} for n in range(20)]
    (place / "faq.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in repeated))
    result = typed("check study.yaml")
    said = " ".join(result.stdout.split())
    assert result.exit_code == 0
    assert "faq: fewer rows than a batch of 24, so their batches are smaller" in said
    assert "faq: 15 of 20 rows repeat a query" in said
    assert "target goal: 5 dev queries; below 50 the search sees little but noise" in said


@pytest.mark.parametrize("command", ["check", "run", "sources"])
def test_a_broken_file_is_told_before_a_heavy_library_is_loaded(command: str, place: Path) -> None:
    code = (
        f"import sys; from mixtune.cli import create_app; sys.argv[1:] = [{command!r}, 'none.yaml']\n"
        "try: create_app()()\n"
        "finally: print(sorted({'torch', 'ray', 'sqlalchemy', 'datasets', 'transformers'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "[]\n")
    assert (
        done.stderr == "Error: none.yaml: cannot be read (No such file or directory); give the path of a study file\n"
    )
