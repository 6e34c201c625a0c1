"""Parts of the statements that a store in a database makes."""

from sqlalchemy import ColumnElement, Connection, Table, and_, func, insert, select, update

from mixtune.store import rows
from mixtune.store.attempts import account, kept
from mixtune.store.base import ComparisonRecord, Lease
from mixtune.store.refusals import (
    is_comparison,
    name_taken,
    no_such_comparison,
    no_such_study,
    no_such_trial,
    require_next,
)
from mixtune.store.tables import attempts, comparisons, leases, studies, trials
from mixtune.trial import Trial


def is_lease(lease: Lease) -> ColumnElement[bool]:
    """The row of a lease that still holds."""
    return and_(leases.c.study == lease.study, leases.c.fence == lease.fence, leases.c.owner == lease.owner)


def at(table: Table, study_id: int, number: int) -> ColumnElement[bool]:
    """The rows of a trial."""
    return and_(table.c.study_id == study_id, table.c.number == number)


def same_trial(table: Table, other: Table) -> ColumnElement[bool]:
    """The rows of two tables that belong to one trial."""
    return and_(table.c.study_id == other.c.study_id, table.c.number == other.c.number)


def id_of(db: Connection, name: str) -> int:
    """Number of a study. Raises StudyNotFound."""
    found = db.scalar(select(studies.c.id).where(studies.c.name == name))
    if found is None:
        if has_comparison(db, name):
            raise is_comparison(name)
        raise no_such_study(
            name,
            list(db.scalars(select(studies.c.name).order_by(studies.c.id))),
            list(db.scalars(select(comparisons.c.name).order_by(comparisons.c.id))),
        )
    return int(found)


def has_comparison(db: Connection, name: str) -> bool:
    """Whether a comparison has the name."""
    return db.scalar(select(comparisons.c.id).where(comparisons.c.name == name)) is not None


def require_no_comparison(db: Connection, name: str) -> None:
    """Raises StudyExists if a comparison has the name."""
    if has_comparison(db, name):
        raise name_taken(name)


def comparison_of(db: Connection, name: str) -> ComparisonRecord:
    """A comparison as stored. Raises StudyNotFound."""
    row = db.execute(select(comparisons).where(comparisons.c.name == name)).one_or_none()
    if row is None:
        raise no_such_comparison(name, list(db.scalars(select(comparisons.c.name).order_by(comparisons.c.id))))
    return rows.to_comparison(row)


def id_of_trial(db: Connection, name: str, number: int) -> int:
    """Number of the study that has the trial. Raises StudyNotFound, StoreError for an unknown trial."""
    study_id = id_of(db, name)
    if db.scalar(select(trials.c.number).where(at(trials, study_id, number))) is None:
        raise no_such_trial(name, number)
    return study_id


def add(db: Connection, study_id: int, name: str, trial: Trial) -> None:
    """Add a trial with its first attempt. Raises StoreError for a number that is not the next one."""
    last = db.scalar(select(func.max(trials.c.number)).where(trials.c.study_id == study_id))
    require_next(name, 0 if last is None else last + 1, trial)
    db.execute(insert(trials).values(study_id=study_id, number=trial.number, **rows.trial_values(trial)))
    keep_account(db, study_id, trial, None)


def keep_account(db: Connection, study_id: int, trial: Trial, known_error: str | None) -> None:
    """Bring the attempts of a trial up to its state."""
    here = at(attempts, study_id, trial.number)
    newest = db.execute(select(attempts).where(here).order_by(attempts.c.attempt.desc()).limit(1)).one_or_none()
    last = None if newest is None else rows.to_attempt(newest)
    for attempt in account(last, known_error, kept(trial)):
        values = rows.attempt_values(attempt)
        changed = db.execute(update(attempts).where(here, attempts.c.attempt == attempt.attempt).values(**values))
        if changed.rowcount == 0:
            key = {"study_id": study_id, "number": trial.number, "attempt": attempt.attempt}
            db.execute(insert(attempts).values(**key, **values))
