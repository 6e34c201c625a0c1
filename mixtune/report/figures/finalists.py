"""The best of the search, in the search and again on new seeds: the winner's curse."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, MUTED, SOFT, canvas, line_height, name_axis
from mixtune.report.panels.crowning import Crowning, crowning_sheet
from mixtune.report.sheet import Sheet
from mixtune.report.summary import Summary
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class Rerun:
    """A finalist's dev score in the search (None: it was predicted), and its mean over so many new seeds."""

    finalist: str
    search: float | None
    again: float
    seeds: int
    crowned: bool


@dataclass(frozen=True, slots=True)
class Finalists:
    """All finalists that ran again, the best on new seeds first."""

    metric: str
    crowning: Crowning

    @property
    def rows(self) -> tuple[Rerun, ...]:
        """One line each."""
        return tuple(
            Rerun(
                "predicted" if each.trial is None else f"trial {each.trial}",
                each.search,
                each.again,
                each.seeds,
                each.crowned,
            )
            for each in self.crowning.finalists
            if each.again is not None
        )


def points(summary: Summary, trials: Sequence[Trial]) -> Finalists | None:
    """The finalists; None where none has run again."""
    if summary.panels.crowning is None:
        return None
    objective = summary.study.objective
    found = Finalists(f"{objective.metric}, {objective.aggregate}", summary.panels.crowning)
    return found if found.rows else None


def figure(found: Finalists) -> go.Figure:
    """A line per finalist from its score in the search to its mean on new seeds."""
    rows = found.rows
    drawn = canvas(line_height(len(rows), 75))
    lines = list(range(len(rows)))
    drawn.add_scatter(
        x=[value for row in rows for value in (row.search, row.again, None)],
        y=[line for line in lines for _ in range(3)],
        mode="lines",
        line={"color": MUTED, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )
    drawn.add_scatter(
        x=[row.search for row in rows],
        y=lines,
        mode="markers",
        name="in the search",
        marker={"size": 10, "color": SOFT},
        hovertemplate="%{x:.4f}<extra>in the search</extra>",
    )
    drawn.add_scatter(
        x=[row.again for row in rows],
        y=lines,
        mode="markers",
        name="on the finalists' seeds (star: crowned)",
        marker={
            "size": [14 if row.crowned else 10 for row in rows],
            "color": ACCENT,
            "opacity": 1,
            "symbol": _symbols(rows),
        },
        hovertemplate="%{x:.4f}<extra>on new seeds</extra>",
    )
    name_axis(drawn, [f"{row.finalist}, crowned" if row.crowned else row.finalist for row in rows])
    drawn.update_xaxes(title_text=f"dev {found.metric}", nticks=6, zeroline=False)
    return drawn


def _symbols(rows: Sequence[Rerun]) -> list[str]:
    return ["star" if row.crowned else "circle" for row in rows]


def sheet(found: Finalists) -> Sheet:
    """The panel of `mixtune show`."""
    return crowning_sheet(found.crowning)


FINALISTS = Figure(
    name="finalists",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="The best of many noisy scores is partly luck: from the score in the search (dim) to the mean on the "
    "finalists' seeds (bright), by which the best one is crowned. Its runs on the judging seeds chose nothing.",
)
