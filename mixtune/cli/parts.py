"""What the commands are composed of, so that a test or another front end can put in its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

if TYPE_CHECKING:
    from mixtune.comparison import Comparison
    from mixtune.store.base import Store, StudyRecord
    from mixtune.study import Study
    from mixtune.training.base import Trainer
    from mixtune.tuning.comparing import Watch
    from mixtune.tuning.listener import Listener


class OpenStore(Protocol):
    """Opens the store at a URL; see mixtune.store.sql.open_store."""

    def __call__(self, url: str, *, create: bool = False) -> "Store":
        """Return the store; without create, a database that is not there is refused."""
        ...


class Tune(Protocol):
    """Drives a study to its end; see mixtune.tuning.tuner.tune."""

    def __call__(
        self,
        store: "Store",
        name: str,
        trainer: "Trainer",
        *,
        artifacts: Path,
        listener: "Listener",
        reuse: bool = True,
    ) -> "StudyRecord":
        """Return the record: complete, stopped or failed."""
        ...


class Compare(Protocol):
    """Runs what is left of a comparison; see mixtune.tuning.comparing.compare."""

    def __call__(
        self,
        store: "Store",
        comparison: "Comparison",
        trainer: "Trainer",
        *,
        artifacts: Path,
        watch: "Watch",
        reuse: bool = True,
    ) -> "list[StudyRecord]":
        """Return the records of the members that have begun."""
        ...


# Heavy libraries are imported when they are called for: every command answers --help at once.


def _open_store(url: str, *, create: bool = False) -> "Store":
    from mixtune.store.sql import open_store

    return open_store(url, create=create)


def _upgrade(url: str) -> None:
    from mixtune.store.sql import upgrade

    upgrade(url)


def _trainer(cache: Path) -> "Trainer":
    from mixtune.training.trainer import EncoderTrainer

    return EncoderTrainer(cache)


def _tune(
    store: "Store", name: str, trainer: "Trainer", *, artifacts: Path, listener: "Listener", reuse: bool = True
) -> "StudyRecord":
    from mixtune.tuning.tuner import tune

    return tune(store, name, trainer, artifacts=artifacts, listener=listener, reuse=reuse)


def _compare(
    store: "Store",
    comparison: "Comparison",
    trainer: "Trainer",
    *,
    artifacts: Path,
    watch: "Watch",
    reuse: bool = True,
) -> "list[StudyRecord]":
    from mixtune.tuning.comparing import compare

    return compare(store, comparison, trainer, artifacts=artifacts, watch=watch, reuse=reuse)


def _price(study: "Study", cache: Path) -> float:
    from mixtune.cli.disk import free
    from mixtune.cli.forecast import forecast

    return forecast(study, cache, free, lambda what, done, total: None).study.prepared.run_flops


def _memory() -> int:
    import psutil

    return psutil.virtual_memory().available


@dataclass(frozen=True, slots=True)
class Parts:
    """The collaborators of the commands.

    price tells the floating-point operations of one fresh run of a study that need not be prepared, with the cache root
    at hand; wait sleeps for that many seconds; memory tells the bytes that are free.
    """

    open_store: OpenStore = _open_store
    upgrade: Callable[[str], None] = _upgrade
    trainer: Callable[[Path], "Trainer"] = _trainer
    tune: Tune = _tune
    compare: Compare = _compare
    price: Callable[["Study", Path], float] = _price
    wait: Callable[[float], None] = time.sleep
    memory: Callable[[], int] = _memory


def parts_of(context: typer.Context) -> Parts:
    """The parts that the app was started with, else the real ones."""
    return context.obj if isinstance(context.obj, Parts) else Parts()
