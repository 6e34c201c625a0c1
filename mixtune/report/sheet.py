"""A table as plain text cells, before any terminal or page draws it."""

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 20
"""Rows of a sheet that a terminal shows; --json has all of them."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One panel of a report: a title, columns of names, columns of numbers, rows over both, and lines below.

    rows have one cell per column. caption explains the columns, lines say what to see in them.
    """

    title: str
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    caption: str = ""
    lines: tuple[str, ...] = ()


def cut(rows: Sequence[tuple[str, ...]]) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """The rows that are shown, and a line that counts the others."""
    more = len(rows) - SHOWN
    said = (f"and {more} more sources (--json has them all)",) if more > 0 else ()
    return tuple(rows[:SHOWN]), said


def number(value: float | None, form: str = ".3f") -> str:
    """A cell; what is not known is a dash."""
    return "-" if value is None else format(value, form)
