"""Trials as lines of a table."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from mixtune.proposal import Role
from mixtune.report.tables import add_columns, duration, plain_table, scaled, spark
from mixtune.store.base import TrialSummary
from mixtune.trial import TrialState

COLOURS = {"complete": "green", "running": "cyan", "failed": "red", "pruned": "yellow", "queued": "dim"}

SOURCES_SHOWN = 24
"""Sources whose weights fit beside the other columns at 80 characters."""


def trial_table(lines: Sequence[TrialSummary], names: Sequence[str], outside: frozenset[int] = frozenset()) -> Table:
    """One line per trial; weights are upright bars in the order of the sources in the caption.

    Trials numbered in `outside`, whose draw chance does not explain, have a mark behind their number.
    """
    shown = tuple(names)[:SOURCES_SHOWN]
    table = plain_table()
    table.caption = legend(names)
    add_columns(table, right=("trial",))
    add_columns(table, left=("role", "state"), right=("score", "FLOP", "time"))
    table.add_column("weights", no_wrap=True)
    for line in lines:
        seconds = line.finished - line.started if line.started and line.finished else None
        table.add_row(
            Text(f"{line.number}!", style="yellow") if line.number in outside else str(line.number),
            role_name(line.role, line.label),
            Text("reused" if line.reused else state_name(line.state, line.stopped_at), style=COLOURS[line.state.value]),
            "" if line.score is None else f"{line.score:.4f}",
            scaled(line.cost_flops).rstrip() if line.cost_flops else "",
            "" if seconds is None else duration(seconds),
            spark(line.recipe.mixture, shown),
        )
    return table


def state_name(state: TrialState, stopped_at: int | None) -> str:
    """The state of a trial in a narrow column: a pruned one with the step at which it was ended."""
    return state.value if stopped_at is None else f"{state.value} {stopped_at}"


def role_name(role: Role, label: str) -> str:
    """What a trial is called in a narrow column: an anchor by its baseline, others by their role."""
    return label if role is Role.ANCHOR else role.value


def legend(names: Sequence[str]) -> str:
    """Which source each bar stands for."""
    more = f", and {len(names) - SOURCES_SHOWN} more" if len(names) > SOURCES_SHOWN else ""
    return f"weights, left to right: {', '.join(names[:SOURCES_SHOWN])}{more}"
