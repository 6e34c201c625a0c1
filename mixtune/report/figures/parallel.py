"""Parallel coordinates: the weights of every full-length run, coloured by its score."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.proposal import Role
from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, GRID, SOFT, canvas, line_height, name_axis
from mixtune.report.sheet import SHOWN, Sheet, left_out
from mixtune.report.summary import Summary
from mixtune.trial import Trial, TrialState

FEWEST = 4
"""Runs below which there is nothing to see."""

BEST = 0.1
"""Share of the runs that count as the best ones, at least three."""

SOURCES_SHOWN = 12
"""Sources with a line of their own, those whose weights the best runs agree on to be large first."""

RUNS_SHOWN = 300
"""Runs that are drawn, best ones first."""


@dataclass(frozen=True, slots=True)
class RunWeight:
    """The weight of one source in one run, the run's dev score, and its place among all runs (1 is the best)."""

    trial: int
    score: float
    place: int
    source: str
    weight: float


@dataclass(frozen=True, slots=True)
class Runs:
    """Weights of all runs, best run first; in each the sources in the same order, heaviest in the best runs first."""

    metric: str
    rows: tuple[RunWeight, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources in their order."""
        return tuple(dict.fromkeys(row.source for row in self.rows))

    @property
    def runs(self) -> dict[int, dict[str, float]]:
        """Trial -> source -> weight, best run first."""
        found: dict[int, dict[str, float]] = {}
        for row in self.rows:
            found.setdefault(row.trial, {})[row.source] = row.weight
        return found

    @property
    def best(self) -> tuple[int, ...]:
        """The best runs."""
        trials = tuple(self.runs)
        return trials[: max(3, int(BEST * len(trials)))]


def scored_runs(trials: Sequence[Trial]) -> list[tuple[float, Trial]]:
    """Complete full-length runs of a search with their scores, best one first."""
    found = [
        (trial.measurement.score, trial)
        for trial in trials
        if trial.role is Role.SEARCH and trial.state is TrialState.COMPLETE and trial.measurement is not None
        if trial.measurement.score is not None
    ]
    return sorted(found, key=lambda pair: (-pair[0], pair[1].number))


def points(summary: Summary, trials: Sequence[Trial]) -> Runs | None:
    """Every scored full-length run; None with fewer than FEWEST."""
    runs = scored_runs(trials)
    if len(runs) < FEWEST:
        return None
    best = runs[: max(3, int(BEST * len(runs)))]

    def mean(name: str) -> float:
        return sum(trial.proposal.recipe.mixture.get(name, 0.0) for _, trial in best) / len(best)

    order = sorted(summary.study.names, key=lambda name: (-mean(name), name))
    return Runs(
        f"{summary.study.objective.metric}, {summary.study.objective.aggregate}",
        tuple(
            RunWeight(trial.number, score, place, name, trial.proposal.recipe.mixture.get(name, 0.0))
            for place, (score, trial) in enumerate(runs, start=1)
            for name in order
        ),
    )


def figure(found: Runs) -> go.Figure:
    """One line per run through its weights, source by source downwards; the best runs stand out."""
    sources, runs, best = found.sources[:SOURCES_SHOWN], found.runs, found.best
    drawn = canvas(line_height(len(sources), 80) + 8 * len(sources))
    for name, chosen, colour, width in (
        ("other runs", [t for t in list(runs)[:RUNS_SHOWN] if t not in best], SOFT, 1.0),
        (f"the best {len(best)}", list(best), ACCENT, 2.5),
    ):
        drawn.add_scatter(
            x=[value for trial in chosen for value in (*(runs[trial][source] for source in sources), None)],
            y=[line for _ in chosen for line in (*range(len(sources)), None)],
            mode="lines+markers",
            name=name,
            line={"color": colour, "width": width},
            marker={"size": 4 if width < 2 else 6},
            text=[text for trial in chosen for text in (*([f"trial {trial}"] * len(sources)), None)],
            hovertemplate="%{x:.3f}<extra>%{text}</extra>",
        )
    name_axis(drawn, sources)
    drawn.update_yaxes(showgrid=True, gridcolor=GRID)
    drawn.update_xaxes(title_text="share of batches", tickformat=".0%", zeroline=False, rangemode="tozero", nticks=6)
    return drawn


def sheet(found: Runs) -> Sheet:
    """The best runs with their four heaviest sources."""
    score = {row.trial: row.score for row in found.rows}
    lines = []
    for trial, weights in list(found.runs.items())[:SHOWN]:
        heaviest = sorted(weights, key=lambda name: (-weights[name], name))[:3]
        told = ", ".join(f"{name} {weights[name]:.2f}" for name in heaviest)
        lines.append((told, str(trial), f"{score[trial]:.4f}"))
    more = len(found.runs) - SHOWN
    return Sheet(
        title="All runs: weights and score",
        left=("heaviest sources",),
        right=("trial", "score"),
        rows=tuple(lines),
        caption=f"dev {found.metric}; best run first",
        lines=left_out(more, "runs"),
    )


PARALLEL = Figure(
    name="parallel",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Each line is one run, read from top to bottom: how much it took from each source. Where the best runs "
    "lie together the weight matters; where they spread it does not.",
)
