"""Which pairs of a source are used: the share that is kept, and how that changes during a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the pairs in use change during a run, source by source.

    method is `dynamic`, OPERA's two-stage schedule (arXiv 2603.17205), or `infobatch` (arXiv 2303.04947), which the
    numbers below mean nothing to. query_end is what the strength of query pruning rises to (from 2), cutoff_end what
    the share of pairs that count as high rises to (from 0.25), strength how much likelier a high pair of a query is
    drawn than a low one: 5, 0.5 and 5 are the paper's. They are reached at the end of a run's planned steps; a chain of
    rounds has no planned end, and reaches them after the proxy's steps. refresh renews all stored similarities of the
    sources in use after so many optimiser steps, 0 never (the paper never does; the refresh is ours).

    Raises:
        ValueError: a number is out of range, or there is no such method.
    """

    method: str = "dynamic"
    query_end: float = 5.0
    cutoff_end: float = 0.5
    strength: float = 5.0
    refresh: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"a pruning schedule is one of {', '.join(METHODS)}, got {self.method!r}")
        if not self.query_end >= 2:
            raise ValueError(f"query_end must be at least 2, where the schedule starts, got {self.query_end}")
        if not 0 < self.cutoff_end < 1:
            raise ValueError(f"cutoff_end must be between 0 and 1, got {self.cutoff_end}")
        if not 1 <= self.strength < float("inf"):
            raise ValueError(f"strength must be at least 1, got {self.strength}")
        if self.refresh < 0:
            raise ValueError(f"refresh must be a number of steps, 0 for never, got {self.refresh}")


METHODS = ("dynamic", "infobatch")
"""Pruning schedules by name."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """Which pairs of a source are used: the share kept, best base-model cosine first (OPERA's static pruning).

    A source that is not named keeps everything. schedule says how the kept pairs are walked during a run, None: all of
    them in every pass. least is the number of pairs below which no share prunes a source (1 is the paper's; a guard
    for rare sources, ours).

    Raises:
        ValueError: a share is not in (0, 1], or least is below 1.
    """

    kept: Mapping[str, float] = field(default_factory=dict)
    schedule: Schedule | None = None
    least: int = 1

    def __post_init__(self) -> None:
        wrong = {name: share for name, share in self.kept.items() if not 0 < share <= 1}
        if wrong:
            raise ValueError(f"a kept share must be in (0, 1], got {wrong}")
        if self.least < 1:
            raise ValueError(f"least must be at least 1 pair, got {self.least}")
        object.__setattr__(self, "kept", {name: float(share) for name, share in sorted(self.kept.items()) if share < 1})

    def __hash__(self) -> int:
        return hash((tuple(self.kept.items()), self.schedule, self.least))

    def share(self, source: str) -> float:
        """Kept share of a source, 1.0 when nothing is said about it."""
        return self.kept.get(source, 1.0)

    def rows(self, source: str, rows: int) -> int:
        """Pairs of a source that stay: floor(share * rows), at least one (arXiv 2603.17205) and `least`."""
        return max(1, min(self.least, rows), int(np.floor(self.share(source) * rows + 1e-9)))
