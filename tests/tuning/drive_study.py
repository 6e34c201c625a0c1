"""Drives one study in a process of its own, to be killed: prints a line per change of a trial's state.

Usage: python drive_study.py URL ARTIFACTS NAME
"""

import sys
from pathlib import Path

from analytic import AnalyticTrainer

from mixtune.store.base import StudyRecord
from mixtune.store.sql import open_store
from mixtune.trial import Trial
from mixtune.tuning.tuner import tune


class Talker:
    def preparing(self, what: str, done: int, total: int) -> None:
        pass

    def changed(self, record: StudyRecord, trial: Trial | None, planned: int | None) -> None:
        state = record.state.value if trial is None else f"{trial.number} {trial.state.value}"
        sys.stdout.write(f"{state}\n")
        sys.stdout.flush()

    def progress(self, number: int, step: int, score: float | None) -> None:
        sys.stdout.write(f"{number} step {step}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    url, artifacts, name = sys.argv[1:]
    tune(open_store(url), name, AnalyticTrainer(seconds=0.1), artifacts=Path(artifacts), listener=Talker(), reuse=False)
