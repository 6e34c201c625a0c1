"""Real processes on a real database: killed, racing, fenced off."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from postgres_server import PostgresServer
from sqlalchemy import text
from store_contract import SCORES, finish, make_study, make_trial

from mixtune.errors import LeaseHeld
from mixtune.store.base import Store
from mixtune.store.database import Database
from mixtune.store.lease import process_owner
from mixtune.store.sql import open_store
from mixtune.trial import TrialState


@contextmanager
def tuner(what: str, url: str) -> Iterator[subprocess.Popen[str]]:
    program = str(Path(__file__).with_name("tuner_process.py"))
    process = subprocess.Popen(
        [sys.executable, program, what, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    store.create_study(make_study())
    yield store
    store.close()


def silence(url: str, seconds: float) -> None:
    database = Database(url)
    older = text("update leases set renewed = renewed - :seconds")
    database.write(lambda db: db.execute(older, {"seconds": seconds}) and None)
    database.close()


def test_all_that_a_killed_tuner_said_was_committed_is_there_and_its_successor_goes_on(store: Store, url: str) -> None:
    moments = np.random.default_rng(0)
    complete: set[int] = set()
    for fence in (2, 4, 6):
        with tuner("write", url) as process:
            last = heard(process)
            # The kill falls anywhere in a write, also inside a commit.
            killer = threading.Timer(moments.uniform(0.05, 0.3), process.kill)
            killer.start()
            assert process.stdout is not None
            for line in [last, *(line.strip() for line in process.stdout if line.endswith("\n"))]:
                last = line
                if line.endswith("complete"):
                    complete.add(int(line.split()[0]))
            killer.join()
        lease = store.acquire("homes", process_owner())  # at once: the holder's process is gone
        assert lease.fence == fence
        store.release(lease)

        trials = store.trials("homes")
        # At most the one write after the last word may be there as well.
        assert len(trials) - int(last.split()[0]) in ((1,) if last.endswith("running") else (1, 2))
        for trial in trials:
            if trial.number in complete or trial.state is TrialState.COMPLETE:
                assert trial == replace(finish(make_trial(trial.number)), seen=trial.number)
                assert store.scores("homes", trial.number) == SCORES
            else:
                assert trial == make_trial(trial.number)
                assert store.scores("homes", trial.number) == {}
            assert len(store.attempts("homes", trial.number)) == 1
        assert store.study("homes").reason == f"trial {(len(trials) - 1) // 3 * 3}"
    assert len(complete) > 3
    assert len([trial for trial in store.trials("homes") if trial.state is TrialState.RUNNING]) <= 3


def test_of_two_racing_processes_one_gets_the_study(store: Store, url: str) -> None:
    with tuner("race", url) as first, tuner("race", url) as second:
        assert heard(first) == heard(second) == "ready"
        tell(first)
        tell(second)
        assert sorted([heard(first), heard(second)]) == ["fence 1", "held"]
        with pytest.raises(LeaseHeld):
            store.acquire("homes", process_owner())
        with pytest.raises(LeaseHeld):
            store.delete_study("homes")
    assert store.acquire("homes", process_owner()).fence == 2


def test_a_stopped_process_that_wakes_after_its_lease_was_taken_writes_nothing(store: Store, url: str) -> None:
    with tuner("hold", url) as process:
        assert heard(process) == "fence 1"
        psutil.Process(process.pid).suspend()
        with pytest.raises(LeaseHeld):
            store.acquire("homes", process_owner())
        silence(url, 31)
        lease = store.acquire("homes", process_owner())
        psutil.Process(process.pid).resume()
        tell(process)
        assert heard(process) == "lost"
    assert store.trials("homes") == []
    store.add_trial(lease, make_trial(0))


def test_two_processes_may_open_an_empty_database_at_once(url: str) -> None:
    with tuner("open", url) as first, tuner("open", url) as second:
        assert heard(first) == heard(second) == "ready"
        tell(first)
        tell(second)
        assert [heard(first), heard(second)] == ["open", "open"]
    open_store(url, create=False).close()


def test_a_writer_outlives_a_restart_of_the_server(postgres: PostgresServer, postgres_url: str) -> None:
    store = open_store(postgres_url)
    store.create_study(make_study())
    lease = store.acquire("homes", process_owner())
    postgres.stop()
    start = threading.Timer(0.3, postgres.start)
    start.start()
    before = time.monotonic()
    store.add_trial(lease, make_trial(0))
    assert time.monotonic() - before > 0.1
    start.join()
    assert store.trials("homes") == [make_trial(0)]
    store.close()
