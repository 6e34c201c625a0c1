"""A table as plain text cells, before any terminal or page draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

SHOWN = 20
"""Rows of a sheet that are shown; JSON and CSV have all of them."""


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


def cut(
    rows: Sequence[tuple[str, ...]], noun: str, *, ends: bool = False
) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """The rows that are shown, and a line that counts the others.

    noun is what a row is one of, in the plural. With ends, rows that are in order lose their middle, not their last.
    """
    if not ends:
        said = left_out(len(rows) - SHOWN, noun)
        return tuple(rows[:SHOWN]), said
    first, last, between = both_ends(rows, SHOWN)
    said = left_out(between, noun, f", between the first {len(first)} and the last {len(last)}")
    return (*first, *last), said


def left_out(more: int, noun: str, where: str = "") -> tuple[str, ...]:
    """A line that counts what a table leaves out, and says where to find it; none where it has everything."""
    named = noun.removesuffix("s") if more == 1 else noun
    return (f"and {more} more {named}{where} (in full with --json or --format csv)",) if more > 0 else ()


def both_ends(rows: Sequence[T], places: int) -> tuple[Sequence[T], Sequence[T], int]:
    """Of rows in order the first and the last, each in half of the places, and how many lie between them."""
    if len(rows) <= places:
        return rows, (), 0
    half = places // 2
    return rows[: places - half], rows[len(rows) - half :], len(rows) - places


def number(value: float | None, form: str = ".3f") -> str:
    """A cell; what is not known is a dash."""
    return "-" if value is None else format(value, form)
