"""What a probe on each source does to the targets (Inf-DDS, scout)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import LINES, MUTED, canvas, line_height, name_axis
from mixtune.report.panels.influences import FORMS, UNITS, Standing, standings_sheet
from mixtune.report.sheet import Sheet, both_ends
from mixtune.report.summary import Summary
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class Arm:
    """Running influence of a source (or of one of its keep levels), its standard error, probes, and its weight."""

    arm: str
    influence: float | None
    error: float | None
    probes: int
    weight: float


@dataclass(frozen=True, slots=True)
class Influences:
    """How every arm stood as that trial was proposed, most influential first; measure is a key of UNITS."""

    trial: int
    measure: str
    rows: tuple[Arm, ...]

    @property
    def standings(self) -> Mapping[str, Standing]:
        """The same by arm."""
        return {row.arm: Standing(row.influence, row.error, row.probes, row.weight) for row in self.rows}


def points(summary: Summary, trials: Sequence[Trial]) -> Influences | None:
    """What the last proposal noted; None for a search that measures no influence, or none yet."""
    if summary.panels.influences is None:
        return None
    trial, arms = summary.panels.influences
    if all(each.influence is None for each in arms.values()):
        return None
    order = sorted(arms, key=lambda name: (arms[name].influence is None, -(arms[name].influence or 0.0), name))
    rows = (Arm(name, arms[name].influence, arms[name].error, arms[name].visits, arms[name].weight) for name in order)
    return Influences(trial, summary.panels.measure, tuple(rows))


def figure(found: Influences) -> go.Figure:
    """A dot with two standard errors on both sides per source, beside the line of no effect.

    Of many sources those in the middle are left out; a line says how many.
    """
    first, last, between = both_ends([row for row in found.rows if row.influence is not None], LINES)
    rows = [*first, *last]
    names = [row.arm for row in first] + ([f"… {between} left out …"] if between else []) + [row.arm for row in last]
    drawn = canvas(line_height(len(names), 80), showlegend=False)
    drawn.add_scatter(
        x=[row.influence for row in rows],
        y=[*range(len(first)), *range(len(names) - len(last), len(names))],
        mode="markers",
        marker={
            "size": 10,
            "color": ["var(--plus)" if (row.influence or 0) > 0 else "var(--minus)" for row in rows],
        },
        error_x={
            "type": "data",
            "array": [2 * (row.error or 0.0) for row in rows],
            "color": MUTED,
            "thickness": 1.5,
            "width": 0,
        },
        text=[f"{row.probes} probes, weight {row.weight:.3f}" for row in rows],
        hovertemplate="%{x:.3f}<extra>%{text}</extra>",
    )
    name_axis(drawn, names)
    drawn.update_xaxes(
        title_text="influence, ± 2 standard errors",
        tickformat="+.1%" if "%" in FORMS[found.measure] else "+.1f",
        zeroline=False,
        nticks=6,
    )
    drawn.add_vline(x=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    return drawn


def sheet(found: Influences) -> Sheet:
    """The panel of `mixtune show`."""
    return standings_sheet(found.trial, found.standings, found.measure)


INFLUENCE = Figure(
    name="influence",
    points=points,
    figure=figure,
    sheet=sheet,
    reading=f"Right of the line a few steps on the source helped the targets, left of it they hurt; the line through a "
    f"dot is two standard errors to each side. In {UNITS['both'].removeprefix('influence: ')}, or in per cent of the "
    f"dev loss or of nDCG.",
)
