"""Studies in SQLite or PostgreSQL."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from mixtune.comparison import Comparison
from mixtune.errors import StoreError
from mixtune.measurement import Scores
from mixtune.store import rows, statements
from mixtune.store.base import Attempt, ComparisonRecord, Lease, StudyRecord, TrialSummary, Twin
from mixtune.store.codec import storable, to_text
from mixtune.store.database import Database
from mixtune.store.lease import held, is_living
from mixtune.store.refusals import (
    fenced_off,
    name_taken,
    no_such_trial,
    require_same_name,
)
from mixtune.store.tables import attempts, comparisons, leases, studies, trials
from mixtune.store.tables import scores as scores_table
from mixtune.study import Study, StudyState
from mixtune.trial import Trial, TrialState


def open_store(url: str, *, create: bool = True) -> "SqlStore":
    """Open the store at sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; an empty database gets its tables.

    Raises:
        StoreError: it cannot be reached, read or written, is not mixtune's or is of another version (an older one
            wants `mixtune db upgrade`); or create is False and there is nothing yet. The URL in the message has its
            password masked.
    """
    database = Database(url)
    try:
        database.open(create=create)
    except StoreError:
        database.close()
        raise
    return SqlStore(database)


def upgrade(url: str) -> None:
    """Bring the tables of a database to this version of mixtune, all or nothing.

    Raises:
        StoreError: it cannot be reached or written, or is of a newer mixtune.
    """
    database = Database(url)
    try:
        database.upgrade()
    finally:
        database.close()


class SqlStore:
    """A Store in a database that `open_store` has found in order. Time is the database's clock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_study(self, study: Study) -> StudyRecord:
        """Add a study, queued. Raises StudyExists if a study or a comparison has the name."""
        row = {"uid": uuid.uuid4().hex, "name": study.name, "state": StudyState.QUEUED.value, "reason": ""}
        now = self._database.now

        def work(db: Connection) -> StudyRecord:
            statements.require_no_comparison(db, study.name)
            try:
                db.execute(insert(studies).values(**row, created=now, updated=now, study=to_text(study)))
            except IntegrityError as error:
                raise name_taken(study.name) from error
            if db.scalar(select(leases.c.fence).where(leases.c.study == study.name)) is None:
                db.execute(insert(leases).values(study=study.name, fence=0, owner=None, renewed=0.0))
            return self._record(db, study.name)

        return self._database.write(work)

    def study(self, name: str) -> StudyRecord:
        """One study. Raises StudyNotFound, naming the nearest name there is."""
        return self._database.read(lambda db: self._record(db, name))

    def studies(self) -> list[StudyRecord]:
        """All studies, oldest first."""
        found = self._database.read(lambda db: db.execute(self._records().order_by(studies.c.id)).all())
        return [rows.to_record(row) for row in found]

    def delete_study(self, name: str) -> None:
        """Remove a study and its trials. Raises StudyNotFound; LeaseHeld while a living tuner drives it."""

        def work(db: Connection) -> None:
            self._take(db, name, None)
            db.execute(delete(studies).where(studies.c.name == name))

        self._database.write(work)

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
        changes: dict[str, str] = {}
        if study is not None:
            require_same_name(lease, study.name)
            changes["study"] = to_text(study)
        if state is not None:
            changes["state"] = state.value
        if reason is not None:
            changes["reason"] = storable(reason)
        if versions is not None:
            changes["versions"] = to_text(versions)

        def work(db: Connection) -> StudyRecord:
            study_id = self._fenced(db, lease)
            if changes:
                db.execute(update(studies).where(studies.c.id == study_id).values(**changes))
            for trial in add:
                statements.add(db, study_id, lease.study, trial)
            return self._record(db, lease.study)

        return self._database.write(work)

    def trials(self, name: str) -> list[Trial]:
        """All trials in number order. Raises StudyNotFound."""
        query = select(*rows.TRIAL_COLUMNS).order_by(trials.c.number)
        return rows.to_trials(name, self._database.read(lambda db: db.execute(query.where(_of(db, name))).all()))

    def summaries(self, name: str) -> list[TrialSummary]:
        """All trials in number order, for showing. Raises StudyNotFound."""
        query = select(*rows.SUMMARY_COLUMNS).order_by(trials.c.number)
        return rows.to_summaries(name, self._database.read(lambda db: db.execute(query.where(_of(db, name))).all()))

    def attempts(self, name: str, number: int) -> list[Attempt]:
        """All attempts at a trial, first one first. Raises StudyNotFound, StoreError for an unknown number."""

        def work(db: Connection) -> list[Attempt]:
            here = statements.at(attempts, statements.id_of_trial(db, name, number), number)
            found = db.execute(select(attempts).where(here).order_by(attempts.c.attempt))
            return [rows.to_attempt(row) for row in found]

        return self._database.read(work)

    def add_trial(self, lease: Lease, trial: Trial) -> None:
        """Add a trial; its number must be the next one. Raises LeaseLost, StoreError for a number that is taken."""
        self._database.write(lambda db: statements.add(db, self._fenced(db, lease), lease.study, trial))

    def update_trial(self, lease: Lease, trial: Trial, scores: Scores | None = None) -> None:
        """Replace a trial's row, and store per-query test scores with it. Raises LeaseLost, StoreError if unknown."""
        values = rows.trial_values(trial)
        text = None if scores is None else to_text(scores)

        def work(db: Connection) -> None:
            study_id = self._fenced(db, lease)
            here = statements.at(trials, study_id, trial.number)
            old = db.execute(select(trials.c.error).where(here)).one_or_none()
            if old is None:
                raise no_such_trial(lease.study, trial.number)
            db.execute(update(trials).where(here).values(**values))
            statements.keep_account(db, study_id, trial, old.error)
            if text is not None:
                db.execute(delete(scores_table).where(statements.at(scores_table, study_id, trial.number)))
                db.execute(insert(scores_table).values(study_id=study_id, number=trial.number, scores=text))

        self._database.write(work)

    def scores(self, name: str, number: int) -> Scores:
        """Per-query test scores of a judged trial, empty if it has none.

        Raises StudyNotFound, StoreError for an unknown number.
        """

        def work(db: Connection) -> str | None:
            here = statements.at(scores_table, statements.id_of_trial(db, name, number), number)
            text: str | None = db.scalar(select(scores_table.c.scores).where(here))
            return text

        text = self._database.read(work)
        return {} if text is None else rows.to_scores(name, text)

    def acquire(self, name: str, owner: str) -> Lease:
        """Take the lease of a study. Raises StudyNotFound; LeaseHeld, saying by whom."""
        return Lease(name, owner, self._database.write(lambda db: self._take(db, name, owner)))

    def renew(self, lease: Lease) -> None:
        """Keep the lease alive for another LEASE_SECONDS. Raises LeaseLost."""
        self._database.write(lambda db: self._renew(db, lease))

    def release(self, lease: Lease) -> None:
        """Give the lease back. Does nothing if it is lost already."""
        self._database.write(lambda db: db.execute(update(leases).where(statements.is_lease(lease)).values(owner=None)))

    def twin(self, fingerprint: str) -> Twin | None:
        """A complete trial of any study with that fingerprint, see Store; None if there is none."""
        query = (
            select(studies.c.name, *rows.TRIAL_COLUMNS, scores_table.c.scores)
            .join_from(trials, studies, trials.c.study_id == studies.c.id)
            .join(scores_table, statements.same_trial(scores_table, trials), isouter=True)
            .where(trials.c.fingerprint == fingerprint, trials.c.state == TrialState.COMPLETE.value)
            .order_by(trials.c.reused.is_not(None), studies.c.id, trials.c.number)
            .limit(1)
        )
        found = self._database.read(lambda db: db.execute(query).one_or_none())
        return None if found is None else rows.to_twin(found)

    def create_comparison(self, comparison: Comparison) -> ComparisonRecord:
        """Add a comparison without members. Raises StudyExists if a study or a comparison has the name."""
        name, now, text = comparison.name, self._database.now, to_text(comparison)

        def work(db: Connection) -> ComparisonRecord:
            statements.require_no_comparison(db, name)
            if db.scalar(select(studies.c.id).where(studies.c.name == name)) is not None:
                raise name_taken(name)
            try:
                db.execute(insert(comparisons).values(name=name, created=now, updated=now, comparison=text))
            except IntegrityError as error:
                raise name_taken(name) from error
            return statements.comparison_of(db, name)

        return self._database.write(work)

    def comparison(self, name: str) -> ComparisonRecord:
        """One comparison. Raises StudyNotFound."""
        return self._database.read(lambda db: statements.comparison_of(db, name))

    def comparisons(self) -> list[ComparisonRecord]:
        """All comparisons, oldest first."""
        found = self._database.read(lambda db: db.execute(select(comparisons).order_by(comparisons.c.id)).all())
        return [rows.to_comparison(row) for row in found]

    def update_comparison(self, comparison: Comparison) -> ComparisonRecord:
        """Replace what is stored under the comparison's name. Raises StudyNotFound."""
        values = {"comparison": to_text(comparison), "updated": self._database.now}

        def work(db: Connection) -> ComparisonRecord:
            db.execute(update(comparisons).where(comparisons.c.name == comparison.name).values(**values))
            return statements.comparison_of(db, comparison.name)

        return self._database.write(work)

    def delete_comparison(self, name: str) -> None:
        """Remove a comparison and all its members, or nothing.

        Raises StudyNotFound; LeaseHeld while a living tuner drives a member.
        """

        def work(db: Connection) -> None:
            statements.comparison_of(db, name)
            part = studies.c.study["of"].as_string() == name
            for member in db.scalars(select(studies.c.name).where(part)).all():
                self._take(db, member, None)
                db.execute(delete(studies).where(studies.c.name == member))
            db.execute(delete(comparisons).where(comparisons.c.name == name))

        self._database.write(work)

    def close(self) -> None:
        """Let go of connections."""
        self._database.close()

    def _records(self) -> Select[*tuple[Any, ...]]:
        """Studies, each with the owner of its lease and that owner's silence in seconds."""
        lease = (leases.c.owner, (self._database.now - leases.c.renewed).label("idle"))
        return select(studies, *lease).join_from(studies, leases, leases.c.study == studies.c.name, isouter=True)

    def _record(self, db: Connection, name: str) -> StudyRecord:
        return rows.to_record(db.execute(self._records().where(studies.c.id == statements.id_of(db, name))).one())

    def _take(self, db: Connection, name: str, owner: str | None) -> int:
        """Make owner (None: nobody) the holder, above every fence before. Raises StudyNotFound, LeaseHeld."""
        idle = (self._database.now - leases.c.renewed).label("idle")
        held_by = select(leases.c.owner, leases.c.fence, idle).where(leases.c.study == name).with_for_update()
        holder = db.execute(held_by).one_or_none()
        statements.id_of(db, name)
        if holder is None:
            raise StoreError(f"study {name!r} has no lease row: the database was changed by hand; restore a copy of it")
        if holder.owner is not None and is_living(holder.owner, holder.idle):
            raise held(name, holder.owner, holder.idle)
        taken = {"owner": owner, "fence": holder.fence + 1, "renewed": self._database.now}
        db.execute(update(leases).where(leases.c.study == name).values(**taken))
        return int(holder.fence) + 1

    def _renew(self, db: Connection, lease: Lease) -> None:
        """Check the fence, lock it until the transaction ends, and note that the holder lives. Raises LeaseLost."""
        if (
            db.execute(update(leases).where(statements.is_lease(lease)).values(renewed=self._database.now)).rowcount
            == 0
        ):
            raise fenced_off(lease)

    def _fenced(self, db: Connection, lease: Lease) -> int:
        """Begin a write under a lease: the study's id. Raises LeaseLost."""
        self._renew(db, lease)
        db.execute(update(studies).where(studies.c.name == lease.study).values(updated=self._database.now))
        return statements.id_of(db, lease.study)


def _of(db: Connection, name: str) -> ColumnElement[bool]:
    return trials.c.study_id == statements.id_of(db, name)
