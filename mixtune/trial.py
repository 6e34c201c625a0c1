"""A trial: one short run under one recipe, from its proposal to what was measured."""

from dataclasses import dataclass
from enum import StrEnum

from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role


class TrialState(StrEnum):
    """Where a trial is in its life: queued -> running -> one of the last three, or back to queued for a new attempt."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    """Ended early at a rung; its measurement is that of the steps it had."""
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        """No attempt is running or waiting."""
        return self in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED)


@dataclass(frozen=True, slots=True)
class Trial:
    """A numbered trial of a study. Numbers, seeds and proposals depend on the study's seed and the number alone.

    seen is the highest number whose trials were finished and known when the searcher proposed this one (-1: none).
    attempt counts from 1 once started; a new attempt keeps number, seed and proposal. error holds the traceback of
    the last failed attempt. fingerprint stands for all that decides the outcome of a fresh run ("": it cannot be told
    from the trial alone); reused names the trial, as STUDY/NUMBER, whose equal run was taken over instead of run again.
    """

    number: int
    proposal: Proposal
    seed: int
    seen: int = -1
    state: TrialState = TrialState.QUEUED
    attempt: int = 0
    measurement: Measurement | None = None
    error: str | None = None
    node: str | None = None
    pid: int | None = None
    started: float | None = None
    finished: float | None = None
    fingerprint: str = ""
    reused: str = ""

    @property
    def role(self) -> Role:
        """Why this trial runs."""
        return self.proposal.role


def headline(error: str | None) -> str:
    """What a failed attempt died of, in one line: the first line of the exception, behind the traceback's frames."""
    lines = (error or "no message").strip().splitlines()
    frames = [index for index, line in enumerate(lines) if line.startswith((" ", "Traceback "))]
    return lines[min(frames[-1] + 1, len(lines) - 1) if frames else 0]
