"""Commands that tune: run and resume."""

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console

from mixtune.cli.memory import memory_advice, require_memory
from mixtune.cli.options import INTERRUPTED, Db, File, Name, database, hint, next_step
from mixtune.cli.parts import Parts, parts_of
from mixtune.cli.patience import patiently
from mixtune.errors import ConfigError, StudyNotFound, StudyStopped

if TYPE_CHECKING:
    from mixtune.search import Budget
    from mixtune.store.base import Store, StudyRecord
    from mixtune.study import Study

T = TypeVar("T")


Fresh = Annotated[
    bool, typer.Option("--fresh", help="Train every trial, also where the database has an equal run to take over.")
]


def run(context: typer.Context, file: File, fresh: Fresh = False, db: Db = None) -> None:
    """Run a study file to its end.

    Shows live progress, then the best recipe and what it is worth. A study that exists with the same specification
    goes on where it stands. Ctrl-C stops it; nothing that has finished is lost.
    """
    from mixtune.config import load

    parts, loaded = parts_of(context), load(file)
    url = database(db, loaded.db)
    with closing(parts.open_store(url, create=True)) as store:
        record = _created(store, loaded.study, url)
        _drive(parts, store, record, url, reuse=not fresh)


def resume(
    context: typer.Context,
    name: Name,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="New budget: searcher's trials in all.")] = None,
    runs: Annotated[float | None, typer.Option("--runs", help="New budget: compute in all, in fresh runs.")] = None,
    fresh: Fresh = False,
    db: Db = None,
) -> None:
    """Go on with a study that was stopped, or extend a finished one.

    --trials and --runs give the whole budget, not what is added; what is left out is no limit any more. A comparison
    goes on with its members; its budget stays.
    """
    if runs is not None and not 0 < runs < float("inf"):
        raise typer.BadParameter(f"{runs} is not a positive number", param_hint="--runs")
    parts, url = parts_of(context), database(db)
    with closing(parts.open_store(url)) as store:
        if name in {each.comparison.name for each in store.comparisons()}:
            _resume_comparison(parts, store, name, url, changed=trials is not None or runs is not None, fresh=fresh)
            return
        record = store.study(name)
        if trials is not None or runs is not None:
            record = _extended(parts, store, name, replace(record.study.budget, trials=trials, runs=runs))
        _drive(parts, store, record, url, reuse=not fresh)


def _resume_comparison(parts: Parts, store: "Store", name: str, url: str, *, changed: bool, fresh: bool) -> None:
    """Go on with a comparison. Raises ConfigError where another budget is asked for."""
    from mixtune.cli.contest import drive_comparison

    if changed:
        raise ConfigError(
            f"{name!r} is a comparison, whose members all have the budget that they began with: leave --trials and "
            f"--runs out, or compare with another budget under another name"
        )
    drive_comparison(parts, store, store.comparison(name).comparison, url, as_json=False, reuse=not fresh)


def _created(store: "Store", study: "Study", url: str) -> "StudyRecord":
    """The stored study of this specification, created if it is new.

    A study that never had a trial has nothing to lose: another specification takes its place.
    """
    from mixtune.cli.specification import differences, refuse_other

    try:
        record = store.study(study.name)
    except StudyNotFound:
        return store.create_study(study)
    if not differences(record.study, study):
        return record
    trials = store.trials(study.name)
    if trials:
        refuse_other(record.study, study, trials, hint(url))
    store.delete_study(study.name)
    return store.create_study(study)


def _extended(parts: Parts, store: "Store", name: str, budget: "Budget") -> "StudyRecord":
    """Store a study's new budget, as soon as no other tuner drives it.

    Raises:
        ConfigError: more than that is spent already.
    """
    from mixtune.store.lease import process_owner
    from mixtune.study import StudyState

    lease = patiently(parts, lambda: store.acquire(name, process_owner()))
    try:
        record = store.study(name)
        if budget == record.study.budget:
            return record
        _require_unspent(store, record.study, budget)
        state = StudyState.STOPPED if record.state is StudyState.COMPLETE else None
        study = replace(record.study, budget=budget)
        return store.update_study(lease, study=study, state=state, reason="budget extended")
    finally:
        store.release(lease)


