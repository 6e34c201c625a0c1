"""How much of each source: the tuned recipe beside the baselines."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.epochs import epochs_caption
from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import (
    ACCENT,
    BASELINES,
    INK,
    LINES,
    MARKS,
    PAPER,
    canvas,
    line_height,
    name_axis,
)
from mixtune.report.looks.collected import is_look
from mixtune.report.options import recipe_lines
from mixtune.report.sheet import Sheet, cut, number
from mixtune.report.summary import Summary
from mixtune.trial import Trial

SHAPES = {**MARKS, "uniform": "circle"}
"""Marks on a bar: filled ones, which a rim in the colour of the paper sets off from the bar and from its whisker."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A source's share of batches in the tuned recipe and in the baselines, with its rows and passes over them.

    low and high are the least and the most of it among recipes within noise of the best, None where that is unknown;
    an expert weight is None where the study gives none. epochs are those of the final training, kept is the share of
    the source's pairs that the recipe keeps.
    """

    source: str
    tuned: float
    proportional: float
    uniform: float
    expert: float | None
    low: float | None
    high: float | None
    rows: int
    epochs: float
    kept: float = 1.0


@dataclass(frozen=True, slots=True)
class Weights:
    """All sources, heaviest first; caption explains epochs, said tells of the recipe's other pruning and batching."""

    caption: str
    rows: tuple[Weight, ...]
    said: tuple[str, ...] = ()


def points(summary: Summary, trials: Sequence[Trial]) -> Weights | None:
    """The recommended recipe source by source, None before there is one; a look has none of its own."""
    study, best, found = summary.study, summary.best, summary.panels.near_optimal
    if best is None or is_look(study):
        return None
    near = found.weights if found is not None and len(found.members) > 1 else {}
    proportional, expert = study.proportional(), study.expert()
    order = sorted(study.names, key=lambda name: (-best.recipe.mixture.get(name, 0.0), name))
    return Weights(
        epochs_caption(study, best.recipe),
        tuple(
            Weight(
                name,
                best.recipe.mixture.get(name, 0.0),
                proportional[name],
                1 / len(study.names),
                None if expert is None else expert[name],
                near[name][0] if name in near else None,
                near[name][1] if name in near else None,
                study.rows[name],
                best.epochs[name],
                best.recipe.pruning.share(name),
            )
            for name in order
        ),
        tuple(recipe_lines(best.recipe)),
    )


def figure(found: Weights) -> go.Figure:
    """A bar per source, the range of near-optimal recipes on it, and a mark per baseline."""
    rows = found.rows[:LINES]
    lines = list(range(len(rows)))
    drawn = canvas(line_height(len(rows), 75), barmode="overlay", bargap=0.35)
    drawn.add_bar(
        x=[row.tuned for row in rows],
        y=lines,
        orientation="h",
        name="tuned",
        marker={"color": ACCENT, "line": {"width": 0}},
        hovertemplate="%{x:.3f}<extra>tuned</extra>",
    )
    ranged = [
        (line, row.low, row.high) for line, row in enumerate(rows) if row.low is not None and row.high is not None
    ]
    if ranged:
        drawn.add_scatter(
            x=[(low + high) / 2 for _, low, high in ranged],
            y=[line for line, _, _ in ranged],
            mode="markers",
            marker={"size": 1, "color": INK},
            error_x={
                "type": "data",
                "array": [(high - low) / 2 for _, low, high in ranged],
                "color": INK,
                "thickness": 1.5,
                "width": 4,
            },
            name="range within noise of the best",
            hoverinfo="skip",
        )
    for name, values in (
        ("proportional", [row.proportional for row in rows]),
        ("uniform", [row.uniform for row in rows]),
        ("expert", [row.expert for row in rows]),
    ):
        if all(value is not None for value in values):
            drawn.add_scatter(
                x=values,
                y=lines,
                mode="markers",
                name=name,
                marker={
                    "symbol": SHAPES[name],
                    "size": 12,
                    "color": BASELINES[name],
                    "line": {"color": PAPER, "width": 2},
                },
                hovertemplate=f"%{{x:.3f}}<extra>{name}</extra>",
            )
    name_axis(drawn, [row.source for row in rows])
    drawn.update_xaxes(title_text="share of batches", tickformat=".0%", rangemode="tozero", zeroline=False, nticks=6)
    return drawn


def sheet(found: Weights) -> Sheet:
    """One line per source, heaviest first."""
    expert = any(row.expert is not None for row in found.rows)
    near = any(row.low is not None for row in found.rows)
    pruned = any(row.kept < 1 for row in found.rows)
    rows, more = cut(
        [
            (
                row.source,
                number(row.tuned),
                *((f"{number(row.low)}-{number(row.high)}",) if near else ()),
                number(row.proportional),
                number(row.uniform),
                *((number(row.expert),) if expert else ()),
                *((f"{row.kept:.0%}",) if pruned else ()),
                f"{row.epochs:.1f}",
            )
            for row in found.rows
        ],
        "sources",
    )
    return Sheet(
        title="How much of each source",
        left=("source",),
        right=(
            "tuned",
            *(("near-optimal",) if near else ()),
            "proportional",
            "uniform",
            *(("expert",) if expert else ()),
            *(("kept",) if pruned else ()),
            "epochs",
        ),
        rows=rows,
        caption="weights are shares of batches; "
        f"{'kept: the share of its pairs that the recipe keeps; ' if pruned else ''}{found.caption}",
        lines=(*more, *found.said),
    )


WEIGHTS = Figure(
    name="weights",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Bar: the share of batches that the tuned recipe takes from a source. Marks: what the baselines take. "
    "A bar far beyond the diamond is a source that is worth more than its size. Thin line, where there is one: the "
    "least and the most that any recipe within noise of the best gives it; where it begins at 0, "
    "one of these does without.",
    wide=True,
)
