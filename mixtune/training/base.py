"""The seam between tuning and training: what a trainer is asked, and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mixtune.measurement import Outcome
from mixtune.preparation import Preparation
from mixtune.proposal import Proposal
from mixtune.study import Study


@dataclass(frozen=True, slots=True)
class Task:
    """One run to do.

    parent is the folder of the checkpoint to go on from (None: the base model), reference that of the model that gives
    reference losses; checkpoint is where a run that may be
    continued leaves its own, a path that does not exist yet and that the trainer creates in one step (written beside
    it, then renamed), so that a torn folder is never mistaken for a checkpoint. thresholds maps each rung, in
    optimiser steps of this run, to the score that the run needs there to go on (-inf: any): the trainer measures the
    score at every rung, as at the end, and ends the run at the first rung where it lies below.
    """

    number: int
    proposal: Proposal
    seed: int
    checkpoint: Path
    parent: Path | None = None
    thresholds: Mapping[int, float] = field(default_factory=dict)
    reference: Path | None = None


Report = Callable[[int, float | None], None]
"""Called during a run with the optimiser steps done and the objective on dev where it was measured (else None)."""

Progress = Callable[[str, int, int], None]
"""Called during preparation with what is being done, how much is done and how much there is (0: unknown)."""


Prepare = Callable[[Study, Progress], Preparation]
"""Prepares a study; see Trainer.prepare."""


class Trainer(Protocol):
    """Prepares a study once and runs its trials. Instances are small and picklable: workers get a copy.

    provides names the Measurement fields that it fills; the tuner checks a searcher's needs against it.
    """

    @property
    def provides(self) -> frozenset[str]:
        """Measurement fields that this trainer fills."""
        ...

    def prepare(self, study: Study, progress: Progress) -> Preparation:
        """Read the data and compute everything that is needed once per study. Called again, it finds its own work.

        Raises:
            DataError: a source or target cannot be read or used.
            ModelError: the base model is not there or cannot be trained as asked.
        """
        ...

    def train(self, study: Study, task: Task, report: Report) -> Outcome:
        """Run one trial. The study is prepared. Equal study, proposal, seed and parent give an equal outcome.

        A run that its thresholds let go on trains the same as one without any; it costs the measuring besides.

        Raises:
            TrainingError: the run cannot go on; the message says why.
        """
        ...
