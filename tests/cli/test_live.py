import io
from dataclasses import replace

from rich.console import Console

from mixtune.cli.live import LiveView, PlainListener, watching
from mixtune.recipe import Mixture, Recipe
from mixtune.source import Source
from mixtune.store.base import StudyRecord
from mixtune.study import Budget, Search, Study, StudyState
from mixtune.target import Target
from mixtune.trial import Cost, Measurement, Proposal, Role, Trial, TrialState

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
    assert "12/30" in text and "trial 4 of 9" in text and "█ " in text
    assert "weights, left to right: alpha, beta" in text


def test_a_finished_trial_shows_score_and_cost() -> None:
    view = LiveView(RECORD)
    view.changed(RECORD, RUNNING, 9)
    view.changed(RECORD, FINISHED, 9)
    text = shown(view)
    assert "0.2500" in text and "2.00 G" in text and "complete" in text and "/30" not in text


def test_only_the_newest_trials_are_shown() -> None:
    view = LiveView(RECORD)
    for number in range(40):
        view.changed(RECORD, replace(FINISHED, number=number), 50)
    rows = [line.split()[0] for line in shown(view).splitlines() if "complete" in line]
    assert rows == [str(number) for number in range(28, 40)]


def test_a_pipe_gets_lines_and_a_terminal_a_view() -> None:
    with watching(Console(file=io.StringIO()), RECORD) as listener:
        assert isinstance(listener, PlainListener)
    with watching(Console(file=io.StringIO(), force_terminal=True), RECORD) as listener:
        assert isinstance(listener, LiveView)


def test_plain_lines_repeat_no_preparation_step() -> None:
    out = io.StringIO()
    listener = PlainListener(Console(file=out))
    for done in (0, 1, 2):
        listener.preparing("encoding", done, 2)
    listener.progress(4, 1, None)
    assert len(out.getvalue().splitlines()) == 1


def test_the_time_left_is_said_once_three_trials_have_finished() -> None:
    out = io.StringIO()
    listener = PlainListener(Console(file=out))
    for number in range(4):
        listener.changed(RECORD, replace(FINISHED, number=number), 50)
    assert ["left" in line for line in out.getvalue().splitlines()] == [False, False, True, True]
