"""What each source does for each target."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from mixtune.proposal import Role
from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import DIVERGING, LINES, SEQUENCE, canvas, line_height, name_axis, plain
from mixtune.report.looks.matrix import matrix_sheets
from mixtune.report.sheet import Sheet, both_ends, cut, number
from mixtune.report.summary import Summary
from mixtune.trial import Trial, TrialState

TITLES = {
    "measured": "Source x target: trained on one source alone",
    "influence": "Source x target: influence on the dev loss",
    "alignment": "Source x target: cosine of gradients",
    "neighbours": "Source x target: nearest training queries",
}

UNITS = {
    "measured": "metric on dev after training on the source alone, less the base model's",
    "influence": "relative fall of a target's dev loss after a few steps on the source, mean over probes",
    "alignment": "cosine of a source's gradient with a target's, mean over runs",
    "neighbours": "the source's share of the training queries that are nearest to the target's dev queries",
}

FORMS = {"measured": "+.4f", "influence": "+.2%", "alignment": "+.3f", "neighbours": ".1%"}

COLUMNS = 6
"""Targets that a table shows a column of, and a figure numbers."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one source does for one target, its standard error where there is one, and the measurements behind it."""

    source: str
    target: str
    value: float
    error: float | None
    measured: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """Entries by source, then target; kind is a key of UNITS. panel is a table that says more, where there is one."""

    kind: str
    rows: tuple[Entry, ...]
    panel: Sheet | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources from the one that does most for the targets together."""
        names = dict.fromkeys(row.source for row in self.rows)
        mean = {name: float(np.mean([row.value for row in self.rows if row.source == name])) for name in names}
        return tuple(sorted(names, key=lambda name: (-mean[name], name)))

    @property
    def targets(self) -> tuple[str, ...]:
        """Targets in the study's order."""
        return tuple(dict.fromkeys(row.target for row in self.rows))

    @property
    def values(self) -> Mapping[tuple[str, str], float]:
        """(source, target) -> value."""
        return {(row.source, row.target): row.value for row in self.rows}


def points(summary: Summary, trials: Sequence[Trial]) -> Matrix | None:
    """The nearest to a measured effect that the study has.

    Runs on single sources, else influence, else alignment, else the survey's neighbours.
    """
    for kind, found in (
        ("measured", _measured(summary)),
        ("influence", _influence(summary, trials)),
        ("alignment", _alignment(summary)),
        ("neighbours", _neighbours(summary, trials)),
    ):
        if found:
            return Matrix(kind, found, _panel(summary) if kind == "measured" else None)
    return None


def _measured(summary: Summary) -> tuple[Entry, ...]:
    found = summary.looks.matrix
    if found is None:
        return ()
    return tuple(
        Entry(source, target, cell.base.value, None, found.seeds)
        for source, cells in found.cells.items()
        for target, cell in cells.items()
    )


def _panel(summary: Summary) -> Sheet | None:
    found = summary.looks.matrix
    return None if found is None else next(iter(matrix_sheets(summary.study, found)))


def _influence(summary: Summary, trials: Sequence[Trial]) -> tuple[Entry, ...]:
    """Means over all probes of a source at the keep level of the round's recipe."""
    told: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for trial in trials:
        if trial.role is Role.ROUND and trial.state is TrialState.COMPLETE and trial.measurement is not None:
            for name, each in trial.measurement.influence.items():
                for target, value in each.per_target.items():
                    if np.isfinite(value) and name in summary.study.names:
                        pair = (value, each.per_target_error.get(target, 0.0))
                        told.setdefault((name, target), []).append(pair)
    return tuple(
        Entry(
            source,
            target,
            float(np.mean([value for value, _ in pairs])),
            float(np.sqrt(np.sum([error**2 for _, error in pairs])) / len(pairs)),
            len(pairs),
        )
        for source in summary.study.names
        for target in (each.name for each in summary.study.targets)
        if (pairs := told.get((source, target)))
    )


def _alignment(summary: Summary) -> tuple[Entry, ...]:
    return tuple(
        Entry(source, target, value, None, each.runs)
        for source, each in summary.panels.aligned.items()
        for target, value in each.cosine.items()
    )


def _neighbours(summary: Summary, trials: Sequence[Trial]) -> tuple[Entry, ...]:
    for trial in trials:
        if trial.role is Role.SURVEY and trial.measurement is not None and trial.measurement.neighbours:
            shares = trial.measurement.neighbours
            return tuple(
                Entry(source, target, shares[target].get(source, 0.0), None, 1)
                for source in summary.study.names
                for target in shares
            )
    return ()


def figure(found: Matrix) -> go.Figure:
    """A heat map with its numbers, with a colour bar where there is no room for them.

    Blue helps, orange hurts, white is nothing. Of many sources those in the middle are left out; an empty line says how
    many.
    """
    targets, values, form = found.targets, found.values, FORMS[found.kind]
    few = len(targets) <= COLUMNS
    first, last, between = both_ends(found.sources, LINES)
    gap = [f"… {between} left out …"] if between else []
    table = [[values.get((source, target)) for target in targets] for source in (*first, *last)]
    told = [[number(value, form) for value in line] for line in table]
    table[len(first) : len(first)] = [[None] * len(targets) for _ in gap]
    told[len(first) : len(first)] = [[""] * len(targets) for _ in gap]
    names = [*first, *gap, *last]
    most = max(abs(row.value) for row in found.rows) or 1.0
    signed = found.kind != "neighbours"
    drawn = canvas(line_height(len(names), 90 if few else 140))
    drawn.add_heatmap(
        z=table,
        x=list(range(len(targets))),
        y=list(range(len(names))),
        zmin=-most if signed else 0.0,
        zmax=most,
        colorscale=DIVERGING if signed else SEQUENCE,
        showscale=not few,
        colorbar={
            "orientation": "h",
            "y": 0,
            "yanchor": "top",
            "thickness": 12,
            "outlinewidth": 0,
            "nticks": 5,
            "tickformat": form,
        },
        xgap=2,
        ygap=2,
        hoverongaps=False,
        text=told,
        texttemplate="%{text}" if few else None,
        hovertemplate="%{text}<extra></extra>",
    )
    name_axis(drawn, names)
    drawn.update_xaxes(
        tickmode="array",
        tickvals=list(range(len(targets))),
        ticktext=[plain(name, 14) for name in targets],
        side="top",
        showgrid=False,
        zeroline=False,
        ticks="",
    )
    return drawn


def sheet(found: Matrix) -> Sheet:
    """Sources down, targets across; of many targets the lowest, the mean and the highest."""
    if found.panel is not None:
        return found.panel
    form, values, targets = FORMS[found.kind], found.values, found.targets
    few = len(targets) <= COLUMNS
    lines = []
    for source in found.sources:
        own = [values.get((source, target)) for target in targets]
        known = [value for value in own if value is not None]
        told = own if few else [min(known), float(np.mean(known)), max(known)]
        lines.append((source, *(number(value, form) for value in told)))
    rows, more = cut(lines, "sources", ends=True)
    return Sheet(
        title=TITLES[found.kind],
        left=("source",),
        right=targets if few else ("lowest", "mean", "highest"),
        rows=rows,
        caption=UNITS[found.kind],
        lines=more,
    )


MATRIX = Figure(
    name="matrix",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="One cell per source and target, the most helpful source on top. Of signed values, blue helps the target "
    "and orange hurts it; of shares, the stronger the colour the larger.",
)
