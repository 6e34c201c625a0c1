"""Holding the right to write a study's rows while a tuner lives."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mixtune.errors import LeaseLost, StoreError
from mixtune.store.base import LEASE_SECONDS, Lease, Store
from mixtune.store.lease import process_owner


@contextmanager
def leased(store: Store, name: str) -> Iterator[Lease]:
    """Hold the lease of a study, renewed from a thread of its own while this process lives."""
    lease = store.acquire(name, process_owner())
    done = threading.Event()

    def keep_alive() -> None:
        while not done.wait(LEASE_SECONDS / 6):
            try:
                store.renew(lease)
            except LeaseLost:
                return  # the next write of the tuner is refused and says so
            except StoreError:
                continue  # the database may be back before the lease runs out; if not, the next write says so

    thread = threading.Thread(target=keep_alive, name="mixtune-lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        done.set()
        thread.join()
        store.release(lease)
