"""Rows of each source that hold a dev or test query."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.contamination import Contamination
from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, LINES, SOFT, canvas, line_height, name_axis
from mixtune.report.panels.contamination import contamination_sheet
from mixtune.report.sheet import Sheet
from mixtune.report.summary import Summary
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class SourceOverlap:
    """A source's rows that hold a query, or a document judged for one, of dev or test, over all targets.

    Each counts equal texts and near-duplicates; a row may count for several targets. removed says how many rows were
    taken out.
    """

    source: str
    dev_queries: int
    test_queries: int
    dev_documents: int
    test_documents: int
    removed: int


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Sources that share any text with a target, those with most queries first."""

    found: Contamination
    rows: tuple[SourceOverlap, ...]


def points(summary: Summary, trials: Sequence[Trial]) -> Overlaps | None:
    """What preparing counted; None where nothing was counted, or nothing was found."""
    found = summary.panels.contamination
    if found is None:
        return None
    rows = [
        SourceOverlap(
            source,
            sum(each.dev_queries.rows for each in targets.values()),
            sum(each.test_queries.rows for each in targets.values()),
            sum(each.dev_documents.rows for each in targets.values()),
            sum(each.test_documents.rows for each in targets.values()),
            found.removed.get(source, 0),
        )
        for source, targets in found.overlaps.items()
        if any(each.found for each in targets.values())
    ]
    rows.sort(
        key=lambda row: (-row.dev_queries - row.test_queries, -row.dev_documents - row.test_documents, row.source)
    )
    return Overlaps(found, tuple(rows)) if rows else None


def figure(found: Overlaps) -> go.Figure:
    """A stacked bar per source: queries strong, documents pale."""
    rows = found.rows[:LINES]
    drawn = canvas(line_height(len(rows), 80), barmode="stack", bargap=0.4)
    for name, values, colour in (
        ("dev queries", [row.dev_queries for row in rows], "var(--p1)"),
        ("test queries", [row.test_queries for row in rows], "var(--s5)"),
        ("dev documents", [row.dev_documents for row in rows], ACCENT),
        ("test documents", [row.test_documents for row in rows], SOFT),
    ):
        drawn.add_bar(
            x=values,
            y=list(range(len(rows))),
            orientation="h",
            name=name,
            marker={"color": colour},
            hovertemplate=f"%{{x:,}} rows<extra>{name}</extra>",
        )
    name_axis(drawn, [row.source for row in rows])
    drawn.update_xaxes(title_text="rows that hold such a text", rangemode="tozero", zeroline=False, nticks=6)
    return drawn


def sheet(found: Overlaps) -> Sheet:
    """The panel of `mixtune show`."""
    return contamination_sheet(found.found)


CONTAMINATION = Figure(
    name="contamination",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Training rows that hold a text of dev or test, equal or nearly so. Queries (orange) flatter every result; "
    "documents (blue) are usual where source and target share a corpus.",
)
