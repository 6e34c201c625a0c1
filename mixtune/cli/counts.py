"""Whole numbers on the command line, refused with their value, what is allowed and why."""

from collections.abc import Callable

import typer


def counted(least: int, most: int | None = None, *, why: str) -> Callable[[str | int], int]:
    """A parser for an option that is a whole number in a range; why says what a smaller one would mean."""
    allowed = f"{least} or more" if most is None else f"{least} to {most}"

    def parse(given: str | int) -> int:
        try:
            value = int(given)
        except ValueError:
            raise typer.BadParameter(f"{given!r} is no whole number: give {allowed}") from None
        if value < least:
            raise typer.BadParameter(f"{value} is less than {least}: {why}; give {allowed}")
        if most is not None and value > most:
            raise typer.BadParameter(f"{value} is more than {most}: give {allowed}")
        return value

    return parse
