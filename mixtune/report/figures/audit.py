"""What leaving a source out, or adding to it, does."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, LINES, MUTED, canvas, line_height, name_axis
from mixtune.report.looks.audit import Audit, Change, audit_sheets
from mixtune.report.sheet import Sheet
from mixtune.report.summary import Summary
from mixtune.study import Study
from mixtune.trial import Trial

LOOKS = {
    Change.WITHOUT: ("left out", "circle", "var(--p1)", -0.17),
    Change.MORE: ("a tenth more", "diamond", ACCENT, 0.17),
}
"""Words, mark, colour and place about a source's line of each change."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The measured effect of one change of one source on the dev objective, and the source's weight before it.

    half is half of the effect's 95 % interval over training seeds, None where they are too few.
    """

    source: str
    weight: float
    change: str
    effect: float
    half: float | None

    @property
    def tells(self) -> bool:
        """Whether the effect's interval is known and holds no zero."""
        return self.half is not None and abs(self.effect) > self.half


@dataclass(frozen=True, slots=True)
class Changes:
    """All changes that were run, the heaviest source first."""

    study: Study
    found: Audit

    @property
    def rows(self) -> tuple[Changed, ...]:
        """One line per source and change."""
        order = sorted(self.found.sources, key=lambda name: (-self.found.sources[name].weight, name))
        return tuple(
            Changed(name, self.found.sources[name].weight, change.value, effect.overall.value, effect.overall.half)
            for name in order
            for change, effect in self.found.sources[name].effects.items()
        )


def points(summary: Summary, trials: Sequence[Trial]) -> Changes | None:
    """What `mixtune audit` found; None before it has run."""
    found = summary.looks.audit
    return Changes(summary.study, found) if found is not None and found.sources else None


def figure(found: Changes) -> go.Figure:
    """Two marks per source, one above the other: the effect of none of it, and that of more; grey may be noise."""
    names = list(dict.fromkeys(row.source for row in found.rows))[:LINES]
    drawn = canvas(line_height(len(names), 75) + 6 * len(names))
    for change, (said, symbol, own, offset) in LOOKS.items():
        for tells, colour in ((True, own), (False, MUTED)):
            rows = [
                row for row in found.rows if (row.change, row.tells) == (change.value, tells) and row.source in names
            ]
            drawn.add_scatter(
                x=[row.effect for row in rows],
                y=[names.index(row.source) + offset for row in rows],
                mode="markers",
                name=said,
                showlegend=tells,
                marker={"size": 11, "symbol": symbol, "color": colour},
                error_x={
                    "type": "data",
                    "array": [row.half or 0.0 for row in rows],
                    "color": colour,
                    "thickness": 1.5,
                    "width": 0,
                },
                hovertemplate=f"%{{x:+.4f}}<extra>{said}</extra>",
            )
    name_axis(drawn, names)
    drawn.update_xaxes(title_text=f"change of dev {found.found.metric}", tickformat="+.3f", nticks=6, zeroline=False)
    drawn.add_vline(x=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    return drawn


def sheet(found: Changes) -> Sheet:
    """The first table of `mixtune audit`."""
    return next(iter(audit_sheets(found.study, found.found)))


AUDIT = Figure(
    name="audit",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="What happened to the dev score when the tuned recipe was trained without a source, or with a tenth of all "
    "batches more of it, with 95 % intervals over seeds. Only a mark whose error bar does not reach the line of no "
    "change counts; grey ones may be noise (as all are where one seed gives no bars). A source whose coloured circle "
    "lies left of the line is missed; one whose coloured circle lies right of it does harm.",
)
