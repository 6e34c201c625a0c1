"""Watching a study run: a live table on a terminal, a line per event elsewhere."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mixtune.cli.pace import Pace
from mixtune.cli.trialtable import COLOURS, SOURCES_SHOWN, legend, role_name, state_name
from mixtune.report.tables import add_columns, duration, flops, plain_table, scaled, spark
from mixtune.store.base import StudyRecord
from mixtune.study import Study
from mixtune.trial import Trial, TrialState, headline

if TYPE_CHECKING:
    from mixtune.tuning.listener import Listener

RECENT = 12
"""Trials in the live table."""

SHOWN = 0.1
"""Seconds left below which nothing is said of them."""


class Output(Console):
    """Standard output. Where a pipe's reader has ended, what is written there ends with that reason."""

    def on_broken_pipe(self) -> None:
        """Go quiet, and exit with the reason in place of a bare status."""
        try:
            super().on_broken_pipe()
        except SystemExit:
            raise SystemExit("nothing reads the output any more (the pipe is closed)") from None


@contextmanager
def watching(console: Console, record: StudyRecord, held: Iterable[Trial] = ()) -> Iterator["Listener"]:
    """A listener for this console: a live view on a terminal, else plain lines. held are the trials so far."""
    if not console.is_interactive:
        yield PlainListener(console, held)
        return
    view = LiveView(record, held)
    with Live(view, console=console, refresh_per_second=4, transient=True):
        yield view


class LiveView:
    """What is going on: preparation, then the newest trials with their progress, score, cost and weights."""

    def __init__(self, record: StudyRecord, held: Iterable[Trial] = ()) -> None:
        self.record = record
        self.trials: dict[int, Trial] = {}
        self.steps: dict[int, int] = {}
        self.scores: dict[int, float] = {}
        self.planned: int | None = None
        self.doing: tuple[str, int, int] | None = ("starting", 0, 0)
        self.pace = Pace(held)

    def preparing(self, what: str, done: int, total: int) -> None:
        """Show how far preparation is."""
        self.doing = (what, done, total)

    def changed(self, record: StudyRecord, trial: Trial | None, planned: int | None) -> None:
        """Take in a new state of a trial or of the study."""
        self.record, self.planned, self.doing = record, planned, None
        if trial is not None:
            self.pace.changed(trial)
            self.trials[trial.number] = trial
            self.steps.pop(trial.number, None)
            self.scores.pop(trial.number, None)

    def progress(self, number: int, step: int, score: float | None) -> None:
        """Take in the step of a running trial, and the score that it had at its last rung."""
        self.steps[number] = step
        if score is not None:
            self.scores[number] = score

    def __rich__(self) -> RenderableType:
        """The view as it stands."""
        study = self.record.study
        if self.doing is not None:
            what, done, total = self.doing
            parts = Table.grid(padding=(0, 1))
            bar = ProgressBar(total=total or None, completed=done, width=24, pulse=not total)
            parts.add_row(f"Study {study.name}:", what, bar, f"{done:,} of {total:,}" if total else "")
            return parts
        return Group(self._headline(), self._table(), Text(legend(study.names), style="dim"))

    def _headline(self) -> Text:
        study = self.record.study
        if not self.trials:
            return Text(f"Study {study.name}: starting workers")
        text = f"Study {study.name}: {self.record.state.value}, {_done(self.pace, self.planned)}"
        return Text(text + _left(self.pace.remaining(study, self.planned, time.time())))

    def _table(self) -> Table:
        study = self.record.study
        table = plain_table()
        add_columns(table, right=("trial",))
        add_columns(table, left=("role", "state"), right=("score", "FLOP"))
        table.add_column("weights", no_wrap=True)
        for number in sorted(self.trials)[-RECENT:]:
            trial = self.trials[number]
            found = trial.measurement
            state = state_name(trial.state, found.step if found and trial.state is TrialState.PRUNED else None)
            score = self.scores.get(number) if found is None else found.score
            if trial.state is TrialState.RUNNING and trial.proposal.steps:
                state = f"{self.steps.get(number, 0)}/{trial.proposal.steps}"
            table.add_row(
                str(number),
                role_name(trial.role, trial.proposal.label),
                Text(state, style=COLOURS[trial.state.value]),
                "" if score is None else f"{score:.4f}",
                "" if found is None else scaled(found.cost.flops).rstrip(),
                spark(trial.proposal.recipe.mixture, study.names[:SOURCES_SHOWN]),
            )
        return table


class PlainListener:
    """One line per event, for logs and pipes."""

    def __init__(self, console: Console, held: Iterable[Trial] = ()) -> None:
        self.console = console
        self.doing = ""
        self.pace = Pace(held)

    def preparing(self, what: str, done: int, total: int) -> None:
        """Say once what preparation is at."""
        if what != self.doing:
            self.doing = what
            self._say(f"preparing: {what}" + (f" ({total:,})" if total else ""))

    def changed(self, record: StudyRecord, trial: Trial | None, planned: int | None) -> None:
        """Say how a trial ended, and what becomes of the study."""
        if trial is None:
            self._say(
                f"study {record.study.name}: {record.state.value}" + (f" ({record.reason})" if record.reason else "")
            )
            return
        self.pace.changed(trial)
        if trial.state.finished:
            self._say(self._ended(record.study, trial, planned))

    def progress(self, number: int, step: int, score: float | None) -> None:
        """Stay quiet: steps are for terminals."""

    def _ended(self, study: Study, trial: Trial, planned: int | None) -> str:
        line = f"trial {trial.number} {trial.role.value} {trial.proposal.label}".rstrip() + f" {trial.state.value}"
        found = trial.measurement
        if found is not None:
            line += f", {flops(found.cost.flops)}"
            line += "" if found.score is None else f", score {found.score:.4f}"
        if trial.error and trial.state is TrialState.FAILED:
            line += f": {headline(trial.error)}"
        else:
            heaviest = sorted(trial.proposal.recipe.mixture.items(), key=lambda each: -each[1])[:3]
            line += f", {', '.join(f'{name} {weight:.2f}' for name, weight in heaviest)}"
        return f"{line}; {_done(self.pace, planned)}" + _left(self.pace.remaining(study, planned, time.time()))

    def _say(self, line: str) -> None:
        self.console.print(f"{time.strftime('%H:%M:%S')} {line}", markup=False, highlight=False, soft_wrap=True)


def _done(pace: Pace, planned: int | None) -> str:
    """How many of the planned trials are done, those that stood there before this run included."""
    return f"{len(pace.finished)}{'' if planned is None else f' of {planned}'} done"


def _left(seconds: float | None) -> str:
    return "" if seconds is None or seconds < SHOWN else f", about {duration(seconds)} left"
