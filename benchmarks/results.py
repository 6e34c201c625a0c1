"""Runs behind a table: done once, written to a results file as they come, and found there again."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import torch
from driver import Driver

from mixtune.study import Study

Line = dict[str, Any]
"""A line of a results file: `key`, and what its job says."""


class Preparable(Protocol):
    """What a driver is made of."""

    def __hash__(self) -> int:
        """A process keeps the drivers of the settings that it met last."""
        ...

    @property
    def key(self) -> str:
        """What results are found by."""
        ...

    def study(self) -> Study:
        """The study, not prepared."""
        ...


class Job(Protocol):
    """One piece of work: frozen, and small enough to be sent to a process."""

    @property
    def setting(self) -> Preparable:
        """What it is done on."""
        ...

    @property
    def key(self) -> str:
        """What its line is found by."""
        ...

    def run(self) -> Line:
        """Do it."""
        ...


@lru_cache(maxsize=4)
def driver_of(setting: Preparable) -> Driver:
    """The driver of a setting, prepared once per process."""
    return Driver(setting.study())


class Results:
    """A results file (one JSON object a line, only ever extended) and the processes that fill it.

    Args:
        path: the file; what stands there already is not done again.
        processes: how many jobs run at once, each with its share of the cores; 1 runs them in this process.
    """

    def __init__(self, path: Path, processes: int) -> None:
        self.path = path
        self.processes = processes
        self._pool: ProcessPoolExecutor | None = None
        self._lines: dict[str, Line] = {}
        if path.exists():
            # A line that was cut off when the last sitting was killed is done again.
            whole = [text for text in path.read_text(encoding="utf-8").splitlines(keepends=True) if text.endswith("\n")]
            self._lines = {str(line["key"]): line for line in map(json.loads, whole)}
            os.truncate(path, sum(len(text.encode()) for text in whole))

    def finish(self, jobs: Sequence[Job]) -> list[Line]:
        """The lines of all jobs in their order: those that stand in the file, and the others once they are done."""
        left = list({job.key: job for job in jobs if job.key not in self._lines}.values())
        if left:
            for setting in dict.fromkeys(job.setting for job in left):
                driver_of(setting)
            self._work(left)
        return [self._lines[job.key] for job in jobs]

    def _work(self, left: Sequence[Job]) -> None:
        began = time.monotonic()
        with self.path.open("a", encoding="utf-8") as file:
            for number, line in enumerate(self._done(left), 1):
                self._lines[str(line["key"])] = line
                file.write(json.dumps(line, separators=(",", ":")) + "\n")
                file.flush()
                minutes = (time.monotonic() - began) / 60 / number * (len(left) - number)
                print(f"{number}/{len(left)}, about {minutes:.0f} min left: {line['key']!s:.100}", flush=True)

    def _done(self, left: Sequence[Job]) -> Iterator[Line]:
        """Lines of jobs as they come."""
        if self.processes == 1:
            yield from map(_line, left)
            return
        if self._pool is None:
            threads = max(1, (os.cpu_count() or 1) // self.processes)
            self._pool = ProcessPoolExecutor(
                self.processes, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(threads,)
            )
        waiting = [self._pool.submit(_line, job) for job in left]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            for one in waiting:  # of a sitting that is broken off: what nobody would write down is not begun
                one.cancel()


def _line(job: Job) -> Line:
    return {"key": job.key, **job.run()}
