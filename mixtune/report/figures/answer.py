"""By how much the tuned recipe beats each baseline on test, with the interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import plain
from mixtune.report.figures.dots import Dot, interval_dots
from mixtune.report.sheet import Sheet, number
from mixtune.report.summary import Summary
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class Gain:
    """Tuned minus baseline on test, with its 95 % interval, over so many queries and training seeds.

    probability is that of the tuned recipe being the better one.
    """

    baseline: str
    difference: float
    low: float
    high: float
    probability: float
    verdict: str
    queries: int
    seeds: int


@dataclass(frozen=True, slots=True)
class Gains:
    """The gains over all judged baselines, in the study's metric."""

    metric: str
    rows: tuple[Gain, ...]


def points(summary: Summary, trials: Sequence[Trial]) -> Gains | None:
    """Every baseline whose comparison was judged; None where none was."""
    rows = tuple(
        Gain(
            name,
            found.value,
            found.low,
            found.high,
            found.probability,
            each.verdict.value,
            found.queries,
            found.replicates,
        )
        for name, each in summary.comparisons.items()
        if (found := each.difference) is not None and not each.same_recipe
    )
    return Gains(summary.study.objective.metric, rows) if rows else None


def figure(found: Gains) -> go.Figure:
    """A dot with its interval per baseline, beside the line of no difference."""
    dots = [Dot(f"over {plain(row.baseline)}", row.difference, row.low, row.high) for row in found.rows]
    return interval_dots(dots, f"test {found.metric}, tuned - baseline")


def sheet(found: Gains) -> Sheet:
    """One line per baseline."""
    rows = tuple(
        (
            row.baseline,
            number(row.difference, "+.4f"),
            f"[{row.low:+.4f}, {row.high:+.4f}]",
            number(row.probability),
            row.verdict,
        )
        for row in found.rows
    )
    first = found.rows[0]
    return Sheet(
        title="Does tuning help? Gain on test",
        left=("baseline",),
        right=("gain", "95 % interval", "P(better)", "better?"),
        rows=rows,
        caption=f"{found.metric}; over {first.queries:,} queries and {first.seeds} training seeds",
    )


ANSWER = Figure(
    name="answer",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Dot: mean difference on test queries. Line: 95 % interval over queries and training seeds, paired. "
    "Where the line crosses zero there is no winner.",
    wide=True,
)
