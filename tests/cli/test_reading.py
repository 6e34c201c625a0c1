import json
from dataclasses import replace
from typing import Any

from click.testing import Result
from desk import Desk
from scripted_tuner import ERROR

from mixtune.study import StudyState
from mixtune.trial import TrialState


def read(result: Result) -> Any:  # noqa: ANN401 - any JSON
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_ls_gives_name_and_state_of_each_study(done: Desk) -> None:
    (line,) = read(done("ls", "--json"))
    assert line["name"] == "duo" and line["state"] == "complete"


def test_ls_of_nothing_is_an_empty_list(desk: Desk) -> None:
    assert read(desk("ls", "--json")) == []
    assert "No studies yet" in desk("ls").output


def test_trials_give_the_keys_of_the_contract(done: Desk) -> None:
    lines = read(done("trials", "duo", "--json"))
    assert [line["number"] for line in lines] == [0, 1, 2, 3, 4]
    assert lines[2]["role"] == "search" and lines[2]["state"] == "complete"
    assert lines[2]["weights"] == {"alpha": 0.8, "beta": 0.2}
    assert lines[2]["score"] == 0.5 and lines[2]["cost_flops"] == 100.0
    assert lines[2]["worker"] == {"node": "here", "pid": 7}


def test_a_failed_trial_tells_its_error(done: Desk) -> None:
    lines = read(done("trials", "duo", "--json"))
    assert lines[3]["error"] == ERROR
    assert "Trial 3 failed: ValueError: no luck" in done("trials", "duo").output


def test_show_gives_the_keys_of_the_contract(done: Desk) -> None:
    shown = read(done("show", "duo", "--json"))
    assert shown["name"] == "duo" and shown["state"] == "complete"
    assert shown["trials"]["complete"] == 4 and shown["trials"]["failed"] == 1
    assert shown["best"]["trial"] == 2
    assert shown["best"]["test"]["goal"]["ndcg@10"] == 0.5
    assert set(shown["baselines"]) == {"uniform", "proportional"}
    assert shown["versions"] == {"mixtune": "0"}
    assert shown["cost_flops"] == 100.0


def test_a_failed_study_names_the_commands_for_its_own_database(desk: Desk) -> None:
    desk.tuner.end = (StudyState.FAILED, "3 trials failed in a row")
    said = [
        desk("run", desk.write(), "--db", "sqlite:///x.db").stderr,
        desk("show", "duo", "--db", "sqlite:///x.db").stdout,
    ]
    for text in (" ".join(each.split()) for each in said):
        assert "3 trials failed in a row" in text
        assert "`mixtune trials duo --db sqlite:///x.db`" in text
        assert "`mixtune resume duo --db sqlite:///x.db`" in text


def test_a_study_whose_tuner_is_gone_is_shown_as_stopped(done: Desk) -> None:
    lease = done.store.acquire("duo", "host 1 2")
    done.store.update_study(lease, state=StudyState.RUNNING)
    assert read(done("ls", "--json"))[0]["state"] == read(done("show", "duo", "--json"))["state"] == "running"
    done.store.release(lease)
    (line,) = read(done("ls", "--json"))
    assert line["state"] == "stopped" and "its tuner is gone" in line["reason"]
    assert read(done("show", "duo", "--json"))["state"] == "stopped"
    shown = done("show", "duo").output
    assert "Study duo: stopped" in shown and "Reason: its tuner is gone" in shown
    assert "Go on with `mixtune resume duo`." in shown


def test_an_ended_run_is_listed_with_its_step(done: Desk) -> None:
    lease = done.store.acquire("duo", "host 1 2")
    trial = done.store.trials("duo")[2]
    assert trial.measurement is not None
    ended = replace(trial, state=TrialState.PRUNED, measurement=replace(trial.measurement, step=40))
    done.store.update_trial(lease, ended)
    lines = read(done("trials", "duo", "--json"))
    assert [line["stopped_at"] for line in lines] == [None, None, 40, None, None]
    assert "pruned 40" in done("trials", "duo").output
    assert read(done("show", "duo", "--json"))["trials"]["pruned"] == 1


def test_best_gives_the_recipe(done: Desk) -> None:
    best = read(done("best", "duo", "--json"))
    assert best["study"] == "duo" and best["weights"] == {"alpha": 0.8, "beta": 0.2}
    assert "Best recipe" in done("best", "duo").output


def test_best_of_a_study_without_results_says_what_to_do(desk: Desk) -> None:
    from mixtune.config import load

    desk.store.create_study(load(desk.folder / desk.write()).study)
    result = desk("best", "duo")
    assert result.exit_code == 1
    assert "mixtune resume duo" in result.stderr


def test_an_unknown_study_is_refused_without_a_traceback(done: Desk) -> None:
    for command in ("show", "trials", "best", "rm", "resume"):
        result = done(command, "dua")
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ") and "'duo'" in result.stderr


def test_reading_commands_create_no_database(done: Desk) -> None:
    done.opened.clear()
    for words in (("ls",), ("show", "duo"), ("trials", "duo"), ("best", "duo")):
        done(*words)
    assert not any(create for _, create in done.opened)


def test_tables_fit_80_columns(done: Desk) -> None:
    for words in (("ls",), ("show", "duo"), ("trials", "duo"), ("best", "duo")):
        assert max(len(line) for line in done(*words).output.splitlines()) <= 80


def test_rm_removes_the_study_and_its_checkpoints(done: Desk) -> None:
    folder = done.folder / "home" / "artifacts" / done.store.study("duo").uid
    folder.mkdir(parents=True)
    assert done("rm", "duo").exit_code == 0
    assert read(done("ls", "--json")) == []
    assert not folder.exists()


def test_db_upgrade_upgrades_the_database_named(desk: Desk) -> None:
    assert desk("db", "upgrade", "--db", "sqlite:///old.db").exit_code == 0
    assert desk.upgraded == ["sqlite:///old.db"]
