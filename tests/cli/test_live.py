import io
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from mixtune.cli.live import LiveView, PlainListener, watching
from mixtune.measurement import Cost, Measurement
from mixtune.preparation import Preparation
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.store.base import StudyRecord
from mixtune.study import Study, StudyState
from mixtune.target import Target
from mixtune.trial import Trial, TrialState

STUDY = Study(
    name="duo",
    sources=(Source("alpha", "docstrings", "numpy"), Source("beta", "docstrings", "scipy")),
    targets=(Target("goal", "docstrings", "pandas"),),
    search=Search("random"),
    budget=Budget(trials=9),
)
RECORD = StudyRecord(STUDY, StudyState.RUNNING, "u", created=0.0, updated=0.0)
RUNNING = Trial(4, Proposal(Recipe(Mixture({"alpha": 1.0, "beta": 0.0})), 30, Role.SEARCH), 0, state=TrialState.RUNNING)
FINISHED = replace(RUNNING, state=TrialState.COMPLETE, measurement=Measurement(score=0.25, cost=Cost(train=2e9)))


def shown(view: LiveView) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(view)
    return out.getvalue()


def test_preparation_shows_how_far_it_is() -> None:
    view = LiveView(RECORD)
    view.preparing("encoding", 1200, 4000)
    assert "encoding" in shown(view) and "1,200 of 4,000" in shown(view)


def test_a_running_trial_shows_its_step_and_weights() -> None:
    view = LiveView(RECORD)
    view.changed(RECORD, RUNNING, 9)
    view.progress(4, 12, None)
    text = shown(view)
    assert "12/30" in text and "running, 0 of 9 done" in text and "█ " in text
    assert "weights, left to right: alpha, beta" in text


def test_a_running_trial_shows_the_score_of_its_last_rung_and_an_ended_one_its_step() -> None:
    view = LiveView(RECORD)
    view.changed(RECORD, RUNNING, 9)
    view.progress(4, 10, 0.125)
    view.progress(4, 12, None)
    assert "12/30" in shown(view) and "0.1250" in shown(view)
    ended = replace(RUNNING, state=TrialState.PRUNED, measurement=Measurement(step=20, score=0.0625))
    view.changed(RECORD, ended, 9)
    assert "pruned 20" in shown(view) and "0.0625" in shown(view) and "0.1250" not in shown(view)


def test_a_finished_trial_shows_score_and_cost() -> None:
    view = LiveView(RECORD)
    view.changed(RECORD, RUNNING, 9)
    view.changed(RECORD, FINISHED, 9)
    text = shown(view)
    assert "0.2500" in text and "2.00 G" in text and "complete" in text and "/30" not in text


def test_the_headline_counts_what_is_done_before_this_run_too() -> None:
    view = LiveView(RECORD, held=[replace(FINISHED, number=number) for number in range(4)])
    view.changed(RECORD, RUNNING, 6)
    view.changed(RECORD, replace(RUNNING, number=5), None)
    assert "Study duo: running, 4 done" in shown(view)
    view.changed(RECORD, replace(FINISHED, number=5), 6)
    view.changed(RECORD, FINISHED, 6)
    view.changed(replace(RECORD, state=StudyState.COMPLETE), None, 6)
    assert "Study duo: complete, 6 of 6 done" in shown(view)


def test_a_trial_that_runs_again_is_not_done() -> None:
    view = LiveView(RECORD, held=[replace(FINISHED, state=TrialState.FAILED)])
    view.changed(RECORD, RUNNING, 6)
    assert "0 of 6 done" in shown(view)


def test_only_the_newest_trials_are_shown() -> None:
    view = LiveView(RECORD)
    for number in range(40):
        view.changed(RECORD, replace(FINISHED, number=number), 50)
    rows = [line.split()[0] for line in shown(view).splitlines() if "complete" in line]
    assert rows == [str(number) for number in range(28, 40)]


@pytest.mark.parametrize(
    "terminal, kind, expected",
    [(False, "xterm", PlainListener), (True, "dumb", PlainListener), (True, "xterm", LiveView)],
    ids=["pipe", "dumb terminal", "terminal"],
)
def test_a_terminal_that_can_redraw_gets_a_view_and_all_else_lines(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, kind: str, expected: type
) -> None:
    monkeypatch.setenv("TERM", kind)
    with watching(Console(file=io.StringIO(), force_terminal=terminal), RECORD) as listener:
        assert isinstance(listener, expected)


def test_the_view_has_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    view = LiveView(RECORD)
    view.changed(RECORD, FINISHED, 9)
    texts = []
    for no_colour in (False, True):
        out = io.StringIO()
        Console(file=out, width=80, force_terminal=True, no_color=no_colour).print(view)
        texts.append(re.findall(r"\x1b\[[0-9;]*3\d[;m]", out.getvalue()))
    assert texts[0] and not texts[1]


def test_output_that_nothing_reads_any_more_ends_with_that_reason() -> None:
    code = "from mixtune.cli.live import Output\nwhile True: Output().print('x' * 1000)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None and program.stderr is not None
        program.stdout.close()
        assert program.stderr.read() == b"nothing reads the output any more (the pipe is closed)\n"
    assert program.returncode == 1


def test_plain_lines_repeat_no_preparation_step() -> None:
    out = io.StringIO()
    listener = PlainListener(Console(file=out))
    for done in (0, 1, 2):
        listener.preparing("encoding", done, 2)
    listener.progress(4, 1, None)
    assert len(out.getvalue().splitlines()) == 1


def test_the_time_left_is_said_as_soon_as_it_can_be_foreseen() -> None:
    facts = {name: SourceFacts(10, 10, 5.0, "x") for name in ("alpha", "beta")}
    record = replace(RECORD, study=replace(STUDY, preparation=Preparation("k", facts, {}, 1.0)))
    finished = replace(FINISHED, started=0.0, finished=60.0, pid=1)
    out = io.StringIO()
    listener, view = PlainListener(Console(file=out, width=80)), LiveView(record)
    for listening in (listener, view):
        listening.changed(record, replace(finished, number=7), None)
        listening.changed(record, replace(finished, number=8), 19)
    assert ["left" in line for line in out.getvalue().splitlines()] == [False, True]
    assert " left" in shown(view)


def test_nothing_is_said_of_the_time_left_when_nothing_is_left() -> None:
    facts = {name: SourceFacts(10, 10, 5.0, "x") for name in ("alpha", "beta")}
    record = replace(RECORD, study=replace(STUDY, preparation=Preparation("k", facts, {}, 1.0)))
    finished = replace(FINISHED, started=0.0, finished=60.0, pid=1)
    rerun = replace(finished, proposal=replace(finished.proposal, role=Role.RERUN))
    view = LiveView(record)
    for number in range(12):
        view.changed(record, replace(finished if number < 9 else rerun, number=number), 12)
    assert "running, 12 of 12 done" in shown(view) and " left" not in shown(view).replace("left to right", "")
