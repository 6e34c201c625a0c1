"""Waiting for a lease that a dead tuner may hold."""

from collections.abc import Callable
from typing import TypeVar

import typer

from mixtune.cli.parts import Parts
from mixtune.errors import LeaseHeld

T = TypeVar("T")

PATIENCE = 30
"""Seconds to wait for the lease of a tuner that died somewhere else."""


def patiently(parts: Parts, act: Callable[[], T]) -> T:
    """Act, waiting a while for the lease of a tuner that may be dead."""
    for second in range(PATIENCE):
        try:
            return act()
        except LeaseHeld as held:
            if second == 0:
                typer.echo(f"Waiting up to {PATIENCE} s: {held}", err=True)
        parts.wait(1.0)
    return act()
