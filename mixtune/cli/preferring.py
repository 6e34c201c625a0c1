"""The option that takes another recipe than the best, and what it takes."""

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from mixtune.cli.options import hint
from mixtune.errors import NotReady
from mixtune.report.preference import Preference

if TYPE_CHECKING:
    from mixtune.report.panels.nearoptimal import NearOptimal
    from mixtune.report.summary import Summary


def preference(given: str) -> Preference:
    """The preference of that name."""
    if given in set(Preference):
        return Preference(given)
    close = get_close_matches(given, list(Preference), n=1)
    meant = f"did you mean {str(close[0])!r}? " if close else ""
    raise typer.BadParameter(f"{given!r} is no preference; {meant}known: {', '.join(Preference)}")


Prefer = Annotated[
    Preference | None,
    typer.Option(
        "--prefer",
        parser=preference,
        metavar="|".join(Preference),
        help="Of the recipes within noise of the best: the one with the fewest sources, the nearest to proportional "
        "sampling, or the one with the fewest tokens to train on.",
    ),
]


def near_optimal_of(summary: "Summary", url: str) -> "NearOptimal":
    """The near-optimal set of a study.

    Raises:
        NotReady: the recommended recipe has no run of its own yet.
    """
    found = summary.panels.near_optimal
    if found is None:
        name = summary.study.name
        raise NotReady(
            f"study {name!r} has no fresh run of its best recipe yet, and nothing can be held against it: go on with "
            f"`mixtune resume {name}{hint(url)}`"
        )
    return found
