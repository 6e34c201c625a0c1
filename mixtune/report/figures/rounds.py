"""How a chain moved the weights, round by round."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.proposal import Role
from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import INK, PAPER, REST, SOURCES, canvas, plain
from mixtune.report.sheet import Sheet, cut, number
from mixtune.report.summary import Summary
from mixtune.trial import Trial, TrialState

LABELLED = 0.05
"""Least share, at its largest, of a band that is labelled in the figure."""

TICKS = 8
"""Rounds that the axis names at most."""


@dataclass(frozen=True, slots=True)
class RoundWeight:
    """The weight of one source in one round; trial is the number of the round's trial."""

    round: int
    trial: int
    source: str
    weight: float


@dataclass(frozen=True, slots=True)
class Rounds:
    """Weights of all complete rounds, round by round, in each the heaviest source of the last round first."""

    rows: tuple[RoundWeight, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources, the heaviest of the last round first."""
        return tuple(dict.fromkeys(row.source for row in self.rows))

    def of(self, source: str) -> list[float]:
        """A source's weight in every round."""
        return [row.weight for row in self.rows if row.source == source]


def points(summary: Summary, trials: Sequence[Trial]) -> Rounds | None:
    """Every complete round's recipe; None with fewer than two."""
    chain = [trial for trial in trials if trial.role is Role.ROUND and trial.state is TrialState.COMPLETE]
    if len(chain) < 2:
        return None
    last = chain[-1].proposal.recipe.mixture
    order = sorted(summary.study.names, key=lambda name: (-last.get(name, 0.0), name))
    return Rounds(
        tuple(
            RoundWeight(index, trial.number, name, trial.proposal.recipe.mixture.get(name, 0.0))
            for index, trial in enumerate(chain)
            for name in order
        )
    )


def figure(found: Rounds) -> go.Figure:
    """Stacked areas, the heaviest source at the bottom; sources without a colour of their own are put together.

    A band is named at the right, and one that has nearly vanished by then in the round in which it was largest.
    """
    named = found.sources[: len(SOURCES)] if len(found.sources) > len(SOURCES) + 1 else found.sources
    others = found.sources[len(named) :]
    bands = [(name, found.of(name), colour) for name, colour in zip(named, (*SOURCES, REST), strict=False)]
    if others:
        columns = zip(*(found.of(name) for name in others), strict=True)
        bands.append((f"{len(others)} others", [sum(column) for column in columns], REST))
    drawn = canvas(360, showlegend=False, margin={"l": 8, "r": 118, "t": 8, "b": 8})
    last = len(bands[0][1]) - 1
    below = [0.0] * (last + 1)
    for name, weights, colour in bands:
        drawn.add_scatter(
            x=list(range(len(weights))),
            y=weights,
            stackgroup="weights",
            mode="lines",
            line={"width": 0.5, "color": "var(--paper)"},
            fillcolor=colour,
            name=plain(name),
            hovertemplate="%{y:.3f} in round %{x}",
        )
        at = last if weights[-1] >= LABELLED else weights.index(max(weights))
        if weights[at] >= LABELLED:
            drawn.add_annotation(
                x=at,
                y=below[at] + weights[at] / 2,
                text=plain(name, 16),
                xanchor="left" if at in (0, last) else "center",
                xshift=4 if at in (0, last) else 0,
                showarrow=False,
                font={"size": 12, "color": INK},
                bgcolor=PAPER if at != last else None,
                borderpad=1,
                opacity=0.85 if at != last else 1,
            )
        below = [low + weight for low, weight in zip(below, weights, strict=True)]
    drawn.update_xaxes(
        title_text="round", range=[0, last], showgrid=False, zeroline=False, tick0=0, dtick=-(-last // TICKS)
    )
    drawn.update_yaxes(range=[0, 1], tickformat=".0%", showgrid=False, zeroline=False, title_text="share of batches")
    return drawn


def sheet(found: Rounds) -> Sheet:
    """First, middle and last round, heaviest source of the last first."""
    count = max(row.round for row in found.rows) + 1
    shown = sorted({0, count // 2, count - 1})
    rows, more = cut([(name, *(number(found.of(name)[index]) for index in shown)) for name in found.sources], "sources")
    return Sheet(
        title="How the weights moved, round by round",
        left=("source",),
        right=tuple(f"round {index}" for index in shown),
        rows=rows,
        caption=f"weights with which {count} rounds were trained",
        lines=more,
    )


ROUNDS = Figure(
    name="rounds",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Height of a band: the share of batches that a round took from the source, named at the end, or where it "
    "was largest if it has nearly vanished since. Bands that stop changing say that the search has settled.",
)
