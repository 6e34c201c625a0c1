"""Commands that only read: ls, show, trials and best."""

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

import typer
from pydantic import JsonValue as Json
from rich.console import Console

from mixtune.cli.options import AsJson, Db, Name, database, hint, next_step, print_json
from mixtune.cli.parts import parts_of
from mixtune.errors import NotReady

if TYPE_CHECKING:
    from mixtune.report.summary import Summary
    from mixtune.space import Space
    from mixtune.store.base import Store, StudyRecord, TrialSummary


def ls(context: typer.Context, db: Db = None, as_json: AsJson = False) -> None:
    """List all studies."""
    from mixtune.report.tables import add_columns, plain_table

    with closing(parts_of(context).open_store(database(db))) as store:
        records = [record.told for record in store.studies()]
    if as_json:
        print_json([_line(record) for record in records])
        return
    if not records:
        typer.echo("No studies yet. Begin with `mixtune run FILE`.")
        return
    table = plain_table()
    add_columns(table, left=("study", "state", "search"), right=("sources", "targets", "changed"))
    for record in records:
        study = record.study
        changed = datetime.fromtimestamp(record.updated).strftime("%Y-%m-%d %H:%M")
        counts = (str(len(study.sources)), str(len(study.targets)))
        table.add_row(study.name, record.state.value, study.search.algorithm, *counts, changed)
    Console().print(table)


def show(context: typer.Context, name: Name, db: Db = None, as_json: AsJson = False) -> None:
    """Show what a study has found so far.

    What its signals say of each source, best recipe, baselines, test results and cost. Works while it runs.
    """
    from mixtune.report.document import document
    from mixtune.report.tables import panels_report, report

    url = database(db)
    with closing(parts_of(context).open_store(url)) as store:
        summary = summary_of(store, name)
    if as_json:
        print_json(document(summary))
        return
    console = Console()
    counts = ", ".join(f"{count} {state.value}" for state, count in summary.trials.items())
    console.print(f"Study {name}: {summary.state.value}, trials: {counts or 'none'}", markup=False, highlight=False)
    if summary.reason:
        console.print(f"Reason: {summary.reason}", markup=False, highlight=False)
    if step := next_step(summary.state, name, url):
        console.print(step, markup=False, highlight=False, soft_wrap=True)
    console.print()
    console.print(panels_report(summary), end="")
    console.print(report(summary))


def trials(context: typer.Context, name: Name, db: Db = None, as_json: AsJson = False) -> None:
    """List the trials of a study.

    Role, state, score on dev, cost, time (a worker's first trial waits for it to start) and weights. A pruned trial
    was ended early, at the step that its state names.
    """
    from mixtune.cli.trialtable import trial_table
    from mixtune.trial import TrialState, headline

    with closing(parts_of(context).open_store(database(db))) as store:
        lines = store.summaries(name)
        study = store.study(name).study
        names = study.names
        failed = [line.number for line in lines if line.state is TrialState.FAILED]
        errors = {number: store.attempts(name, number)[-1].error for number in failed}
        measured = {trial.number: trial.measurement for trial in store.trials(name)} if as_json else {}
    if as_json:
        remarks = {number: found.remarks for number, found in measured.items() if found is not None}
        print_json([_trial(line, study.space, errors, remarks) for line in lines])
        return
    console = Console()
    console.print(trial_table(lines, names))
    for number, error in errors.items():
        console.print(f"Trial {number} failed: {headline(error)}", markup=False, highlight=False)


def best(context: typer.Context, name: Name, db: Db = None, as_json: AsJson = False) -> None:
    """Show the best recipe of a study.

    Weights (shares of batches), kept shares, epochs, pruning and batching, and whether it beats proportional sampling;
    --json adds metrics with intervals.
    """
    from mixtune.report.document import best_document
    from mixtune.report.options import recipe_lines
    from mixtune.report.tables import recipe_table

    url = database(db)
    with closing(parts_of(context).open_store(url)) as store:
        summary = summary_of(store, name)
    if summary.best is None:
        raise NotReady(
            f"study {name!r} is {summary.state.value} and has no finished trial to recommend a recipe from: "
            f"go on with `mixtune resume {name}{hint(url)}`"
        )
    if as_json:
        print_json({"study": name, **best_document(summary.study, summary.best)})
        return
    console = Console()
    console.print(recipe_table(summary.study, summary.best.recipe))
    console.print()
    for line in recipe_lines(summary.best.recipe):
        console.print(line, markup=False, highlight=False)
    console.print(summary.answer, markup=False, highlight=False)


def summary_of(store: "Store", name: str) -> "Summary":
    """Read and sum up a study. Raises StudyNotFound."""
    from mixtune.report.summary import summarise
    from mixtune.searchers import make

    record = store.study(name).told
    recommend = make(record.study.search).recommend
    return summarise(record, store.trials(name), lambda number: store.scores(name, number), recommend)


def _line(record: "StudyRecord") -> Json:
    return {
        "name": record.study.name,
        "state": record.state.value,
        "reason": record.reason,
        "algorithm": record.study.search.algorithm,
        "created": record.created,
        "updated": record.updated,
    }


def _trial(
    line: "TrialSummary", space: "Space", errors: Mapping[int, str | None], remarks: Mapping[int, tuple[str, ...]]
) -> Json:
    from mixtune.report.options import recipe_document

    return {
        "number": line.number,
        "role": line.role.value,
        "label": line.label,
        "state": line.state.value,
        "stopped_at": line.stopped_at,
        "attempt": line.attempt,
        "weights": dict(line.recipe.mixture),
        "pruning": dict(line.recipe.pruning.kept),
        **recipe_document(space, line.recipe),
        "score": line.score,
        "cost_flops": line.cost_flops,
        "worker": {"node": line.node, "pid": line.pid},
        "started": line.started,
        "finished": line.finished,
        "error": errors.get(line.number),
        "remarks": list(remarks.get(line.number, ())),
    }
