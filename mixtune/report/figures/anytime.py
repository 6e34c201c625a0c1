"""Best dev score against compute."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from mixtune.proposal import CHARGED, Role
from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, BASELINES, INK, SOFT, canvas
from mixtune.report.judged import Judged
from mixtune.report.sheet import SHOWN, Sheet, left_out, number
from mixtune.report.summary import Summary
from mixtune.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class Step:
    """A dev score and the search's compute when it was known, in fresh runs; best is the highest one until then.

    kind is `base model`, `search`, `recommended` or `baseline`; the last two are means over judging seeds. trial is
    None for means.
    """

    kind: str
    name: str
    trial: int | None
    runs: float
    score: float
    best: float


@dataclass(frozen=True, slots=True)
class Anytime:
    """All scored runs in the order of compute, then the recommended recipe and the baselines."""

    metric: str
    rows: tuple[Step, ...]


def points(summary: Summary, trials: Sequence[Trial]) -> Anytime | None:
    """Complete full-length runs of the search.

    Rounds of a chain are left out: they are scored on other dev queries, and continue each other. None where there is
    nothing but the base model.
    """
    study = summary.study
    unit = study.preparation.run_flops if study.preparation is not None else 0.0
    if unit <= 0:
        return None
    rows = list(_searched(trials, unit))
    base = None if summary.base_model is None else _dev(summary, summary.base_model)
    if base is not None:
        rows.insert(0, Step("base model", "base model", None, 0.0, base, base))
    end = (summary.costs.search / unit) if rows or summary.best else 0.0
    if summary.best is not None and len(summary.best.judged.scores) > 0:
        level = _dev(summary, summary.best.judged)
        rows += [Step("recommended", "tuned", None, end, level, level)] if level is not None else []
    if len(rows) < 2:
        return None
    for name, judged in summary.baselines.items():
        level = _dev(summary, judged)
        rows += [Step("baseline", name, None, 0.0, level, level)] if level is not None else []
    return Anytime(f"{study.objective.metric}, {study.objective.aggregate}", tuple(rows))


def _searched(trials: Sequence[Trial], unit: float) -> Iterator[Step]:
    spent, best = 0.0, -np.inf
    for trial in trials:
        if trial.role not in CHARGED or trial.measurement is None:
            continue
        spent += trial.measurement.cost.flops / unit
        score = trial.measurement.score
        if trial.role is Role.SEARCH and trial.state is TrialState.COMPLETE and score is not None:
            best = max(best, score)
            yield Step("search", "search", trial.number, spent, score, float(best))


def _dev(summary: Summary, judged: Judged) -> float | None:
    return None if not judged.dev else summary.study.score(judged.dev)


def figure(found: Anytime) -> go.Figure:
    """A staircase of the best score so far over a cloud of all runs, with the baselines as level lines.

    A chain has no staircase: the base model and the recommended recipe are two marks.
    """
    drawn = canvas(340)
    searched = [row for row in found.rows if row.kind == "search"]
    tuned = [row for row in found.rows if row.kind == "recommended"]
    base = [row for row in found.rows if row.kind == "base model"]
    end = max(row.runs for row in found.rows) or 1.0
    if searched:
        drawn.add_scatter(
            x=[row.runs for row in searched],
            y=[row.score for row in searched],
            mode="markers",
            name="a run",
            marker={"size": 6, "color": SOFT},
            text=[f"trial {row.trial}" for row in searched],
            hovertemplate="%{y:.4f} after %{x:.2f} runs<extra>%{text}</extra>",
        )
        drawn.add_scatter(
            x=[*(row.runs for row in searched), end],
            y=[*(row.best for row in searched), searched[-1].best],
            mode="lines",
            name="best so far",
            line={"shape": "hv", "width": 2.5, "color": ACCENT},
            hoverinfo="skip",
        )
        # A rise at the very end would be a bare upright line.
        drawn.add_scatter(
            x=[end],
            y=[searched[-1].best],
            mode="markers",
            marker={"size": 8, "color": ACCENT},
            cliponaxis=False,
            hoverinfo="skip",
            showlegend=False,
        )
    else:
        _mark(drawn, base, "base model", {"size": 9, "symbol": "circle", "color": INK})
    _mark(drawn, tuned, "tuned, re-run on judging seeds", {"size": 12, "symbol": "star", "color": ACCENT})
    for row in found.rows:
        if row.kind == "baseline" or (row.kind == "base model" and searched):
            colour = BASELINES.get(row.name, INK)
            drawn.add_scatter(
                x=[0, end],
                y=[row.score, row.score],
                mode="lines",
                name=row.name,
                line={"color": colour, "width": 1.5, "dash": "dash"},
                hovertemplate=f"%{{y:.4f}}<extra>{row.name}</extra>",
            )
    drawn.update_xaxes(title_text="compute of the search, in fresh runs", rangemode="tozero", zeroline=False)
    drawn.update_yaxes(title_text=f"dev {found.metric}", nticks=6, zeroline=False)
    return drawn


def _mark(drawn: go.Figure, rows: Sequence[Step], name: str, marker: Mapping[str, object]) -> None:
    """A score by itself: whole at the edge of the figure too, and without a line that would read as progress."""
    if rows:
        drawn.add_scatter(
            x=[row.runs for row in rows],
            y=[row.score for row in rows],
            mode="markers",
            name=name,
            marker=dict(marker),
            cliponaxis=False,
            text=[row.name for row in rows],
            hovertemplate="%{y:.4f}<extra>%{text}</extra>",
        )


def sheet(found: Anytime) -> Sheet:
    """Every run that was better than all before it, and the levels around them."""
    lines: list[tuple[str, ...]] = []
    for row in found.rows:
        if row.kind != "search" or row.score >= row.best:
            name = row.name if row.trial is None else f"trial {row.trial}"
            lines.append((name, "" if row.kind == "baseline" else number(row.runs, ".2f"), number(row.score, ".4f")))
    return Sheet(
        title="Best dev score against compute",
        left=("run",),
        right=("after runs", "score"),
        rows=tuple(lines[:SHOWN]),
        caption=f"dev {found.metric}; compute in fresh full-length runs; trials: only those better than all before",
        lines=left_out(len(lines) - SHOWN, "scores"),
    )


ANYTIME = Figure(
    name="anytime",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Star: the tuned recipe, re-run on seeds of its own, at all the compute that the search took. A search "
    "that scores full runs has a staircase too, the best dev score seen after so much compute; as far as the star lies "
    "below it, that was the luck of the winner. A chain of rounds has no such scores: nothing was measured between the "
    "base model and the star.",
)
