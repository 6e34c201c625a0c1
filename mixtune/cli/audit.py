"""The audit command."""

from contextlib import closing
from typing import Annotated

import typer

from mixtune.cli.counts import counted
from mixtune.cli.looking import Seeds, finished, run_looks
from mixtune.cli.options import AsJson, Db, Name, database, print_json
from mixtune.cli.parts import parts_of
from mixtune.errors import StudyStopped


def audit(
    context: typer.Context,
    name: Name,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Instead: each source alone, its effect on each target.")
    ] = False,
    seeds: Seeds = 3,
    top: Annotated[
        int,
        typer.Option(
            "--top",
            parser=counted(1, why="an audit changes at least one source"),
            metavar="N",
            help="Heaviest sources to change; the strongest by the signals join them.",
        ),
    ] = 8,
    everything: Annotated[bool, typer.Option("--all", help="Change every source.")] = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Measure what each source does, beside what was predicted.

    Runs the recommended recipe of a finished study without each source and with 10 % more of it, on dev, and tells how
    well influence, ratios or a mixing law ranked the effects. Goes on where it stood.
    """
    from mixtune.audits.parts import audit_part, matrix_part
    from mixtune.cli.live import Output
    from mixtune.cli.reading import looks_of
    from mixtune.report.looks.collected import Looks, look_document, look_sheets
    from mixtune.report.tables import sheets_report

    parts, url = parts_of(context), database(db)
    with closing(parts.open_store(url)) as store:
        study, best = finished(store, name, url)
        trials = store.trials(name)
        if matrix:
            look = matrix_part(study, trials, best, replicates=seeds)
        else:
            look = audit_part(study, trials, best, top=None if everything else top, replicates=seeds)
        run_looks(parts, store, study, [look], url, told=as_json)
        told = looks_of(store, study)
    found = Looks(matrix=told.matrix) if matrix else Looks(audit=told.audit)
    if found == Looks():
        raise StudyStopped(f"{look.name} has no seed on which all went well: `mixtune trials {look.name}` says why")
    if as_json:
        print_json({"study": name, **look_document(found)})
        return
    console = Output()
    console.print()
    console.print(sheets_report(look_sheets(study, found)), end="")
