"""The answers of several studies side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.figures.base import Shown
from mixtune.report.figures.canvas import plain
from mixtune.report.figures.dots import Dot, interval_dots
from mixtune.report.sheet import Sheet, number
from mixtune.report.summary import Summary


@dataclass(frozen=True, slots=True)
class StudyGain:
    """A study's gain over proportional sampling on test, in its metric, with its 95 % interval."""

    study: str
    metric: str
    difference: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True, slots=True)
class StudyGains:
    """The gains of all judged studies, in the order that they were named in."""

    rows: tuple[StudyGain, ...]

    @property
    def metrics(self) -> str:
        """The metrics, in words."""
        return ", ".join(dict.fromkeys(row.metric for row in self.rows))


def gain(summary: Summary) -> StudyGain | None:
    """A study's gain, None where it was not judged."""
    each = summary.comparisons.get("proportional")
    if each is None or each.difference is None:
        return None
    found = each.difference
    return StudyGain(summary.study.name, each.metric, found.value, found.low, found.high, each.verdict.value)


def answers(gains: Sequence[StudyGain]) -> Shown:
    """The figure of some gains."""
    found = StudyGains(tuple(gains))
    reading = "Dot: mean difference on test queries. Line: 95 % interval over queries and training seeds, paired."
    return Shown("answers", sheet(found), found, reading, True, lambda: figure(found))


def figure(found: StudyGains) -> go.Figure:
    """A dot with its interval per study."""
    dots = [Dot(plain(row.study), row.difference, row.low, row.high) for row in found.rows]
    return interval_dots(dots, f"test {found.metrics}, tuned - proportional")


def sheet(found: StudyGains) -> Sheet:
    """One line per study."""
    return Sheet(
        title="Gain over proportional sampling, study by study",
        left=("study",),
        right=("gain", "95 % interval", "better?"),
        rows=tuple(
            (row.study, number(row.difference, "+.4f"), f"[{row.low:+.4f}, {row.high:+.4f}]", row.verdict)
            for row in found.rows
        ),
        caption=f"test {found.metrics}; studies may differ in data and compute",
    )