def _require_unspent(store: "Store", study: "Study", budget: "Budget") -> None:
    """Refuse a budget that is smaller than what the search has had. Raises ConfigError."""
    from mixtune.cli.specification import overspent

    over = overspent(study, store.trials(study.name), budget)
    if over is not None:
        raise ConfigError(f"{over[0]}: {over[1]}; give more")


def _drive(parts: Parts, store: "Store", record: "StudyRecord", url: str, *, reuse: bool) -> None:
    """Run a study to its end, watched, and tell what came out."""
    from mixtune.cli.live import Output
    from mixtune.cli.optionnotes import held_line, mixed_line
    from mixtune.cli.reading import summary_of
    from mixtune.report.looks.collected import is_look
    from mixtune.report.tables import panels_report, report
    from mixtune.study import StudyState

    name, console, suffix = record.study.name, Output(), hint(url)
    if record.state is StudyState.COMPLETE:
        console.print(f"Study {name} is complete: nothing is left to run.", markup=False, highlight=False)
        _say_next(console, record.study, suffix, over=_over(record.study, store))
        return
    for line in (held_line(record.study), mixed_line(record.study)):
        if line:
            console.print(f"Note: {line}", markup=False, highlight=False)
    record = drive_watched(parts, store, record, url, console, reuse=reuse)
    if is_look(record.study):
        console.print(panels_report(summary_of(store, name)), end="")
        return
    console.print(report(summary_of(store, name)))
    _say_next(console, record.study, suffix, over=_over(record.study, store))


def drive_watched(
    parts: Parts, store: "Store", record: "StudyRecord", url: str, console: Console, *, reuse: bool = True
) -> "StudyRecord":
    """Run what is left of a study, watched on a console.

    Raises:
        StudyStopped: it failed.
        Exit: it was interrupted.
    """
    from mixtune.cli.live import watching
    from mixtune.config import home
    from mixtune.study import StudyState

    name, place = record.study.name, home().ready()
    require_memory(record.study.budget.workers, parts.memory())
    with watching(console, record, store.trials(name)) as listener:
        trainer = parts.trainer(place.cache)
        record = patiently(
            parts, lambda: parts.tune(store, name, trainer, artifacts=place.artifacts, listener=listener, reuse=reuse)
        )
    if record.state is StudyState.STOPPED:
        typer.echo(f"Stopped ({record.reason}). {next_step(record.state, name, url)}", err=True)
        raise typer.Exit(INTERRUPTED)
    if record.state is StudyState.FAILED:
        advice = f"{next_step(record.state, name, url)}{memory_advice(record.reason)}"
        raise StudyStopped(f"study {name!r} failed: {record.reason}. {advice}")
    return record


def _over(study: "Study", store: "Store") -> bool:
    """Whether the search has ended by itself, so that a larger budget would change nothing."""
    from mixtune.proposal import ASKED
    from mixtune.searchers import make
    from mixtune.trial import TrialState

    most = make(study.search).most(study)
    done = (t.role in ASKED and t.state is TrialState.COMPLETE for t in store.trials(study.name))
    return most is not None and sum(done) >= most


def _say_next(console: Console, study: "Study", suffix: str, *, over: bool) -> None:
    name, more = study.name, "--trials N" if study.budget.runs is None else "--runs X"
    console.print("\nNext:")
    on = () if over else ((f"mixtune resume {name} {more}{suffix}", "search on with a larger budget"),)
    for command, why in (
        (f"mixtune show {name}{suffix}", "this report again (--json for programs)"),
        (f"mixtune trials {name}{suffix}", "every run, what it trained on and scored"),
        (f"mixtune export {name} --format sentence-transformers --out train_{name}{suffix}", "train with it"),
        *on,
    ):
        console.print(f"  {command}\n      {why}", markup=False, highlight=False, soft_wrap=True)
