import json
from pathlib import Path

import pytest
from desk import Desk
from surface import recorded_chain, recorded_random

from mixtune.store.recording import Recorded, Recording, read_recording, write_recording
from mixtune.study import StudyState

FEW = ("--repeats", "2", "--runs", "2", "--searchers", "random,uniform", "--jobs", "1")


@pytest.fixture
def file(tmp_path: Path) -> str:
    place = tmp_path / "made.jsonl.gz"
    write_recording(place, Recording("made up", (recorded_random(mixtures=24, reruns=2), recorded_chain())))
    return str(place)


def keep(desk: Desk, found: Recorded, state: StudyState = StudyState.COMPLETE) -> None:
    """Put a study with its trials into the desk's store."""
    desk.store.create_study(found.study)
    lease = desk.store.acquire(found.study.name, "host 1 2")
    for trial in found.trials:
        desk.store.add_trial(lease, trial)
    desk.store.update_study(lease, state=state)
    desk.store.release(lease)


def test_a_recording_is_replayed_without_a_database(desk: Desk, file: str) -> None:
    result = desk("replay", file, "--json", *FEW)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert {each["label"] for each in told["searchers"]} == {"random", "uniform"}
    assert told["command"] == "made up" and told["repeats"] == 2
    assert desk.opened == []


def test_the_tables_name_searchers_and_what_the_surface_stands_on(desk: Desk, file: str) -> None:
    output = desk("replay", file, *FEW).output
    assert "2 replays of 2 fresh runs each" in output
    assert "Surfaces fitted to 36 real runs of 24 mixtures" in output
    assert "regret" in output and "random" in output


def test_a_study_is_recorded_and_the_file_replays(desk: Desk) -> None:
    found = recorded_random(mixtures=24, reruns=2)
    keep(desk, found)
    out = desk.folder / "kept.jsonl.gz"
    result = desk("replay", "planted", "--record", str(out))
    assert result.exit_code == 0, result.output
    assert f"Wrote {out}: 1 study, {len(found.trials)} trials" in result.output.replace("\n", "")
    (study,) = read_recording(out).studies
    assert [source.location for source in study.study.sources] == ["first", "second", "third", "noise"]
    assert desk("replay", str(out), *FEW).exit_code == 0


def test_a_recording_tells_its_command_without_the_database_and_the_folders(desk: Desk, file: str) -> None:
    keep(desk, recorded_random(mixtures=24, reruns=2))
    out = desk.folder / "kept.jsonl.gz"
    result = desk("replay", "planted", file, "--db", "postgresql://me:secret@host/x", "--record", str(out))
    assert result.exit_code == 0, result.output
    assert read_recording(out).command == "made up; mixtune replay made.jsonl.gz planted --record kept.jsonl.gz"


@pytest.mark.parametrize("state", [state for state in StudyState if state is not StudyState.COMPLETE])
def test_a_study_that_has_not_finished_is_refused(desk: Desk, state: StudyState) -> None:
    keep(desk, recorded_random(mixtures=24, reruns=2), state)
    result = desk("replay", "planted", *FEW)
    shown = "stopped" if state is StudyState.RUNNING else state.value  # nobody drives it
    assert result.exit_code == 1
    assert f"study 'planted' is {shown}" in result.stderr and "`mixtune resume planted`" in result.stderr


def test_a_study_that_is_named_twice_counts_once(desk: Desk, file: str) -> None:
    """By its name, in a recording, and by another name of the recording's file."""
    keep(desk, recorded_random(mixtures=24, reruns=2))
    once, out = desk.folder / "once.jsonl.gz", desk.folder / "again.jsonl.gz"
    assert desk("replay", "planted", "--record", str(once)).exit_code == 0
    names = (
        "planted",
        str(once),
        "planted",
        "once.jsonl.gz",
        file,
        f"{desk.folder}/../{desk.folder.name}/made.jsonl.gz",
    )
    result = desk("replay", *names, "--record", str(out))
    assert result.exit_code == 0, result.output
    (kept,) = read_recording(once).studies
    assert read_recording(out).studies.count(kept) == 1
    assert [each.study.name for each in read_recording(out).studies].count("chain") == 1


def test_where_no_terminal_is_a_line_tells_each_tenth_of_the_replays(desk: Desk, file: str) -> None:
    result = desk("replay", file, "--repeats", "11", "--runs", "1", "--searchers", "uniform", "--jobs", "1")
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == ["replayed 10 of 11", "replayed 11 of 11"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none",), "'none'"),
        (("none.jsonl.gz",), "No such file"),
        (("FILE", "--searchers", "randon"), "did you mean 'random'"),
        (("FILE", "--searchers", "tdro"), "nothing can be replayed"),
        (("FILE", "--runs", "0"), "--runs 0"),
        (("FILE", "--record", "x.json"), "ends with .jsonl.gz"),
        (("FILE", "--record", "none/x.jsonl.gz"), "name another file with --record"),
    ],
)
def test_mistakes_are_told_with_what_is_allowed(desk: Desk, file: str, words: tuple[str, ...], said: str) -> None:
    given = [file if word == "FILE" else word for word in words]
    result = desk("replay", *given)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ") and said in result.stderr


def test_best_shows_a_preferred_recipe_with_its_evidence(desk: Desk) -> None:
    keep(desk, recorded_random(mixtures=24, reruns=2))
    told = json.loads(desk("best", "planted", "--prefer", "sparse", "--json").stdout)
    assert told["study"] == "planted" and told["prefer"] == "sparse"
    assert sum(told["weights"].values()) == pytest.approx(1)
    assert told["trials"] and told["evidence"]
    assert told["evidence"].split(",")[0] in " ".join(desk("best", "planted", "--prefer", "sparse").output.split())


def test_a_preferred_recipe_is_exported(desk: Desk) -> None:
    keep(desk, recorded_random(mixtures=24, reruns=2))
    told = json.loads(desk("best", "planted", "--prefer", "cheap", "--json").stdout)
    out = desk.folder / "mixture.json"
    result = desk("export", "planted", "--prefer", "cheap", "--out", str(out))
    assert result.exit_code == 0, result.output
    weights = {source["name"]: source["weight"] for source in json.loads(out.read_text())["sources"]}
    assert weights == pytest.approx(told["weights"], abs=1e-6)


def test_a_preference_before_the_best_has_run_says_what_to_do(done: Desk) -> None:
    result = done("best", "duo", "--prefer", "sparse")
    assert result.exit_code == 1 and "mixtune resume duo" in result.stderr


def test_an_unknown_preference_is_refused(done: Desk) -> None:
    result = done("best", "duo", "--prefer", "cheapest")
    assert result.exit_code == 2 and "Value error" not in result.output
    assert "'cheapest' is no preference; did you mean 'cheap'? known: sparse, proportional, cheap" in result.output
