"""Rows of the tables to frozen values and back. Rows leave no further than sql.py."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import Row, case, func

from mixtune.comparison import Comparison
from mixtune.errors import StoreError
from mixtune.measurement import Measurement, Scores
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Recipe
from mixtune.store.attempts import kept
from mixtune.store.base import Attempt, AttemptOutcome, ComparisonRecord, StudyRecord, TrialSummary, Twin
from mixtune.store.codec import from_text, from_texts, to_json, to_text
from mixtune.store.lease import is_living
from mixtune.store.tables import trials
from mixtune.study import Study, StudyState
from mixtune.trial import Trial, TrialState

T = TypeVar("T")
AnyRow = Row[*tuple[Any, ...]]  # SQLAlchemy's edge: a column's type is known to the table, not to mypy

TRIAL_COLUMNS = tuple(
    trials.c[name]
    for name in (
        *("number", "recipe", "proposal", "measurement", "seed", "seen", "state", "attempt"),
        *("error", "node", "pid", "started", "finished", "fingerprint", "reused"),
    )
)
SUMMARY_COLUMNS = (
    *(
        trials.c[name]
        for name in (
            *("number", "role", "label", "state", "attempt", "recipe", "score", "cost_flops"),
            *("node", "pid", "started", "finished"),
        )
    ),
    case((trials.c.state == TrialState.PRUNED.value, trials.c.measurement["step"].as_integer())).label("stopped_at"),
    func.coalesce(trials.c.reused, "").label("reused"),
)


def trial_values(trial: Trial) -> dict[str, object]:
    """Columns of a trial, besides its key."""
    proposal, measurement = to_json(trial.proposal), trial.measurement
    recipe = proposal.pop("recipe")
    return {
        "role": trial.role.value,
        "label": trial.proposal.label,
        "state": trial.state.value,
        "seed": trial.seed,
        "seen": trial.seen,
        "attempt": trial.attempt,
        "score": None if measurement is None else measurement.score,
        "cost_flops": 0.0 if measurement is None else measurement.cost.flops,
        "node": trial.node,
        "pid": trial.pid,
        "started": trial.started,
        "finished": trial.finished,
        "error": kept(trial).error,
        "recipe": to_text(recipe),
        "proposal": to_text(proposal),
        "measurement": None if measurement is None else to_text(measurement),
        "fingerprint": trial.fingerprint or None,
        "reused": trial.reused or None,
    }


def attempt_values(attempt: Attempt) -> dict[str, object]:
    """Columns of an attempt, besides its key."""
    values = asdict(attempt) | {"outcome": attempt.outcome.value}
    return {name: value for name, value in values.items() if name not in ("number", "attempt")}


def to_record(row: AnyRow) -> StudyRecord:
    """A row of `studies` with its lease's owner and idle seconds. Raises StoreError if its JSON is something else."""
    return _read(
        row.name,
        lambda: StudyRecord(
            study=from_text(Study, row.study),
            state=StudyState(row.state),
            uid=row.uid,
            created=row.created,
            updated=row.updated,
            reason=row.reason,
            versions=None if row.versions is None else from_text(dict[str, str], row.versions),
            driven=is_living(row.owner, row.idle),
        ),
    )


def to_twin(row: AnyRow) -> Twin:
    """A study's name, TRIAL_COLUMNS and scores. Raises StoreError if their JSON is something else."""
    (trial,) = to_trials(row.name, [row])
    return Twin(row.name, trial, {} if row.scores is None else to_scores(row.name, row.scores))


def to_trials(study: str, rows: Sequence[AnyRow]) -> list[Trial]:
    """Rows that hold TRIAL_COLUMNS. Raises StoreError if their JSON is not that of trials."""

    def read() -> list[Trial]:
        # All rows' JSON in one call: half the time of one call each.
        texts = [f'{{"recipe":{row.recipe},{row.proposal.lstrip()[1:]}' for row in rows]
        proposals = from_texts(list[Proposal], texts)
        measured = from_texts(list[Measurement | None], [row.measurement or "null" for row in rows])
        return [
            Trial(
                row.number,
                proposal,
                row.seed,
                row.seen,
                TrialState(row.state),
                row.attempt,
                measurement,
                row.error,
                row.node,
                row.pid,
                row.started,
                row.finished,
                row.fingerprint or "",
                row.reused or "",
            )
            for row, proposal, measurement in zip(rows, proposals, measured, strict=True)
        ]

    return _read(study, read)


def to_summaries(study: str, rows: Sequence[AnyRow]) -> list[TrialSummary]:
    """Rows of SUMMARY_COLUMNS. Raises StoreError if their JSON is not that of recipes."""

    def read() -> list[TrialSummary]:
        recipes = from_texts(list[Recipe], [row.recipe for row in rows])
        return [
            TrialSummary(number, Role(role), label, TrialState(state), attempt, recipe, *rest)
            for (number, role, label, state, attempt, _, *rest), recipe in zip(rows, recipes, strict=True)
        ]

    return _read(study, read)


def to_comparison(row: AnyRow) -> ComparisonRecord:
    """A row of `comparisons`. Raises StoreError if its JSON is something else."""
    return _read(row.name, lambda: ComparisonRecord(from_text(Comparison, row.comparison), row.created, row.updated))


def to_attempt(row: AnyRow) -> Attempt:
    """A row of `attempts`."""
    outcome = AttemptOutcome(row.outcome)
    return Attempt(row.number, row.attempt, outcome, row.started, row.finished, row.node, row.pid, row.error)


def to_scores(study: str, text: str) -> Scores:
    """The JSON of a row of `scores`. Raises StoreError if it is something else."""
    return _read(study, lambda: from_text(Scores, text))


def _read(study: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:
        raise StoreError(
            f"study {study!r} holds rows that this mixtune cannot read ({error}): restore a copy of the database, or "
            f"`mixtune rm {study}`"
        ) from error
