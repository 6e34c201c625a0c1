"""The export command."""

import shlex
from contextlib import closing
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from mixtune.cli.completion import export_formats
from mixtune.cli.options import Db, Name, database, hint
from mixtune.cli.parts import parts_of
from mixtune.cli.preferring import Prefer, near_optimal_of
from mixtune.cli.reading import require_search, summary_of
from mixtune.errors import ExportError, NotReady


def export(
    context: typer.Context,
    name: Name,
    out: Annotated[Path, typer.Option("--out", help="File or folder to write.", show_default=False)],
    form: Annotated[
        str, typer.Option("--format", help="mixture or sentence-transformers.", autocompletion=export_formats)
    ] = "mixture",
    prefer: Prefer = None,
    db: Db = None,
) -> None:
    """Write the best recipe of a study for the trainer that you use.

    With --prefer it is another one that cannot be told from the best. Its scores are those on dev that it rests on, so
    the file says nothing of test.
    """
    from mixtune.export import EXPORTERS
    from mixtune.export.base import ExportRequest, MetricValue
    from mixtune.export.sentence_transformers import lost_of
    from mixtune.report.panels.nearoptimal import evidence

    if form not in EXPORTERS:
        alike = get_close_matches(form, EXPORTERS, n=1)
        hinted = f"did you mean {alike[0]!r}? " if alike else ""
        raise ExportError(f"no export format {form!r}; {hinted}known: {', '.join(EXPORTERS)}")
    url = database(db)
    with closing(parts_of(context).open_store(url)) as store:
        record = store.study(name)
        summary = summary_of(store, name)
    require_search(summary, f"export {summary.study.of} --format {form} --out {shlex.quote(str(out))}{hint(url)}")
    if summary.best is None:
        raise NotReady(f"study {name!r} has no recipe to export yet: go on with `mixtune resume {name}{hint(url)}`")
    metric, trial, recipe = record.study.objective.metric, summary.best.trial, summary.best.recipe
    found = summary.best.judged.overall(record.study, metric)
    value = (
        MetricValue(metric) if found is None else MetricValue(metric, found.value, (found.low, found.high), found.seeds)
    )
    if prefer is not None:
        near = near_optimal_of(summary, url)
        if (member := near.preferred(prefer)) is not near.best:
            trial, recipe, value = member.trials[0], member.recipe, MetricValue(metric)
        typer.echo(evidence(near, prefer))
    request = ExportRequest(
        study=record.study,
        trial=trial,
        recipe=recipe,
        metric=value,
        created=record.updated,
        out=out,
        versions=summary.versions,
    )
    written = EXPORTERS[form](request)
    for path in written:
        typer.echo(f"Wrote {path}")
    if form == "sentence-transformers":
        for lost in lost_of(request):
            typer.echo(f"Warning: not carried over: {lost}", err=True)
    for script in (path for path in written if path.suffix == ".py"):
        typer.echo(f"\nNext: python {shlex.quote(str(script))} --output my-model")
