"""How figures look: colours by role, and the layout that all of them share.

Colours are names of CSS variables; the page puts in those of its light or dark theme.
"""

import html
from collections.abc import Sequence

import plotly.graph_objects as go

INK, MUTED, GRID, PAPER = "var(--ink)", "var(--muted)", "var(--grid)", "var(--paper)"
"""Text, lesser text and lines, grid lines, and what lies behind."""

ACCENT, SOFT = "var(--accent)", "var(--soft)"
"""The tuned recipe, and what belongs to it but stands back."""

BASELINES = {"proportional": "var(--p1)", "uniform": "var(--p2)", "expert": "var(--p3)", "temperature": "var(--p4)"}
"""Colours of baselines, the same in all figures."""

MARKS = {"proportional": "diamond", "uniform": "line-ns-open", "expert": "triangle-up", "temperature": "square"}
"""Marks of baselines: a figure is readable without its colours."""

DOTS = {**MARKS, "uniform": "circle-open"}
"""The same where a mark has a line of its own through it, as an interval, or lies in two dimensions."""

SOURCES = ("var(--s0)", "var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)", "var(--s5)", "var(--s6)")
"""Colours that tell sources apart (Okabe and Ito's, which people with any kind of colour vision do)."""

REST = "var(--rest)"
"""All sources beyond those."""

SEQUENCE = [[0.0, "var(--low)"], [0.5, "var(--mid)"], [1.0, "var(--high)"]]
"""From little to much."""

DIVERGING = [[0.0, "var(--minus)"], [0.5, "var(--zero)"], [1.0, "var(--plus)"]]
"""From harm over nothing to help."""

LONGEST = 22
"""Characters of a name that a figure shows."""

LINES = 30
"""Sources that a figure shows; its table and numbers have all of them."""


def plain(text: str, longest: int = LONGEST) -> str:
    """A user's text for a figure: cut in its middle, and free of the markup that plotly would obey."""
    if len(text) > longest:
        head = longest * 2 // 3
        text = f"{text[:head]}…{text[len(text) - (longest - head - 1) :]}"
    return html.escape(text, quote=False)


def canvas(height: int, **layout: object) -> go.Figure:
    """An empty figure of that height in pixels, as wide as its place."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 8, "autoexpand": True},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "size": 13, "family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"},
        hoverlabel={"bgcolor": PAPER, "bordercolor": GRID, "font": {"color": INK}},
        template="none",
        dragmode=False,
    )
    axis = {
        "gridcolor": GRID,
        "zerolinecolor": MUTED,
        "linecolor": GRID,
        "tickcolor": GRID,
        "automargin": True,
        "fixedrange": True,
        "title": {"font": {"color": MUTED, "size": 12}, "standoff": 10},
        "tickfont": {"size": 12},
    }
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    figure.update_layout(**layout)
    return figure


def name_axis(figure: go.Figure, names: Sequence[str], *, ready: bool = False) -> None:
    """Put one line per name on the upright axis, the first one on top; ready names have been through `plain`."""
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=list(names) if ready else [plain(name) for name in names],
        range=[len(names) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
        ticks="",
    )


def line_height(names: int, spare: int = 90) -> int:
    """Height of a figure with one line per name."""
    return spare + 27 * max(names, 2)


def shared_range(values: Sequence[float], spare: float = 0.08) -> list[float]:
    """From the lowest to the highest value, with room on both sides."""
    low, high = min(values), max(values)
    room = (high - low) * spare or abs(high) * spare or 1.0
    return [low - room, high + room]
