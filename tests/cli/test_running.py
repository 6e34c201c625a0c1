from pathlib import Path

import pytest
from desk import STUDY, Desk

from mixtune.errors import LeaseHeld, ModelError
from mixtune.store.base import Lease
from mixtune.study import StudyState
from mixtune.trial import TrialState


def test_run_ends_with_the_report_and_what_to_do_next(done: Desk) -> None:
    output = done("show", "duo").output
    assert "Best recipe" in output and "proportional" in output
    again = done("run", done.write())
    assert again.exit_code == 0
    assert "Study duo is complete: nothing is left to run." in again.output
    assert "mixtune export duo --format sentence-transformers" in again.output


def test_run_writes_a_line_per_event_where_nobody_sits(desk: Desk) -> None:
    output = desk("run", desk.write()).output
    assert "preparing: reading (2)" in output
    assert "trial 2 search complete, 100 FLOP, score 0.5000, alpha 0.80, beta 0.20; 3 of 5 done" in output
    assert "trial 3 search failed: ValueError: no luck; 4 of 5 done" in output
    assert "study duo: complete" in output
    assert "Whether" not in output and "No winner between tuning and proportional sampling" in output


def test_the_next_larger_budget_is_of_the_studys_own_kind(desk: Desk) -> None:
    assert "mixtune resume duo --trials N" in desk("run", desk.write()).output
    other = STUDY.replace("duo", "trio").replace("trials: 2", "runs: 4")
    assert "mixtune resume trio --runs X" in desk("run", desk.write(other)).output


def test_the_study_is_stored_before_anything_is_done_for_it(desk: Desk) -> None:
    desk.tuner.trouble = [ModelError("no such model: name another")]
    result = desk("run", desk.write())
    assert result.exit_code == 1
    assert result.stderr == "Error: no such model: name another\n"
    assert desk.store.study("duo").state is StudyState.QUEUED


def test_run_again_goes_on_where_the_study_stands(desk: Desk) -> None:
    desk.tuner.end = (StudyState.STOPPED, "interrupted")
    stopped = desk("run", desk.write())
    assert stopped.exit_code == 130
    assert "mixtune resume duo" in stopped.stderr
    desk.tuner.end = (StudyState.COMPLETE, "")
    assert desk("run", desk.write()).exit_code == 0
    assert len(desk.tuner.calls) == 2
    assert len(desk.store.trials("duo")) == 5


def test_a_study_that_failed_says_why(desk: Desk) -> None:
    desk.tuner.end = (StudyState.FAILED, "3 trials failed in a row")
    result = desk("run", desk.write())
    assert result.exit_code == 1
    assert "Error: study 'duo' failed: 3 trials failed in a row" in result.stderr
    assert "then `mixtune resume duo`." in result.stderr


def test_run_refuses_another_specification_and_names_what_differs(done: Desk) -> None:
    other = Path(done.write()).read_text().replace("package: scipy", "package: scipy, limit: 9") + "seed: 5\n"
    result = done("run", done.write(other))
    assert result.exit_code == 1
    assert "sources.beta.limit is not given, the file says 9" in result.stderr
    assert "seed is 0, the file says 5" in result.stderr
    assert "mixtune rm duo" in result.stderr
    assert len(done.tuner.calls) == 1


def test_run_sends_another_budget_to_resume(done: Desk) -> None:
    other = Path(done.write()).read_text().replace("trials: 2", "trials: 9")
    result = done("run", done.write(other))
    assert result.exit_code == 1
    assert "mixtune resume duo --trials 9`; to go on as it is, `mixtune resume duo`" in result.stderr


@pytest.mark.parametrize(
    "wanted, spent",
    [("trials: 1", "the search has 2 trials already"), ("runs: 0.5", "the search has spent 1.00 fresh runs")],
)
def test_run_never_advises_a_budget_that_resume_refuses(done: Desk, wanted: str, spent: str) -> None:
    result = done("run", done.write(STUDY.replace("trials: 2", wanted)))
    assert result.exit_code == 1
    assert f"the new one is too small, {spent}" in result.stderr
    assert "--trials" not in result.stderr and "--runs" not in result.stderr
    assert "to go on as it is, `mixtune resume duo`" in result.stderr


def test_a_study_without_trials_takes_the_corrected_file(desk: Desk) -> None:
    desk.tuner.trouble = [ModelError("no such model")]
    desk("run", desk.write())
    corrected = Path(desk.write()).read_text() + "seed: 5\n"
    assert desk("run", desk.write(corrected)).exit_code == 0
    assert desk.store.study("duo").study.seed == 5


def test_resume_of_a_complete_study_says_so(done: Desk) -> None:
    result = done("resume", "duo")
    assert result.exit_code == 0
    assert "Study duo is complete" in result.output
    assert len(done.tuner.calls) == 1


def test_resume_extends_a_complete_study_once(done: Desk) -> None:
    for _ in range(2):
        assert done("resume", "duo", "--trials", "7").exit_code == 0
    assert done.store.study("duo").study.budget.trials == 7
    assert len(done.tuner.calls) == 2


