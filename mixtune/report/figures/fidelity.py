"""Whether the proxy ranks recipes as a larger one does."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, canvas, plain
from mixtune.report.looks.fidelity import Fidelity, fidelity_sheets
from mixtune.report.sheet import Sheet
from mixtune.report.summary import Summary
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class TwoProxies:
    """A recipe's mean dev score under the study's proxy and under the larger one."""

    recipe: str
    own: float
    larger: float


@dataclass(frozen=True, slots=True)
class Ranks:
    """All recipes that ran under both."""

    found: Fidelity

    @property
    def rows(self) -> tuple[TwoProxies, ...]:
        """Best under the study's own proxy first."""
        own, larger = self.found.overall.own, self.found.overall.larger
        return tuple(TwoProxies(name, own[name], larger[name]) for name in sorted(own, key=lambda name: -own[name]))


def points(summary: Summary, trials: Sequence[Trial]) -> Ranks | None:
    """What `mixtune fidelity` found; None before it has run."""
    return None if summary.looks.fidelity is None else Ranks(summary.looks.fidelity)


def figure(found: Ranks) -> go.Figure:
    """A dot per recipe."""
    drawn = canvas(340, showlegend=False)
    drawn.add_scatter(
        x=[row.own for row in found.rows],
        y=[row.larger for row in found.rows],
        mode="markers",
        marker={"size": 11, "color": ACCENT},
        text=[plain(row.recipe) for row in found.rows],
        hovertemplate="%{x:.4f} → %{y:.4f}<extra>%{text}</extra>",
    )
    drawn.update_xaxes(title_text=f"dev, {plain(found.found.own, 30)}", nticks=5, zeroline=False)
    drawn.update_yaxes(title_text=f"dev, {plain(found.found.larger, 30)}", nticks=5, zeroline=False)
    return drawn


def sheet(found: Ranks) -> Sheet:
    """The first table of `mixtune fidelity`."""
    return next(iter(fidelity_sheets(found.found)))


FIDELITY = Figure(
    name="fidelity",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Each dot is one recipe, trained under both proxies. Rising from left to right: the proxy ranks recipes as "
    "the larger one does, and what it recommends can be believed.",
)
