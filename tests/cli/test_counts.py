"""Whole numbers of the command line."""

import pytest
import typer

from mixtune.cli.counts import counted

SEEDS = counted(1, 20, why="a run needs a seed")


@pytest.mark.parametrize("given", ["3", 3])
def test_a_number_in_the_range_is_taken(given: str | int) -> None:
    assert SEEDS(given) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("0", "0 is less than 1: a run needs a seed; give 1 to 20"),
        ("21", "21 is more than 20: give 1 to 20"),
        ("two", "'two' is no whole number: give 1 to 20"),
        ("2.5", "'2.5' is no whole number: give 1 to 20"),
    ],
)
def test_any_other_is_refused_with_what_is_allowed(given: str, said: str) -> None:
    with pytest.raises(typer.BadParameter) as told:
        SEEDS(given)
    assert str(told.value) == said
