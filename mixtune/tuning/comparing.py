"""Runs a comparison: its members in turn, each by the tuner, on one Ray that is held open."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path

from mixtune.comparison import Comparison, Member
from mixtune.errors import ConfigError, StudyExists, StudyNotFound
from mixtune.preparation import Preparation
from mixtune.search import Budget, Search
from mixtune.searchers import make
from mixtune.store.base import Store, StudyRecord
from mixtune.store.codec import to_text
from mixtune.study import Study, StudyState
from mixtune.training.base import Prepare, Progress, Trainer
from mixtune.tuning import engine, stopping
from mixtune.tuning.listener import Listener
from mixtune.tuning.tuner import tune

Watch = Callable[[Member, StudyRecord], AbstractContextManager[Listener]]
"""Opens the listener of a member that is about to run."""


def compare(
    store: Store, comparison: Comparison, trainer: Trainer, *, artifacts: Path, watch: Watch, reuse: bool = True
) -> list[StudyRecord]:
    """Tune what is left of a stored comparison's members and return their records; see `run_members`.

    With reuse, equal runs are taken over instead of run again, see `tune`: from other members, too.

    Raises:
        ConfigError: a contender reads what the trainer does not measure, or early stopping has nothing to stop in it.
        StudyExists: a study that is no part of this comparison has a member's name.
        LeaseHeld: another living tuner drives a member.
        MixtuneError: whatever `tune` raises.
    """
    for label, search in comparison.contenders.items():
        searcher = make(search)
        missing = searcher.needs - trainer.provides
        if missing:
            raise ConfigError(
                f"{label} reads {', '.join(sorted(missing))}, which this trainer does not measure: leave it out"
            )
        if comparison.base.stopping is not None:
            stopping.require_useful(comparison.base.stopping, comparison.base.proxy, type(searcher))
    with ExitStack() as stack:
        opened, prepare = False, _shared(trainer)

        def tuned(member: Member, record: StudyRecord) -> StudyRecord:
            nonlocal opened
            if not opened:
                stack.enter_context(engine.cluster(comparison.base.budget.workers))
                opened = True
            with watch(member, record) as listener:
                return tune(
                    store,
                    record.study.name,
                    trainer,
                    artifacts=artifacts,
                    listener=listener,
                    reuse=reuse,
                    prepare=prepare,
                )

        return run_members(store, comparison, tuned)


def run_members(
    store: Store, comparison: Comparison, tuned: Callable[[Member, StudyRecord], StudyRecord]
) -> list[StudyRecord]:
    """Hand each member that is not complete to `tuned`, replicate by replicate, creating its study where it is new.

    Goes on past a member that failed, since the others may well do; a stopped one (interrupted) ends it. Calling it
    again goes on where it stood. Returns the records of all members that have begun.

    Raises:
        StudyExists: a study that is no part of this comparison has a member's name.
    """
    records = []
    for member in comparison.members():
        record = _record(store, member)
        if record.state is not StudyState.COMPLETE:
            record = tuned(member, record)
        records.append(record)
        if record.state is StudyState.STOPPED:
            break
    return records


def _shared(trainer: Trainer) -> Prepare:
    """Prepare once what members of a replicate share: reading large data again takes longer than a trial."""
    held: dict[str, Preparation] = {}

    def prepare(study: Study, progress: Progress) -> Preparation:
        key = to_text(replace(study, name="", search=Search(""), budget=Budget(), preparation=None))
        if key not in held:
            found = held[key] = trainer.prepare(study, progress)
            return found
        first = held[key]
        again = first.reused + max(first.encoded, first.tokenised)
        return replace(first, encoded=0, tokenised=0, reused=again, seconds=0.0, flops=0.0)

    return prepare


def _record(store: Store, member: Member) -> StudyRecord:
    study = member.study
    try:
        record = store.study(study.name)
    except StudyNotFound:
        return store.create_study(study)
    if record.study.of != study.of:
        raise StudyExists(
            f"the comparison {study.of!r} needs the name {study.name!r}, which a study of its own has: rename the "
            f"comparison, or `mixtune rm {study.name}`"
        )
    return record
