"""What a figure of a report is: numbers first, then a drawing and a table of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

import plotly.graph_objects as go

from mixtune.report.sheet import Sheet
from mixtune.report.summary import Summary
from mixtune.trial import Trial

Cell: TypeAlias = str | float | int | bool | None


class Row(Protocol):
    """One line of numbers: a frozen dataclass of texts and numbers."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class Points(Protocol):
    """The numbers of a figure, as lines of one kind; empty ones are not made."""

    @property
    def rows(self) -> Sequence[Row]:
        """All lines, in the order in which they are drawn."""
        ...


P = TypeVar("P", bound=Points)


@dataclass(frozen=True, slots=True)
class Figure(Generic[P]):
    """One figure of a report.

    points are its numbers, None where the study has nothing of the kind; figure draws them, sheet is the same as a
    table. reading says how to read it and what its intervals are. wide figures take the whole width of a page.
    """

    name: str
    points: Callable[[Summary, Sequence[Trial]], P | None]
    figure: Callable[[P], go.Figure]
    sheet: Callable[[P], Sheet]
    reading: str
    wide: bool = False

    def of(self, summary: Summary, trials: Sequence[Trial]) -> "Shown | None":
        """The figure of one study, None where it has nothing of the kind."""
        found = self.points(summary, trials)
        if found is None:
            return None
        return Shown(self.name, self.sheet(found), found, self.reading, self.wide, lambda: self.figure(found))


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure of one study: its name, its table, its numbers, how to read it, and how to draw it."""

    name: str
    sheet: Sheet
    points: Points
    reading: str
    wide: bool
    draw: Callable[[], go.Figure]

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns of the numbers."""
        return tuple(field.name for field in fields(self.points.rows[0])) if self.points.rows else ()

    @property
    def cells(self) -> list[tuple[Cell, ...]]:
        """The numbers, line by line, in the order of header."""
        return [tuple(getattr(row, name) for name in self.header) for row in self.points.rows]
