"""The fidelity command."""

import re
from contextlib import closing
from typing import Annotated

import typer

from mixtune.cli.counts import counted
from mixtune.cli.looking import Seeds, finished, run_looks
from mixtune.cli.options import AsJson, Db, Name, database, print_json
from mixtune.cli.parts import parts_of
from mixtune.errors import StudyStopped


def fidelity(
    context: typer.Context,
    name: Name,
    trainable: Annotated[
        str | None,
        typer.Option("--trainable", metavar="last:N|all", help="What the larger proxy trains. Default: more layers."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            parser=counted(1, why="a proxy trains for at least one step"),
            metavar="N",
            help="Steps of the larger proxy.",
        ),
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--learning-rate", help="Of the larger proxy. Default: the usual one for it.")
    ] = None,
    recipes: Annotated[
        int,
        typer.Option(
            "--recipes",
            parser=counted(5, 64, why="fewer recipes say nothing of a rank correlation"),
            metavar="5-64",
            help="Spread-out recipes to run.",
        ),
    ] = 8,
    seeds: Seeds = 2,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Measure whether a larger proxy ranks recipes alike.

    Runs a few spread-out recipes of a finished study under its own proxy and under a larger one (after head: last:1,
    after last:N: all, after all: twice the steps), on dev, and tells their rank correlation. Goes on where it stood.
    """
    from mixtune.audits.parts import fidelity_parts, larger_proxy
    from mixtune.cli.live import Output
    from mixtune.cli.reading import looks_of
    from mixtune.report.looks.fidelity import fidelity_document, fidelity_sheets
    from mixtune.report.tables import sheets_report

    if trainable is not None and not re.fullmatch(r"head|all|last:[1-9]\d{0,2}", trainable):
        raise typer.BadParameter(f"{trainable!r} is none of head, last:N, all", param_hint="--trainable")
    if rate is not None and not 0 < rate < 1:
        raise typer.BadParameter(f"{rate:g} is not between 0 and 1", param_hint="--learning-rate")
    parts, url = parts_of(context), database(db)
    with closing(parts.open_store(url)) as store:
        study, best = finished(store, name, url)
        larger = larger_proxy(study.proxy, trainable=trainable, steps=steps, rate=rate)
        looks = fidelity_parts(study, best, larger, count=recipes, replicates=seeds)
        run_looks(parts, store, study, looks, url, told=as_json)
        found = looks_of(store, study).fidelity
    if found is None:
        raise StudyStopped(f"no recipe ran on a seed under both proxies: `mixtune trials {looks[1].name}` says why")
    if as_json:
        print_json({"study": name, **fidelity_document(found), "earlier": None})
        return
    console = Output()
    console.print()
    console.print(sheets_report(fidelity_sheets(found)), end="")
