"""Who watches a study run."""

from typing import Protocol

from mixtune.store.base import StudyRecord
from mixtune.trial import Trial


class Listener(Protocol):
    """Who watches a study run. Called from the tuner's own thread; must return quickly."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Preparation is at `done` of `total` (0: unknown) of what it is doing."""
        ...

    def changed(self, record: StudyRecord, trial: Trial | None, planned: int | None) -> None:
        """A trial (None: the study) changed its state; planned is the number of trials expected in all."""
        ...

    def progress(self, number: int, step: int, score: float | None) -> None:
        """A running trial is at an optimiser step, with its score where it was measured."""
        ...


class Unwatched:
    """A listener that says nothing to anybody."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Say nothing."""

    def changed(self, record: StudyRecord, trial: Trial | None, planned: int | None) -> None:
        """Say nothing."""

    def progress(self, number: int, step: int, score: float | None) -> None:
        """Say nothing."""
