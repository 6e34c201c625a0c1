"""Proxy loss beside reference loss per source (tDRO, DoReMi): headroom or noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, LINES, MUTED, canvas, line_height, name_axis
from mixtune.report.panels.headroom import Headroom, headroom_sheet
from mixtune.report.sheet import Sheet
from mixtune.report.summary import Summary
from mixtune.study import Study
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class SourceLoss:
    """A source's losses under proxy and reference, their ratio, its weight by the rule, its first one, and passes."""

    source: str
    proxy_loss: float
    reference_loss: float
    ratio: float
    weight: float
    start: float
    epochs: float


@dataclass(frozen=True, slots=True)
class Losses:
    """Where the rule had brought every source after that trial."""

    study: Study
    trial: int
    sources: Mapping[str, Headroom]

    @property
    def rows(self) -> tuple[SourceLoss, ...]:
        """Sources with both losses, the one that the rule raised most first."""
        found = (
            SourceLoss(name, each.proxy_loss, each.reference_loss, each.ratio, each.weight, each.start, each.epochs)
            for name, each in self.sources.items()
            if each.proxy_loss is not None and each.reference_loss is not None and each.ratio is not None
        )
        return tuple(sorted(found, key=lambda row: (-row.weight, row.source)))


def points(summary: Summary, trials: Sequence[Trial]) -> Losses | None:
    """What the last trial with a rule says; None without a rule that compares losses."""
    if summary.panels.headroom is None:
        return None
    found = Losses(summary.study, *summary.panels.headroom)
    return found if found.rows else None


def figure(found: Losses) -> go.Figure:
    """A line per source from its reference loss to its proxy loss."""
    rows = found.rows[:LINES]
    lines = list(range(len(rows)))
    drawn = canvas(line_height(len(rows), 75))
    drawn.add_scatter(
        x=[value for row in rows for value in (row.reference_loss, row.proxy_loss, None)],
        y=[line for line in lines for _ in range(3)],
        mode="lines",
        line={"color": MUTED, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )
    for name, values, symbol, colour in (
        ("reference", [row.reference_loss for row in rows], "circle-open", MUTED),
        ("proxy", [row.proxy_loss for row in rows], "circle", ACCENT),
    ):
        drawn.add_scatter(
            x=values,
            y=lines,
            mode="markers",
            name=name,
            marker={"size": 10, "symbol": symbol, "color": colour, "line": {"width": 2}},
            text=[f"ratio {row.ratio:.2f}, weight {row.start:.3f} → {row.weight:.3f}" for row in rows],
            hovertemplate=f"%{{x:.3f}}<br>%{{text}}<extra>{name}</extra>",
        )
    name_axis(drawn, [row.source for row in rows])
    drawn.update_xaxes(title_text="training loss", rangemode="tozero", zeroline=False, nticks=6)
    return drawn


def sheet(found: Losses) -> Sheet:
    """The panel of `mixtune show`."""
    return headroom_sheet(found.study, found.trial, found.sources)


HEADROOM = Figure(
    name="headroom",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Heaviest source on top. A proxy loss far beyond the reference's is headroom: there is something left to "
    "learn. Both high and close together: noise that nobody learns.",
)
