"""Test scores of every recipe, target by target."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, BASELINES, DOTS, MUTED, canvas, line_height, name_axis
from mixtune.report.intervals import Interval
from mixtune.report.judged import Judged
from mixtune.report.sheet import Sheet, cut
from mixtune.report.summary import Summary
from mixtune.trial import Trial

ALL = "all targets"
"""Name of the line that puts the targets together as the objective does."""


@dataclass(frozen=True, slots=True)
class Score:
    """A recipe's mean on the test queries of one target, with its 95 % interval."""

    target: str
    recipe: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores in the study's metric: targets in the study's order, then all together; recipes from base to tuned."""

    metric: str
    rows: tuple[Score, ...]


def points(summary: Summary, trials: Sequence[Trial]) -> Scores | None:
    """All judged recipes; None where nothing was judged."""
    metric = summary.study.objective.metric
    arms: dict[str, Judged] = {} if summary.base_model is None else {"base model": summary.base_model}
    arms |= summary.baselines
    if summary.best is not None:
        arms["tuned"] = summary.best.judged
    rows = tuple(_rows(summary, {name: arm for name, arm in arms.items() if arm.scores}, metric))
    return Scores(metric, rows) if rows else None


def _rows(summary: Summary, arms: dict[str, Judged], metric: str) -> Iterator[Score]:
    found = {name: arm.intervals() for name, arm in arms.items()}
    for target in summary.study.targets:
        for name in arms:
            yield from _row(target.name, name, found[name].get(target.name, {}).get(metric))
    if len(summary.study.targets) > 1:
        for name, arm in arms.items():
            yield from _row(ALL, name, arm.overall(summary.study, metric))


def _row(target: str, recipe: str, found: Interval | None) -> Iterator[Score]:
    if found is not None:
        yield Score(target, recipe, found.value, max(0.0, found.low), min(1.0, found.high))


def figure(found: Scores) -> go.Figure:
    """One band per target with a dot and its interval per recipe."""
    targets = list(dict.fromkeys(row.target for row in found.rows))[::-1]
    recipes = list(dict.fromkeys(row.recipe for row in found.rows))
    drawn = canvas(line_height(len(targets) * max(len(recipes), 2), 70) * 2 // 3 + 40)
    for place, recipe in enumerate(recipes):
        own = [row for row in found.rows if row.recipe == recipe]
        colour = ACCENT if recipe == "tuned" else BASELINES.get(recipe, MUTED)
        drawn.add_scatter(
            x=[row.value for row in own],
            y=[targets.index(row.target) + 0.7 * ((place + 0.5) / len(recipes) - 0.5) for row in own],
            mode="markers",
            name=recipe,
            marker={"size": 10, "symbol": DOTS.get(recipe, "circle"), "color": colour},
            error_x={
                "type": "data",
                "array": [row.high - row.value for row in own],
                "arrayminus": [row.value - row.low for row in own],
                "color": colour,
                "thickness": 1.5,
                "width": 0,
            },
            hovertemplate=f"%{{x:.4f}}<extra>{recipe}</extra>",
        )
    name_axis(drawn, targets)
    drawn.update_yaxes(range=[len(targets) - 0.5, -0.5])
    drawn.update_xaxes(title_text=f"test {found.metric}", nticks=6, zeroline=False)
    return drawn


def sheet(found: Scores) -> Sheet:
    """Targets down, recipes across."""
    recipes = tuple(dict.fromkeys(row.recipe for row in found.rows))
    cells = {(row.target, row.recipe): f"{row.value:.3f}±{(row.high - row.low) / 2:.3f}" for row in found.rows}
    targets = dict.fromkeys(row.target for row in found.rows)
    rows, more = cut([(name, *(cells.get((name, recipe), "-") for recipe in recipes)) for name in targets], "targets")
    return Sheet(
        title=f"Test {found.metric} per target",
        left=("target",),
        right=recipes,
        rows=rows,
        caption="mean ± half of the 95 % interval, over queries and training seeds",
        lines=more,
    )


SCORES = Figure(
    name="scores",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Dot: mean on test. Line: 95 % interval over queries and seeds. Intervals of two recipes may overlap "
    "although one is surely better, since both see the same queries: the answer above compares them in pairs.",
)
