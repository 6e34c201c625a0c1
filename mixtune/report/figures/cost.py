"""What a study cost, by what it was spent on."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, MUTED, REST, canvas, line_height, name_axis
from mixtune.report.sheet import Sheet
from mixtune.report.summary import Summary
from mixtune.report.tables import SPENT, cost_lines, flops, scaled
from mixtune.trial import Trial

PREPARATION = "preparation"


@dataclass(frozen=True, slots=True)
class Part:
    """Floating-point operations of one part; runs is the same in fresh runs, None before preparation."""

    part: str
    charged: bool
    flops: float
    runs: float | None


@dataclass(frozen=True, slots=True)
class Spending:
    """What the search is charged, part by part, then what nobody is."""

    rows: tuple[Part, ...]
    said: tuple[str, ...]

    @property
    def barred(self) -> tuple[Part, ...]:
        """The parts that are drawn: preparation, which is often a thousand runs, would leave the others no length."""
        return tuple(row for row in self.rows if row.part != PREPARATION) or self.rows

    @property
    def lines(self) -> tuple[str, ...]:
        """What is said below the numbers, of preparation where it has no bar too."""
        left = [row for row in self.rows if row not in self.barred]
        runs = [f"as much as {row.runs:,.1f} fresh runs, " for row in left if row.runs is not None]
        return (*self.said, *(f"Preparation ({''.join(runs)}done once) has no bar in the figure." for _ in left))


def points(summary: Summary, trials: Sequence[Trial]) -> Spending | None:
    """All parts above 0; None before anything was spent."""
    costs, prepared = summary.costs, summary.study.preparation
    unit = prepared.run_flops if prepared is not None else 0.0
    parts = [(f"search: {SPENT.get(name, name)}", True, value) for name, value in costs.parts.items()]
    uncharged = {"choosing": costs.choosing, "judging": costs.judging, PREPARATION: costs.preparation}
    parts += [(name, False, value) for name, value in uncharged.items()]
    rows = tuple(
        Part(name, charged, value, value / unit if unit > 0 else None) for name, charged, value in parts if value > 0
    )
    return Spending(rows, tuple(cost_lines(summary))) if rows else None


def figure(found: Spending) -> go.Figure:
    """A bar per part but preparation; what the search is charged in the accent colour."""
    rows = found.barred
    drawn = canvas(line_height(len(rows), 75), bargap=0.4, showlegend=False)
    told = [f"{row.runs:.2f} runs" if row.runs is not None else flops(row.flops) for row in rows]
    sizes = [row.flops if row.runs is None else row.runs for row in rows]
    drawn.add_bar(
        x=sizes,
        y=list(range(len(rows))),
        orientation="h",
        marker={"color": [ACCENT if row.charged else REST for row in rows]},
        text=told,
        textposition=["inside" if each > 0.3 * max(sizes) else "outside" for each in sizes],
        insidetextanchor="end",
        textfont={"size": 12},
        customdata=[flops(row.flops) for row in rows],
        hovertemplate="%{customdata}<extra></extra>",
    )
    name_axis(drawn, [row.part for row in rows])
    unit = "floating-point operations" if rows[0].runs is None else "compute, in fresh runs"
    drawn.update_xaxes(title_text=unit, zeroline=False, rangemode="tozero", nticks=6, tickfont={"color": MUTED})
    return drawn


def sheet(found: Spending) -> Sheet:
    """One line per part, and below it the times."""
    return Sheet(
        title="What it cost",
        left=("part",),
        right=("FLOP", "fresh runs"),
        rows=tuple(
            (row.part, scaled(row.flops).rstrip(), "-" if row.runs is None else f"{row.runs:.2f}") for row in found.rows
        ),
        caption="one fresh run: a full-length proxy run at proportional weights, its dev evaluation included",
        lines=found.lines,
    )


COST = Figure(
    name="cost",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Blue is what the search asked for and is charged. Grey is charged to nobody: "
    "re-runs of the finalists, and the judging of recipes. Preparation, done once and charged to nobody either, "
    "is in the numbers alone.",
)
