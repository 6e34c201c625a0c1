"""What travels between the tuner and its workers, in Ray's own terms: this module alone knows the keys.

Ray flattens nested results to "a/b" keys, keeps running statistics of every number and dies of integer keys, so values
travel as one JSON string each.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mixtune.measurement import Outcome
from mixtune.proposal import Proposal
from mixtune.store.codec import from_json, to_json
from mixtune.training.base import Task

TASK = "task"
OUTCOME = "outcome"
ERROR = "error"
STEP = "step"
SCORE = "score"
NODE = "node"
PID = "pid"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from a worker: an outcome or the traceback of the failure, and where it ran."""

    outcome: Outcome | None
    error: str | None
    node: str | None
    pid: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """A sign of life of a running trial: optimiser steps done, the score last measured, and where it runs."""

    step: int
    score: float | None
    node: str
    pid: int


def config_of(task: Task) -> dict[str, object]:
    """A task as a Ray trial's config."""
    return {
        TASK: json.dumps(
            {
                "number": task.number,
                "seed": task.seed,
                "proposal": to_json(task.proposal),
                "checkpoint": str(task.checkpoint),
                "parent": None if task.parent is None else str(task.parent),
                "reference": None if task.reference is None else str(task.reference),
                "thresholds": list(task.thresholds.items()),
            }
        )
    }


def task_of(config: Mapping[str, object]) -> Task:
    """The task in a Ray trial's config."""
    data = json.loads(str(config[TASK]))
    return Task(
        number=data["number"],
        proposal=from_json(Proposal, data["proposal"]),
        seed=data["seed"],
        checkpoint=Path(data["checkpoint"]),
        parent=None if data["parent"] is None else Path(data["parent"]),
        reference=None if data["reference"] is None else Path(data["reference"]),
        thresholds={step: threshold for step, threshold in data["thresholds"]},
    )


def outcome_report(outcome: Outcome, *, node: str, pid: int) -> dict[str, object]:
    """A finished run as a Ray result.

    Raises:
        ValueError: a value is not finite, so it could not be stored.
    """
    return {OUTCOME: json.dumps(to_json(outcome), allow_nan=False), NODE: node, PID: pid}


def error_report(traceback: str, *, node: str, pid: int) -> dict[str, object]:
    """A failed run as a Ray result: Ray itself would drop the text."""
    return {ERROR: traceback, NODE: node, PID: pid}


def progress_report(progress: Progress) -> dict[str, object]:
    """A sign of life as a Ray result."""
    return {STEP: progress.step, SCORE: progress.score, NODE: progress.node, PID: progress.pid}


def progress_of(result: Mapping[str, object]) -> Progress | None:
    """The sign of life in a Ray result, None if it is an answer."""
    step, score, node, pid = result.get(STEP), result.get(SCORE), result.get(NODE), result.get(PID)
    if not (isinstance(step, int) and isinstance(node, str) and isinstance(pid, int)):
        return None
    return Progress(step, score if isinstance(score, float) else None, node, pid)


def answer_of(result: Mapping[str, object]) -> Answer:
    """The answer in the last result of a Ray trial; a run that ended without one counts as failed."""
    outcome, error, node, pid = result.get(OUTCOME), result.get(ERROR), result.get(NODE), result.get(PID)
    if outcome is None and error is None:
        error = "TrainingError: the run ended without a result"
    return Answer(
        outcome=None if outcome is None else from_json(Outcome, json.loads(str(outcome))),
        error=None if error is None else str(error),
        node=node if isinstance(node, str) else None,
        pid=pid if isinstance(pid, int) else None,
    )