def test_a_new_budget_replaces_the_old_one_whole(done: Desk) -> None:
    assert done("resume", "duo", "--runs", "4.5").exit_code == 0
    budget = done.store.study("duo").study.budget
    assert (budget.trials, budget.runs) == (None, 4.5)


@pytest.mark.parametrize(
    "option, value, message",
    [("--trials", "1", "the search has 2 trials already"), ("--runs", "0.5", "the search has spent 1.00 fresh runs")],
)
def test_a_budget_below_what_is_spent_is_refused(done: Desk, option: str, value: str, message: str) -> None:
    result = done("resume", "duo", option, value)
    assert result.exit_code == 1
    assert message in result.stderr
    assert done.store.study("duo").study.budget.trials == 2


def test_an_extension_keeps_what_another_tuner_did_while_it_waited(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.tuner.trouble = [ModelError("no such model")]
    desk("run", desk.write())
    acquire, tries = desk.store.acquire, list[str]()

    def busy_once(name: str, owner: str) -> Lease:
        tries.append(owner)
        if len(tries) == 1:
            assert desk("run", desk.write()).exit_code == 0
            raise LeaseHeld("driven by process 9")
        return acquire(name, owner)

    monkeypatch.setattr(desk.store, "acquire", busy_once)
    desk.tuner.trouble = []
    assert desk("resume", "duo", "--trials", "7").exit_code == 0
    assert desk.store.study("duo").study.preparation is not None
    assert desk.store.study("duo").study.budget.trials == 7


@pytest.mark.parametrize("words", [("--trials", "0"), ("--runs", "-1"), ("--runs", "nan")])
def test_a_budget_that_is_none_is_a_usage_error(done: Desk, words: tuple[str, str]) -> None:
    assert done("resume", "duo", *words).exit_code == 2


def test_a_dead_tuners_lease_is_waited_for(desk: Desk) -> None:
    desk.tuner.trouble = [LeaseHeld("driven by process 9")] * 3
    result = desk("run", desk.write())
    assert result.exit_code == 0
    assert desk.waited == [1.0] * 3
    assert "Waiting up to 30 s: driven by process 9" in result.stderr


def test_a_living_tuner_is_left_alone_after_half_a_minute(desk: Desk) -> None:
    desk.tuner.trouble = [LeaseHeld("driven by process 9")] * 99
    result = desk("run", desk.write())
    assert result.exit_code == 1
    assert sum(desk.waited) == 30
    assert "Error: driven by process 9" in result.stderr


def test_a_study_file_that_is_wrong_touches_no_database(desk: Desk) -> None:
    result = desk("run", desk.write("name: duo\n"))
    assert result.exit_code == 1
    assert "lacks the key 'sources'" in result.stderr
    assert desk.opened == []


def test_errors_show_their_traceback_on_request(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXTUNE_DEBUG", "1")
    desk.tuner.trouble = [ModelError("no such model")]
    assert isinstance(desk("run", desk.write()).exception, ModelError)


def test_failed_trials_stay_in_the_books(done: Desk) -> None:
    assert [trial.state for trial in done.store.trials("duo")].count(TrialState.FAILED) == 1


@pytest.mark.parametrize(
    "words, environment, in_file, url",
    [
        ([], {}, "", "sqlite:///mixtune.db"),
        ([], {}, "db: sqlite:///file.db\n", "sqlite:///file.db"),
        ([], {"MIXTUNE_DB": "sqlite:///env.db"}, "db: sqlite:///file.db\n", "sqlite:///env.db"),
        (["--db", "sqlite:///x.db"], {"MIXTUNE_DB": "sqlite:///env.db"}, "", "sqlite:///x.db"),
    ],
)
def test_the_nearest_database_wins(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, words: list[str], environment: dict[str, str], in_file: str, url: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    text = Path(desk.write()).read_text() + in_file
    result = desk("run", desk.write(text), *words)
    assert result.exit_code == 0
    assert desk.opened == [(url, True)]


def test_next_commands_find_the_same_database(desk: Desk) -> None:
    output = desk("run", desk.write(), "--db", "sqlite:///x.db").output
    assert "mixtune show duo --db sqlite:///x.db" in output


def test_next_commands_can_be_pasted_whatever_the_database_is_called(desk: Desk) -> None:
    output = desk("run", desk.write(), "--db", "sqlite:///my studies.db").output
    assert "mixtune show duo --db 'sqlite:///my studies.db'" in output


def test_a_password_is_never_repeated(desk: Desk) -> None:
    output = desk("run", desk.write(), "--db", "postgresql://me:secret@host/db").output
    assert "secret" not in output


def test_a_home_that_cannot_be_written_is_an_error_in_words(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.folder / "file").write_text("")
    monkeypatch.setenv("MIXTUNE_HOME", str(desk.folder / "file"))
    for words in (("run", desk.write()), ("check", desk.write())):
        result = desk(*words)
        assert result.exit_code == 1
        assert "cannot be written" in result.stderr and "set MIXTUNE_HOME" in result.stderr
    assert desk.tuner.calls == []
