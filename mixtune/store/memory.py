"""A store that lives and dies with the process: for tests, and for trying things out from Python."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import RLock

from mixtune.comparison import Comparison
from mixtune.measurement import Scores
from mixtune.store.attempts import account, kept
from mixtune.store.base import Attempt, ComparisonRecord, Lease, StudyRecord, TrialSummary, Twin
from mixtune.store.codec import storable, to_json
from mixtune.store.lease import held, is_living
from mixtune.store.refusals import (
    fenced_off,
    is_comparison,
    name_taken,
    no_such_comparison,
    no_such_study,
    no_such_trial,
    require_next,
    require_same_name,
)
from mixtune.study import Study, StudyState
from mixtune.trial import Trial, TrialState


@dataclass
class _Shelf:
    """Everything kept of one study."""

    record: StudyRecord
    trials: list[Trial] = field(default_factory=list)
    attempts: dict[int, list[Attempt]] = field(default_factory=dict)
    scores: dict[int, Scores] = field(default_factory=dict)


@dataclass
class _Holder:
    """Who may write a study of some name; the fence outlives the study, so that no old lease fits a new one."""

    fence: int = 0
    owner: str | None = None
    renewed: float = 0.0


class MemoryStore:
    """A Store in memory. Time is this process's monotonic clock, wall time only in `created` and `updated`."""

    def __init__(self) -> None:
        self._shelves: dict[str, _Shelf] = {}
        self._holders: dict[str, _Holder] = {}
        self._comparisons: dict[str, ComparisonRecord] = {}
        self._lock = RLock()

    def create_study(self, study: Study) -> StudyRecord:
        """Add a study, queued. Raises StudyExists if a study or a comparison has the name."""
        to_json(study)
        with self._lock:
            if study.name in self._shelves or study.name in self._comparisons:
                raise name_taken(study.name)
            now = time.time()
            record = StudyRecord(study, StudyState.QUEUED, uuid.uuid4().hex, created=now, updated=now)
            self._shelves[study.name] = _Shelf(record)
            self._holders.setdefault(study.name, _Holder())
            return record

    def study(self, name: str) -> StudyRecord:
        """One study. Raises StudyNotFound, naming the nearest name there is."""
        with self._lock:
            return self._record(name)

    def studies(self) -> list[StudyRecord]:
        """All studies, oldest first."""
        with self._lock:
            return [self._record(name) for name in self._shelves]

    def delete_study(self, name: str) -> None:
        """Remove a study and its trials. Raises StudyNotFound; LeaseHeld while a living tuner drives it."""
        with self._lock:
            self._shelf(name)
            self._take(name, None)
            del self._shelves[name]

    def update_study(
        self,
        lease: Lease,
        *,
        study: Study | None = None,
        state: StudyState | None = None,
        reason: str | None = None,
        versions: dict[str, str] | None = None,
        add: Sequence[Trial] = (),
    ) -> StudyRecord:
        """Change what is given and add trials, all or nothing. Raises LeaseLost."""
        with self._lock:
            shelf = self._fenced(lease)
            old = shelf.record
            if study is not None:
                require_same_name(lease, study.name)
                to_json(study)
            for number, trial in enumerate(add, start=len(shelf.trials)):
                require_next(lease.study, number, trial)
                to_json(kept(trial))
            shelf.record = replace(
                old,
                study=study or old.study,
                state=state or old.state,
                reason=old.reason if reason is None else storable(reason),
                versions=old.versions if versions is None else dict(versions),
            )
            for trial in add:
                self._add(shelf, trial)
            self._touch(shelf)
            return self._record(lease.study)

    def trials(self, name: str) -> list[Trial]:
        """All trials in number order. Raises StudyNotFound."""
        with self._lock:
            return list(self._shelf(name).trials)

    def summaries(self, name: str) -> list[TrialSummary]:
        """All trials in number order, for showing. Raises StudyNotFound."""
        return [
            TrialSummary(
                number=trial.number,
                role=trial.role,
                label=trial.proposal.label,
                state=trial.state,
                attempt=trial.attempt,
                recipe=trial.proposal.recipe,
                score=trial.measurement.score if trial.measurement else None,
                cost_flops=trial.measurement.cost.flops if trial.measurement else 0.0,
                node=trial.node,
                pid=trial.pid,
                started=trial.started,
                finished=trial.finished,
                stopped_at=trial.measurement.step if trial.state is TrialState.PRUNED and trial.measurement else None,
                reused=trial.reused,
            )
            for trial in self.trials(name)
        ]

    def attempts(self, name: str, number: int) -> list[Attempt]:
        """All attempts at a trial, first one first. Raises StudyNotFound, StoreError for an unknown number."""
        with self._lock:
            shelf = self._shelf(name)
            self._require(shelf, number)
            return list(shelf.attempts.get(number, ()))

    def add_trial(self, lease: Lease, trial: Trial) -> None:
        """Add a trial; its number must be the next one. Raises LeaseLost, StoreError for a number that is taken."""
        with self._lock:
            shelf = self._fenced(lease)
            require_next(lease.study, len(shelf.trials), trial)
            to_json(kept(trial))
            self._add(shelf, trial)
            self._touch(shelf)

    def update_trial(self, lease: Lease, trial: Trial, scores: Scores | None = None) -> None:
        """Replace a trial's row, and store per-query test scores with it. Raises LeaseLost, StoreError if unknown."""
        with self._lock:
            shelf = self._fenced(lease)
            self._require(shelf, trial.number)
            to_json(kept(trial))
            to_json(scores or {})
            self._account(shelf, trial, shelf.trials[trial.number].error)
            shelf.trials[trial.number] = kept(trial)
            if scores is not None:
                shelf.scores[trial.number] = scores
            self._touch(shelf)

    def scores(self, name: str, number: int) -> Scores:
        """Per-query test scores of a judged trial, empty if it has none.

        Raises StudyNotFound, StoreError for an unknown number.
        """
        with self._lock:
            shelf = self._shelf(name)
            self._require(shelf, number)
            return shelf.scores.get(number, {})

    def acquire(self, name: str, owner: str) -> Lease:
        """Take the lease of a study. Raises StudyNotFound; LeaseHeld, saying by whom."""
        with self._lock:
            self._shelf(name)
            return Lease(name, owner, self._take(name, owner))

    def renew(self, lease: Lease) -> None:
        """Keep the lease alive for another LEASE_SECONDS. Raises LeaseLost."""
        with self._lock:
            self._fenced(lease)

    def release(self, lease: Lease) -> None:
        """Give the lease back. Does nothing if it is lost already."""
        with self._lock:
            holder = self._holders.get(lease.study, _Holder())
            if (holder.owner, holder.fence) == (lease.owner, lease.fence):
                holder.owner = None

    def twin(self, fingerprint: str) -> Twin | None:
        """A complete trial of any study with that fingerprint, see Store; None if there is none."""
        with self._lock:
            found = [
                Twin(name, trial, shelf.scores.get(trial.number, {}))
                for name, shelf in self._shelves.items()
                for trial in shelf.trials
                if trial.state is TrialState.COMPLETE and trial.fingerprint == fingerprint
            ]
            return min(found, key=lambda twin: bool(twin.trial.reused), default=None)

    def create_comparison(self, comparison: Comparison) -> ComparisonRecord:
        """Add a comparison without members. Raises StudyExists if a study or a comparison has the name."""
        to_json(comparison)
        with self._lock:
            if comparison.name in self._shelves or comparison.name in self._comparisons:
                raise name_taken(comparison.name)
            now = time.time()
            record = self._comparisons[comparison.name] = ComparisonRecord(comparison, now, now)
            return record

    def comparison(self, name: str) -> ComparisonRecord:
        """One comparison. Raises StudyNotFound."""
        with self._lock:
            if name not in self._comparisons:
                raise no_such_comparison(name, list(self._comparisons))
            return self._comparisons[name]

    def comparisons(self) -> list[ComparisonRecord]:
        """All comparisons, oldest first."""
        with self._lock:
            return list(self._comparisons.values())

    def update_comparison(self, comparison: Comparison) -> ComparisonRecord:
        """Replace what is stored under the comparison's name. Raises StudyNotFound."""
        to_json(comparison)
        with self._lock:
            old = self.comparison(comparison.name)
            record = self._comparisons[comparison.name] = ComparisonRecord(comparison, old.created, time.time())
            return record

    def delete_comparison(self, name: str) -> None:
        """Remove a comparison and all its members, or nothing.

        Raises StudyNotFound; LeaseHeld while a living tuner drives a member.
        """
        with self._lock:
            self.comparison(name)
            members = [each for each, shelf in self._shelves.items() if shelf.record.study.of == name]
            for member in members:
                self._require_free(member)
            for member in members:
                self.delete_study(member)
            del self._comparisons[name]

    def close(self) -> None:
        """Do nothing: there are no connections."""

    def _shelf(self, name: str) -> _Shelf:
        if name in self._comparisons:
            raise is_comparison(name)
        if name not in self._shelves:
            raise no_such_study(name, list(self._shelves), list(self._comparisons))
        return self._shelves[name]

    def _record(self, name: str) -> StudyRecord:
        record, holder = self._shelf(name).record, self._holders[name]
        return replace(record, driven=is_living(holder.owner, time.monotonic() - holder.renewed))

    def _require(self, shelf: _Shelf, number: int) -> None:
        if not 0 <= number < len(shelf.trials):
            raise no_such_trial(shelf.record.study.name, number)

    def _require_free(self, name: str) -> None:
        holder = self._holders[name]
        idle = time.monotonic() - holder.renewed
        if holder.owner is not None and is_living(holder.owner, idle):
            raise held(name, holder.owner, idle)

    def _take(self, name: str, owner: str | None) -> int:
        self._require_free(name)
        holder = self._holders[name]
        holder.owner, holder.fence, holder.renewed = owner, holder.fence + 1, time.monotonic()
        return holder.fence

    def _fenced(self, lease: Lease) -> _Shelf:
        holder = self._holders.get(lease.study, _Holder())
        if (holder.owner, holder.fence) != (lease.owner, lease.fence):
            raise fenced_off(lease)
        holder.renewed = time.monotonic()
        return self._shelves[lease.study]

    def _add(self, shelf: _Shelf, trial: Trial) -> None:
        shelf.trials.append(kept(trial))
        self._account(shelf, trial, None)

    def _account(self, shelf: _Shelf, trial: Trial, known_error: str | None) -> None:
        attempts = shelf.attempts.setdefault(trial.number, [])
        for attempt in account(attempts[-1] if attempts else None, known_error, kept(trial)):
            attempts[:] = [other for other in attempts if other.attempt != attempt.attempt] + [attempt]

    def _touch(self, shelf: _Shelf) -> None:
        shelf.record = replace(shelf.record, updated=time.time())
