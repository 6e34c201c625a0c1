"""How a study searches: by which algorithm, for what objective, for how long, and which runs it ends early."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue as Json


@dataclass(frozen=True, slots=True)
class Search:
    """The search algorithm by its registry name, and its own settings."""

    algorithm: str
    settings: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Objective:
    """What the search maximises on dev: a metric and how targets are put together (`macro`, `weighted`, `worst`)."""

    metric: str = "ndcg@10"
    aggregate: str = "weighted"


@dataclass(frozen=True, slots=True)
class Budget:
    """When the search ends: at that many searcher's trials, or at that many times the cost of one fresh run.

    Or at that many wall seconds of the searcher's trials added up; then the machine decides how much is proposed.
    workers is the number of trials that may run at once. It is part of what decides the proposals: proposal n sees
    exactly the finished trials numbered n - workers and below. max_failures in a row end the study.
    """

    trials: int | None = None
    runs: float | None = None
    seconds: float | None = None
    workers: int = 2
    max_failures: int = 3


@dataclass(frozen=True, slots=True)
class Stopping:
    """When a fresh run of the search is ended early: the ASHA rule (arXiv 1810.05934, algorithm 2).

    At rungs, after first, first * reduction, first * reduction ** 2, ... optimiser steps, a run goes on if its score
    is among the best 1/reduction of those recorded there; mixtune.tuning.stopping holds the rule. reduction 3 is ours
    (the paper: 4).
    """

    first: int
    reduction: int = 3

    def rungs(self, steps: int) -> tuple[int, ...]:
        """The rungs of a run of that many steps, all of them before its end."""
        found = []
        rung = self.first
        while rung < steps:
            found.append(rung)
            rung *= self.reduction
        return tuple(found)
