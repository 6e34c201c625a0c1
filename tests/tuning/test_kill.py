"""kill -9 of the tuner at random points, then a start again: nothing is lost, repeated or different."""

import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from analytic import study

from mixtune.search import Budget, Stopping
from mixtune.store.base import Store
from mixtune.store.sql import open_store
from mixtune.study import StudyState
from mixtune.trial import Trial, TrialState

SCRIPT = Path(__file__).with_name("drive_study.py")
KILLS = 5
"""How often slow cases are killed; the one that always runs has three kills."""


def start(url: str, folder: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), url, str(folder), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_to_end(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors


def kill_after(process: subprocess.Popen[str], lines: int, pause: float) -> None:
    """Kill at a random time after that many lines of output; a process that ends earlier is left alone."""
    assert process.stdout is not None
    for _ in range(lines):
        if not process.stdout.readline():
            break
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def told(trials: list[Trial]) -> list[object]:
    """What may not depend on kills: number, proposal, seed, what it saw, state and every measured value."""
    return [
        (
            t.number,
            t.proposal,
            t.seed,
            t.seen,
            t.state,
            None if t.measurement is None else replace(t.measurement, checkpoint=None),
        )
        for t in trials
    ]


def finished(store: Store, name: str) -> dict[int, Trial]:
    return {t.number: t for t in store.trials(name) if t.state in (TrialState.COMPLETE, TrialState.PRUNED)}


@pytest.mark.parametrize(
    ("algorithm", "workers", "stopping", "kills"),
    [
        ("infdds", 2, None, 3),
        pytest.param("infdds", 1, None, KILLS, marks=pytest.mark.slow),
        pytest.param("scout", 2, None, KILLS, marks=pytest.mark.slow),
        pytest.param("tpe", 2, None, KILLS, marks=pytest.mark.slow),
        pytest.param("tpe", 1, None, KILLS, marks=pytest.mark.slow),
        pytest.param("tpe", 2, Stopping(first=3), KILLS, marks=pytest.mark.slow),
        pytest.param("tpe", 1, Stopping(first=3), KILLS, marks=pytest.mark.slow),
    ],
)
def test_killed_again_and_again_the_study_ends_as_if_undisturbed(
    tmp_path: Path, algorithm: str, workers: int, stopping: Stopping | None, kills: int
) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    store = open_store(url)
    for name in ("calm", "killed"):
        budget = Budget(trials=8, workers=workers)
        store.create_study(study(name, algorithm=algorithm, budget=budget, stopping=stopping))
    run_to_end(start(url, tmp_path / "artifacts", "calm"))
    points = random.Random(workers)
    held: dict[int, Trial] = {}
    for _ in range(kills):
        kill_after(start(url, tmp_path / "artifacts", "killed"), points.randint(6, 14), points.random() * 0.2)
        held |= finished(store, "killed")
        left = store.study("killed")
        assert (left.state, left.told.state) == (StudyState.RUNNING, StudyState.STOPPED)
    run_to_end(start(url, tmp_path / "artifacts", "killed"))
    after = store.trials("killed")
    assert told(after) == told(store.trials("calm"))
    assert {number: after[number] for number in held} == held
    assert any(t.attempt > 1 for t in after)
    assert any(t.state is TrialState.PRUNED for t in after) is (stopping is not None)
    assert store.study("killed").state is StudyState.COMPLETE
