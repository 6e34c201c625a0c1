"""Differences with their intervals, one line each, beside the line of no difference."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.figures.canvas import ACCENT, MUTED, canvas, line_height, name_axis, shared_range


@dataclass(frozen=True, slots=True)
class Dot:
    """A difference with its 95 % interval, under a name that is ready to be drawn (see `plain`)."""

    name: str
    value: float
    low: float
    high: float

    @property
    def colour(self) -> str:
        """Accent where the interval lies above zero, the colour of harm below it, grey where it holds zero."""
        return ACCENT if self.low > 0 else "var(--minus)" if self.high < 0 else MUTED


def interval_dots(dots: Sequence[Dot], axis: str) -> go.Figure:
    """A dot with its interval per line."""
    drawn = canvas(line_height(len(dots), 75) + 8 * len(dots), showlegend=False)
    for line, dot in enumerate(dots):
        drawn.add_scatter(
            x=[dot.value],
            y=[line],
            mode="markers+text",
            marker={"size": 11, "color": dot.colour},
            error_x={
                "type": "data",
                "array": [dot.high - dot.value],
                "arrayminus": [dot.value - dot.low],
                "color": dot.colour,
                "thickness": 3,
                "width": 0,
            },
            text=[f"{dot.value:+.4f}"],
            textposition="top center",
            cliponaxis=False,
            hovertemplate=f"%{{x:+.4f}} [{dot.low:+.4f}, {dot.high:+.4f}]<extra></extra>",
        )
    name_axis(drawn, [dot.name for dot in dots], ready=True)
    drawn.update_yaxes(range=[len(dots) - 0.5, -0.85])
    ends = [0.0, *(dot.low for dot in dots), *(dot.high for dot in dots)]
    drawn.update_xaxes(range=shared_range(ends), title_text=axis, tickformat="+.3f", nticks=6)
    drawn.add_vline(x=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    return drawn
