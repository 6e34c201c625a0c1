"""All runs of a study of three sources, as points of a triangle."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.recipe import Mixture
from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, BASELINES, DOTS, GRID, MUTED, PAPER, SEQUENCE, canvas, plain
from mixtune.report.figures.parallel import scored_runs
from mixtune.report.sheet import SHOWN, Sheet, left_out, number
from mixtune.report.summary import Summary
from mixtune.trial import Trial

HALF = 12
"""Characters of a line at a corner."""


@dataclass(frozen=True, slots=True)
class Corner:
    """A mixture as its three weights, in the order of Triangle.sources; a baseline and the tuned one have no score."""

    name: str
    score: float | None
    first: float
    second: float
    third: float


@dataclass(frozen=True, slots=True)
class Triangle:
    """Runs, best one first, then the baselines and the tuned recipe."""

    metric: str
    sources: tuple[str, str, str]
    rows: tuple[Corner, ...]


def points(summary: Summary, trials: Sequence[Trial]) -> Triangle | None:
    """All scored full-length runs; None unless there are three sources and a run."""
    names, runs = summary.study.names, scored_runs(trials)
    if len(names) != 3 or not runs:
        return None

    def corner(name: str, score: float | None, mixture: Mixture) -> Corner:
        first, second, third = (mixture.get(source, 0.0) for source in names)
        return Corner(name, score, first, second, third)

    rows = [corner(f"trial {trial.number}", score, trial.proposal.recipe.mixture) for score, trial in runs]
    for name, judged in summary.baselines.items():
        if judged.recipe is not None:
            rows.append(corner(name, None, judged.recipe.mixture))
    if summary.best is not None:
        rows.append(corner("tuned", None, summary.best.recipe.mixture))
    metric = f"{summary.study.objective.metric}, {summary.study.objective.aggregate}"
    return Triangle(metric, (names[0], names[1], names[2]), tuple(rows))


def figure(found: Triangle) -> go.Figure:
    """A triangle whose corners are the sources; the stronger the colour of a point, the better the run."""
    drawn = canvas(430)
    runs = [row for row in found.rows if row.score is not None]
    drawn.add_scatterternary(
        a=[row.first for row in runs],
        b=[row.second for row in runs],
        c=[row.third for row in runs],
        mode="markers",
        name="a run",
        showlegend=False,
        marker={
            "size": 11,
            "color": [row.score for row in runs],
            "colorscale": SEQUENCE,
            "line": {"color": PAPER, "width": 1},
            "colorbar": {
                "orientation": "h",
                "thickness": 8,
                "len": 0.7,
                "y": -0.12,
                "yanchor": "top",
                "outlinewidth": 0,
                "nticks": 5,
                "title": {"text": f"dev {plain(found.metric, 40)}", "side": "top", "font": {"size": 12}},
            },
        },
        text=[f"{row.name}: {row.score:.4f}" for row in runs],
        hovertemplate="%{text}<br>%{a:.2f} / %{b:.2f} / %{c:.2f}<extra></extra>",
    )
    for row in found.rows:
        if row.score is None:
            drawn.add_scatterternary(
                a=[row.first],
                b=[row.second],
                c=[row.third],
                mode="markers",
                name=row.name,
                marker={
                    "size": 15,
                    "symbol": "star" if row.name == "tuned" else DOTS.get(row.name, "x"),
                    "color": ACCENT if row.name == "tuned" else BASELINES.get(row.name, MUTED),
                    "line": {"color": PAPER, "width": 1.5},
                },
                hovertemplate="%{a:.2f} / %{b:.2f} / %{c:.2f}",
            )
    axis = {"gridcolor": GRID, "linecolor": MUTED, "tickformat": ".0%", "nticks": 5, "tickfont": {"size": 11}}
    a, b, c = (corner(name) for name in found.sources)
    drawn.update_layout(
        ternary={
            "bgcolor": "rgba(0,0,0,0)",
            "aaxis": {**axis, "title": {"text": a, "font": {"size": 12}}},
            "baxis": {**axis, "title": {"text": b, "font": {"size": 12}}},
            "caxis": {**axis, "title": {"text": c, "font": {"size": 12}}},
        },
        margin={"l": 60, "r": 60, "t": 48, "b": 100},
    )
    return drawn


def corner(name: str) -> str:
    """A source's name for a corner, in two lines where it is long: a telephone leaves a corner some 13 characters."""
    if len(name) <= HALF:
        return plain(name)
    breaks = [place + 1 for place, sign in enumerate(name) if sign in "-_. /" and place < HALF]
    at = breaks[-1] if breaks else HALF
    return f"{plain(name[:at])}<br>{plain(name[at:], HALF)}"


def sheet(found: Triangle) -> Sheet:
    """Runs, best one first, then baselines and the tuned recipe."""
    runs = [row for row in found.rows if row.score is not None][: SHOWN - 4]
    rows = [*runs, *(row for row in found.rows if row.score is None)]
    more = len(found.rows) - len(rows)
    return Sheet(
        title="All runs in the triangle of three sources",
        left=("run",),
        right=(*found.sources, "score"),
        rows=tuple(
            (row.name, number(row.first), number(row.second), number(row.third), number(row.score, ".4f"))
            for row in rows
        ),
        caption=f"dev {found.metric}; best run first",
        lines=left_out(more, "runs"),
    )


TERNARY = Figure(
    name="ternary",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Each point is one run: the nearer to a corner, the more of that source. The stronger its colour, the "
    "better its dev score. The star is the tuned recipe.",
)
