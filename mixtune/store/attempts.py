"""The account of attempts at a trial, kept from the rows that a tuner stores."""

from dataclasses import replace

from mixtune.store.base import Attempt, AttemptOutcome
from mixtune.store.codec import storable
from mixtune.trial import Trial, TrialState


def kept(trial: Trial) -> Trial:
    """The trial as every store keeps it: its error as text that every database holds."""
    return trial if trial.error is None else replace(trial, error=storable(trial.error))


def account(last: Attempt | None, known_error: str | None, trial: Trial) -> list[Attempt]:
    """Say which attempts change when a trial is stored.

    last is the newest attempt on account, known_error the error of the trial's row so far. An attempt that was running
    when the trial is queued again or begun anew ended badly: `failed` where that brings an error that was not there
    before, else `lost`.
    """
    error = trial.error if trial.error != known_error else None
    changed = []
    if last is not None and last.outcome is AttemptOutcome.RUNNING:
        ended = replace(last, outcome=AttemptOutcome.FAILED if error else AttemptOutcome.LOST, error=error)
        if last.attempt < trial.attempt:
            changed.append(ended)
        elif trial.state is TrialState.QUEUED:
            changed.append(replace(ended, finished=trial.finished))
    if trial.attempt > 0 and trial.state is not TrialState.QUEUED:
        changed.append(
            Attempt(
                number=trial.number,
                attempt=trial.attempt,
                outcome=AttemptOutcome(trial.state.value),
                started=trial.started,
                finished=trial.finished,
                node=trial.node,
                pid=trial.pid,
                error=trial.error if trial.state is TrialState.FAILED else None,
            )
        )
    return changed
