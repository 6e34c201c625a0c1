"""The threads that torch computes on."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_WORKERS = 16
"""Threads that compute batches side by side, at most."""


@contextmanager
def at_most(threads: int | None) -> Iterator[None]:
    """Let torch use that many threads at most inside the block; None: as many as it has."""
    before = torch.get_num_threads()
    if threads is not None and threads < before:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def spread(run: Callable[[Item], Result], items: Iterable[Item], device: torch.device) -> Iterator[Result]:
    """Give run(item) of each item in order, on a CPU computed on as many threads as torch has, one item on each.

    For batches that do not need each other this is faster than all threads in one batch, above all on a busy machine,
    and the result does not depend on their number. Torch's number of threads is 1 meanwhile. At most two results per
    thread wait to be taken. What is local to a thread (inference mode, autocast) must be entered inside run.
    """
    threads = torch.get_num_threads()
    workers = min(threads, MOST_WORKERS) if device.type == "cpu" else 1
    if workers == 1:
        yield from map(run, items)
        return
    pool = ThreadPoolExecutor(workers, "spread", _one_thread)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(run, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def _one_thread() -> None:
    torch.set_num_threads(1)
