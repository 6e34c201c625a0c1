"""Commands that read one study: show, trials and best."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue as Json
from rich.console import Console

from mixtune.cli.contest import recommended, show_comparison
from mixtune.cli.counts import counted
from mixtune.cli.options import AsJson, Db, Name, database, hint, next_step, print_json
from mixtune.cli.parts import parts_of
from mixtune.cli.preferring import Prefer, near_optimal_of
from mixtune.errors import NotReady, StudyNotFound

if TYPE_CHECKING:
    from mixtune.report.looks.collected import Looks
    from mixtune.report.summary import Summary
    from mixtune.space import Space
    from mixtune.store.base import Store, TrialSummary
    from mixtune.study import Study


FEW = 3
"""Trials that are named of those whose runs were reused."""


def show(context: typer.Context, name: Name, db: Db = None, as_json: AsJson = False) -> None:
    """Show what a study has found so far, or a comparison.

    What a study's signals say of each source, best recipe, baselines, test results and cost. Works while it runs.
    """
    from mixtune.report.document import document
    from mixtune.report.tables import panels_report, report

    url = database(db)
    with closing(parts_of(context).open_store(url)) as store:
        if name in {each.comparison.name for each in store.comparisons()}:
            show_comparison(store, name, as_json=as_json)
            return
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


def trials(
    context: typer.Context,
    name: Name,
    receipt: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=counted(0, why="trials are numbered from 0"),
            help="Show the receipt of trial N: what it asked for and drew, source by source.",
        ),
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """List the trials of a study.

    Role, state, score on dev, cost, time (a worker's first trial waits for it to start) and weights. A pruned trial
    was ended early, at the step that its state names. A mark behind its number says that a trial drew more or less of a
    source than chance explains.
    """
    from mixtune.cli.trialtable import trial_table
    from mixtune.receipt import receipt_of
    from mixtune.report.panels.receipts import outside_text, receipt_document, receipt_sheet
    from mixtune.report.tables import sheets_report
    from mixtune.trial import TrialState, headline

    with closing(parts_of(context).open_store(database(db))) as store:
        lines = store.summaries(name)
        study = store.study(name).study
        names = study.names
        failed = [line.number for line in lines if line.state is TrialState.FAILED]
        errors = {number: store.attempts(name, number)[-1].error for number in failed}
        told = store.trials(name) if study.preparation is not None else []
    receipts = {trial.number: found for trial in told if (found := receipt_of(study, trial)) is not None}
    if receipt is not None:
        if receipt not in {line.number for line in lines}:
            raise NotReady(
                f"study {name!r} has no trial {receipt}; it has {spans([line.number for line in lines]) or 'none yet'}"
            )
        if receipt not in receipts:
            raise NotReady(
                f"trial {receipt} of study {name!r} has no receipt: it has not ended, or drew nothing; those that have"
                f" are {spans(list(receipts)) or 'none yet'}"
            )
        if as_json:
            print_json({"study": name, "trial": receipt, **receipt_document(receipts[receipt])})
        else:
            Console().print(sheets_report([receipt_sheet(receipt, receipts[receipt])]), end="")
        return
    outside = {number: found for number, found in receipts.items() if found.outside}
    if as_json:
        remarks = {trial.number: trial.measurement.remarks for trial in told if trial.measurement is not None}
        documents = {number: receipt_document(found) for number, found in receipts.items()}
        print_json(
            [_trial(line, study.space, errors, remarks) | {"receipt": documents.get(line.number)} for line in lines]
        )
        return
    console = Console()
    console.print(trial_table(lines, names, frozenset(outside)))
    for number, found in outside.items():
        console.print(f"! Trial {number} drew {outside_text(found)}", markup=False, highlight=False)
    if taken := [line.reused for line in lines if line.reused]:
        shown = f"{', '.join(taken[:FEW])}{', ...' if len(taken) > FEW else ''}"
        console.print(f"Reused: equal runs that were there already ({shown})", markup=False, highlight=False)
    for number, error in errors.items():
        console.print(f"Trial {number} failed: {headline(error)}", markup=False, highlight=False)


def best(context: typer.Context, name: Name, prefer: Prefer = None, db: Db = None, as_json: AsJson = False) -> None:
    """Show the best recipe of a study.

    Weights (shares of batches), kept shares, epochs, pruning and batching, and whether it beats proportional sampling;
    --json adds metrics with intervals. --prefer shows another one that cannot be told from the best, with its evidence.
    """
    from mixtune.report.document import best_document
    from mixtune.report.options import recipe_lines
    from mixtune.report.panels.nearoptimal import NAMES, evidence, member_document
    from mixtune.report.tables import recipe_table

    url = database(db)
    with closing(parts_of(context).open_store(url)) as store:
        summary = summary_of(store, name)
    require_search(summary, f"best {summary.study.of}{hint(url)}")
    if summary.best is None:
        raise NotReady(
            f"study {name!r} is {summary.state.value} and has no finished trial to recommend a recipe from: "
            f"go on with `mixtune resume {name}{hint(url)}`"
        )
    if prefer is not None:
        found = near_optimal_of(summary, url)
        member, said = found.preferred(prefer), evidence(found, prefer)
        if as_json:
            told = member_document(summary.study, member)
            print_json({"study": name, "prefer": prefer.value, **told, "evidence": said})
            return
        title = f"{NAMES[prefer].capitalize()} within noise of the best (weights are shares of batches)"
        table, recipe = recipe_table(summary.study, member.recipe, title), member.recipe
    elif as_json:
        print_json({"study": name, **best_document(summary.study, summary.best)})
        return
    else:
        recipe, said = summary.best.recipe, summary.answer
        table = recipe_table(summary.study, recipe)
    console = Console()
    console.print(table)
    console.print()
    for line in (*recipe_lines(recipe), said):
        console.print(line, markup=False, highlight=False)


def summary_of(store: "Store", name: str) -> "Summary":
    """Read and sum up a study. Raises StudyNotFound."""
    from mixtune.report.summary import summarise
    from mixtune.searchers import make
    from mixtune.searchers.finalists import crowned

    record = store.study(name).told
    searcher = make(record.study.search)
    return summarise(
        record,
        store.trials(name),
        lambda number: store.scores(name, number),
        lambda study, trials: crowned(study, searcher, trials),
        looks_of(store, record.study),
    )


def looks_of(store: "Store", study: "Study") -> "Looks":
    """What looks into a study found, or of a look what it and its like found."""
    from mixtune.report.looks.collected import is_look, kind_of, looks

    into = study.of if is_look(study) else study.name
    found = [each.study for each in store.studies() if each.study.of == into and is_look(each.study)]
    parts = [part for part in found if not is_look(study) or kind_of(part) == kind_of(study)]
    told = looks([(part, store.trials(part.name)) for part in parts])
    return _dated(store, told, into) if is_look(study) else told


def _dated(store: "Store", found: "Looks", name: str) -> "Looks":
    """Looks into a study as it stands now: those of an earlier recommendation are marked."""
    from mixtune.report.looks.collected import dated
    from mixtune.study import StudyState

    try:
        record = store.study(name).told
    except StudyNotFound:
        return found
    current = recommended(record.study, store.trials(name))
    return dated(found, record.study, current, finished=record.state is StudyState.COMPLETE)


def require_search(summary: "Summary", command: str) -> None:
    """See that a study searches. Raises NotReady where it looks into another one, for which the command is meant."""
    from mixtune.report.looks.collected import is_look

    name, of = summary.study.name, summary.study.of
    if is_look(summary.study):
        raise NotReady(f"{name!r} looks into study {of!r} and searches nothing: use `mixtune {command}`")


def spans(numbers: Sequence[int]) -> str:
    """Ascending numbers in words, those in a row put together: `0-3, 7`."""
    ends: list[list[int]] = []
    for number in numbers:
        if ends and number == ends[-1][1] + 1:
            ends[-1][1] = number
        else:
            ends.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ends)


def _trial(
    line: "TrialSummary", space: "Space", errors: Mapping[int, str | None], remarks: Mapping[int, tuple[str, ...]]
) -> dict[str, Json]:
    from mixtune.report.options import recipe_document

    return {
        "number": line.number,
        "role": line.role.value,
        "label": line.label,
        "state": line.state.value,
        "stopped_at": line.stopped_at,
        "reused": line.reused or None,
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
