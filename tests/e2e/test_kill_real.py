"""kill -9 of `mixtune run` and `mixtune resume` with the real model and text: the study ends as if undisturbed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mixtune.store.base import Store
from mixtune.store.sql import open_store
from mixtune.study import StudyState
from mixtune.trial import Trial, TrialState

pytestmark = pytest.mark.slow

KILLS = 5
SMALL = Path(__file__).with_name("small.yaml")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("home")


def mixtune(*words: str, home: Path, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from mixtune.cli import main; main()", *words, "--db", url],
        env={**os.environ, "MIXTUNE_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def to_end(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out


def kill(process: subprocess.Popen[str], trials: int, pause: float) -> None:
    """Kill after that many lines about trials and a pause; gives up on a process that ends before."""
    assert process.stdout is not None
    for line in process.stdout:
        trials -= " trial " in line
        if trials <= 0:
            break
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    process.communicate()


SETTINGS = {"tdro": ", steps: 10"}
"""Settings that make a search's chain long enough to be cut off again and again."""


def study_file(folder: Path, name: str, algorithm: str, workers: int) -> str:
    text = SMALL.read_text()
    text = text.replace("name: small", f"name: {name}").replace("steps: 100", "steps: 400")
    text = text.replace("{algorithm: infdds, steps: 20}", f"{{algorithm: {algorithm}{SETTINGS.get(algorithm, '')}}}")
    text = text.replace("{trials: 6}", f"{{trials: 30, workers: {workers}}}")
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return str(path)


def told(trial: Trial) -> tuple[object, ...]:
    """What may not depend on kills, nor on seconds."""
    measured = trial.measurement
    if measured is not None:
        measured = replace(measured, checkpoint=None, cost=replace(measured.cost, seconds=0.0))
    return (trial.number, trial.proposal, trial.seed, trial.seen, trial.state, measured)


def complete(store: Store, name: str) -> dict[int, Trial]:
    return {t.number: t for t in store.trials(name) if t.state is TrialState.COMPLETE}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("algorithm", ["infdds", "scout", "tdro", "tpe"])
def test_killed_again_and_again_a_real_study_ends_as_if_undisturbed(
    home: Path, tmp_path: Path, algorithm: str, workers: int
) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    calm, killed = (study_file(tmp_path, name, algorithm, workers) for name in ("calm", "killed"))
    to_end(mixtune("run", calm, home=home, url=url))
    store = open_store(url)
    points = random.Random(f"{algorithm}{workers}")
    held: dict[int, Trial] = {}
    for attempt in range(KILLS):
        words = ("resume", "killed", "--fresh") if attempt else ("run", killed, "--fresh")
        kill(mixtune(*words, home=home, url=url), points.randint(2, 4), 0.3 * points.random())
        assert store.study("killed").state is StudyState.RUNNING
        held |= complete(store, "killed")
    to_end(mixtune("resume", "killed", "--fresh", home=home, url=url))
    after = store.trials("killed")
    assert store.study("killed").state is StudyState.COMPLETE
    assert [told(t) for t in after] == [told(t) for t in store.trials("calm")]
    assert {number: after[number] for number in held} == held
    assert any(t.attempt > 1 for t in after)
