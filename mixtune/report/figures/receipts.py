"""What was asked for and what was drawn, source by source."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, INK, LINES, canvas, line_height, name_axis
from mixtune.report.panels.receipts import Receipts, receipts_sheet
from mixtune.report.sheet import Sheet
from mixtune.report.summary import Summary
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class Share:
    """A source's requested and realised share of what the judged runs of the tuned recipe drew.

    low and high bound what chance makes of the request in one run; outside counts the runs beyond it. rows, unique
    rows, epochs and pruned rows are means over runs.
    """

    source: str
    requested: float
    realised: float
    low: float
    high: float
    outside: int
    drawn: int
    batches: int
    rows: float
    unique_rows: float
    epochs: float
    pruned: float


@dataclass(frozen=True, slots=True)
class Shares:
    """All sources, heaviest first. unit is what is drawn by weight: `batches`, or `rows` of mixed ones."""

    unit: str
    found: Receipts
    rows: tuple[Share, ...]


def points(summary: Summary, trials: Sequence[Trial]) -> Shares | None:
    """What the judged runs of the tuned recipe drew; None before there are any."""
    found = summary.panels.receipts
    runs = [] if found is None else list(found.recommended.values())
    if found is None or not runs:
        return None
    rows = []
    for name, line in sorted(runs[0].lines.items(), key=lambda each: (-each[1].requested, each[0])):
        own = [run.lines[name] for run in runs if name in run.lines]
        steps = line.expected / line.requested if line.requested > 0 else float(runs[0].total)
        rows.append(
            Share(
                name,
                line.requested,
                sum(each.drawn for each in own) / max(1, sum(run.total for run in runs)),
                line.low / steps,
                line.high / steps,
                sum(each.outside for each in own),
                sum(each.drawn for each in own),
                sum(each.batches for each in own),
                float(np.mean([each.rows for each in own])),
                float(np.mean([each.unique_rows for each in own])),
                float(np.mean([each.epochs for each in own])),
                float(np.mean([each.pruned for each in own])),
            )
        )
    return Shares(runs[0].unit, found, tuple(rows))


def figure(found: Shares) -> go.Figure:
    """A dot for what was drawn, red beyond chance, over a band of what chance makes of a request, and its mark."""
    rows = found.rows[:LINES]
    drawn = canvas(line_height(len(rows), 75))
    lines = list(range(len(rows)))
    drawn.add_scatter(
        x=[value for row in rows for value in (row.low, row.high, None)],
        y=[line for line in lines for _ in range(3)],
        mode="lines",
        line={"width": 14, "color": "var(--band)"},
        name="chance, one run",
        hoverinfo="skip",
    )
    drawn.add_scatter(
        x=[row.requested for row in rows],
        y=lines,
        mode="markers",
        name="asked for",
        marker={"symbol": "line-ns-open", "size": 14, "color": INK, "line": {"width": 2, "color": INK}},
        hovertemplate="%{x:.3f}<extra>asked for</extra>",
    )
    drawn.add_scatter(
        x=[row.realised for row in rows],
        y=lines,
        mode="markers",
        name="drawn",
        marker={"size": 9, "color": ["var(--minus)" if row.outside else ACCENT for row in rows]},
        text=[f"{row.drawn:,} {found.unit}, {row.epochs:.1f} epochs a run" for row in rows],
        hovertemplate="%{x:.3f}: %{text}<extra>drawn</extra>",
    )
    name_axis(drawn, [row.source for row in rows])
    drawn.update_xaxes(title_text=f"share of {found.unit}", tickformat=".0%", rangemode="tozero", zeroline=False)
    return drawn


def sheet(found: Shares) -> Sheet:
    """The panel of `mixtune show`."""
    return receipts_sheet(found.found)


RECEIPTS = Figure(
    name="receipts",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Dot: what was really drawn, over all judged runs. Mark: what the recipe asks for. Band: what chance makes "
    "of the request in a single run (99.9 % of runs have all their sources inside). A run outside is marked in orange.",
)
