"""Pruning thresholds, and other choices besides weights, against the score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, INK, SOFT, canvas, name_axis
from mixtune.report.figures.parallel import scored_runs
from mixtune.report.options import chosen
from mixtune.report.sheet import Sheet, cut, number
from mixtune.report.summary import Summary
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class Choice:
    """What one run had of one option, `keep.SOURCE` being the kept share of a source, and the run's dev score."""

    trial: int
    option: str
    value: float
    score: float


@dataclass(frozen=True, slots=True)
class Choices:
    """Choices of all runs, option by option, values ascending."""

    metric: str
    rows: tuple[Choice, ...]

    @property
    def tried(self) -> dict[tuple[str, float], list[float]]:
        """(option, value) -> scores of the runs that had it."""
        found: dict[tuple[str, float], list[float]] = {}
        for row in self.rows:
            found.setdefault((row.option, row.value), []).append(row.score)
        return found


def points(summary: Summary, trials: Sequence[Trial]) -> Choices | None:
    """Scored full-length runs of options of which more than one value was tried; None without any."""
    study = summary.study
    rows = []
    for score, trial in scored_runs(trials):
        recipe = trial.proposal.recipe
        options = {f"keep.{name}": recipe.pruning.share(name) for name in study.names}
        options |= chosen(study.space, recipe)
        rows += [Choice(trial.number, name, value, score) for name, value in options.items()]
    values = {row.option: {each.value for each in rows if each.option == row.option} for row in rows}
    kept = [row for row in rows if len(values[row.option]) > 1]
    kept.sort(key=lambda row: (row.option, row.value, row.trial))
    metric = f"{study.objective.metric}, {study.objective.aggregate}"
    return Choices(metric, tuple(kept)) if kept else None


def figure(found: Choices) -> go.Figure:
    """One line per option and value: a dot per run, and the mean of all."""
    tried = found.tried
    drawn = canvas(75 + 25 * len(tried))
    drawn.add_scatter(
        x=[score for scores in tried.values() for score in scores],
        y=[line for line, scores in enumerate(tried.values()) for _ in scores],
        mode="markers",
        name="a run",
        marker={"size": 8, "color": SOFT},
        hovertemplate="%{x:.4f}<extra></extra>",
    )
    drawn.add_scatter(
        x=[float(np.mean(scores)) for scores in tried.values()],
        y=list(range(len(tried))),
        mode="markers",
        name="mean",
        marker={"size": 13, "symbol": "line-ns-open", "color": ACCENT, "line": {"width": 3}},
        hovertemplate="%{x:.4f}<extra>mean</extra>",
    )
    name_axis(drawn, [_named(option, value) for option, value in tried])
    options = [option for option, _ in tried]
    for line in range(1, len(options)):
        if options[line] != options[line - 1]:
            drawn.add_hline(y=line - 0.5, line={"color": "var(--grid)", "width": 1})
    drawn.update_xaxes(title_text=f"dev {found.metric}", nticks=6, zeroline=False)
    drawn.update_layout(font={"color": INK})
    return drawn


def _named(option: str, value: float) -> str:
    if option == "dynamic":
        return "schedule on" if value else "schedule off"
    if option.startswith("keep."):
        return f"{option.removeprefix('keep.')} {value:.0%}"
    return f"{option} {value:g}"


def sheet(found: Choices) -> Sheet:
    """One line per option and value."""
    rows, more = cut(
        [
            (option, f"{value:g}", str(len(scores)), number(float(np.mean(scores)), ".4f"), number(max(scores), ".4f"))
            for (option, value), scores in found.tried.items()
        ],
        "choices",
    )
    return Sheet(
        title="Pruning and other choices against score",
        left=("option",),
        right=("value", "runs", "mean", "best"),
        rows=rows,
        caption=f"dev {found.metric}; keep.SOURCE is the share of its pairs that a run kept",
        lines=more,
    )


THRESHOLDS = Figure(
    name="thresholds",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Each dot is a run with that choice, the mark their mean. Runs differ in their weights too, so a small "
    "difference between means says little.",
)
