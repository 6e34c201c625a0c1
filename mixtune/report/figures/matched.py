"""How many pairs of each source belong together, beside the weight that the source gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, LINES, MUTED, canvas, line_height, name_axis
from mixtune.report.panels.matching import MISMATCHED, Matching, matching_sheet
from mixtune.report.sheet import Sheet
from mixtune.report.summary import Summary
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class SourceMatch:
    """A source's share of pairs that belong together, its recommended weight (None: none yet), and that by size."""

    source: str
    share: float
    weight: float | None
    proportional: float


@dataclass(frozen=True, slots=True)
class Matches:
    """What the survey estimated of every source."""

    sources: Mapping[str, Matching]

    @property
    def rows(self) -> tuple[SourceMatch, ...]:
        """Worst matched source first."""
        order = sorted(self.sources, key=lambda name: (self.sources[name].share, name))
        return tuple(
            SourceMatch(name, self.sources[name].share, self.sources[name].weight, self.sources[name].proportional)
            for name in order
        )


def points(summary: Summary, trials: Sequence[Trial]) -> Matches | None:
    """What the survey found; None where it looked for nothing."""
    return Matches(summary.panels.matching) if summary.panels.matching else None


def figure(found: Matches) -> go.Figure:
    """A bar per source, those that look mismatched in another colour, beside the line below which they do."""
    rows = found.rows[:LINES]
    drawn = canvas(line_height(len(rows), 70), bargap=0.4, showlegend=False)
    drawn.add_bar(
        x=[row.share for row in rows],
        y=list(range(len(rows))),
        orientation="h",
        marker={"color": ["var(--minus)" if row.share < MISMATCHED else ACCENT for row in rows]},
        text=[f"{row.share:.0%}" for row in rows],
        textposition=["inside" if row.share > 0.2 else "outside" for row in rows],
        insidetextanchor="end",
        textfont={"size": 12},
        hovertemplate="%{x:.1%}<extra></extra>",
    )
    name_axis(drawn, [row.source for row in rows])
    drawn.update_xaxes(range=[0, 1.02], tickformat=".0%", zeroline=False, title_text="pairs that belong together")
    drawn.add_vline(x=MISMATCHED, line={"color": MUTED, "width": 1, "dash": "dot"})
    return drawn


def sheet(found: Matches) -> Sheet:
    """The panel of `mixtune show`."""
    return matching_sheet(found.sources)


MATCHED = Figure(
    name="matched",
    points=points,
    figure=figure,
    sheet=sheet,
    reading=f"The share of pairs whose positive the base model finds to belong to its query. Below the line "
    f"({MISMATCHED:.0%}) a source has wrong positives, or a language that the model does not know.",
)
