"""What runs in a worker: one trial, its failure caught and reported in words."""

import os
import resource
import socket
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from ray import tune

from mixtune.study import Study
from mixtune.training.base import Trainer
from mixtune.tuning import wire
from mixtune.tuning.wire import Progress

REPORT_SECONDS = 1.0
"""Least time between two intermediate reports: each one stops the run until Ray has passed it on."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker may use: bytes of private memory (beyond it Python raises MemoryError), and threads."""

    memory: int
    threads: int

    def apply(self) -> None:
        """Bound this process. Ray's own memory monitor would end the whole study instead of one trial."""
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (self.memory, hard))
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)


def run_trial(config: Mapping[str, object], *, trainer: Trainer, study: Study, limits: Limits) -> None:
    """Run the task in the config and report its outcome, or why it failed.

    An exception never leaves this function: Ray would hand the tuner no more than the fact that there was one.
    """
    node, pid = socket.gethostname(), os.getpid()
    tune.report(wire.progress_report(Progress(0, None, node, pid)))
    reported = time.monotonic()
    latest: float | None = None

    def report(step: int, score: float | None) -> None:
        nonlocal reported, latest
        latest = latest if score is None else score
        if time.monotonic() - reported >= REPORT_SECONDS:
            tune.report(wire.progress_report(Progress(step, latest, node, pid)))
            reported = time.monotonic()

    try:
        limits.apply()
        answer = wire.outcome_report(trainer.train(study, wire.task_of(config), report), node=node, pid=pid)
    except Exception:  # the boundary: whatever a run dies of is an answer, and its traceback is kept with the trial
        answer = wire.error_report(traceback.format_exc(), node=node, pid=pid)
    tune.report(answer)
