"""The ls command: all studies and comparisons."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue as Json
from rich.console import Console

from mixtune.cli.options import AsJson, Db, database, print_json
from mixtune.cli.parts import parts_of

if TYPE_CHECKING:
    from mixtune.comparison import Comparison
    from mixtune.store.base import ComparisonRecord, StudyRecord


def ls(
    context: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Also studies that are parts of a comparison or of another study.")
    ] = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """List studies and comparisons."""
    from mixtune.report.tables import add_columns, plain_table

    with closing(parts_of(context).open_store(database(db))) as store:
        found = [record.told for record in store.studies()]
        records = [record for record in found if everything or not record.study.of]
        comparisons = store.comparisons()
    if as_json:
        print_json(
            [*(_line(record) for record in records), *(_comparison_line(record, found) for record in comparisons)]
        )
        return
    if not records and not comparisons:
        typer.echo("No studies yet. Begin with `mixtune run FILE`.")
        return
    table = plain_table()
    add_columns(table, left=("study", "state", "search"), right=("sources", "targets", "changed"))
    for record in records:
        study = record.study
        changed = _day(record.updated)
        counts = (str(len(study.sources)), str(len(study.targets)))
        table.add_row(study.name, record.state.value, study.search.algorithm, *counts, changed)
    for compared in comparisons:
        comparison = compared.comparison
        parts = [record for record in found if record.study.of == comparison.name]
        table.add_row(
            comparison.name,
            _comparison_state(comparison, parts),
            f"compares {', '.join(comparison.contenders)}",
            str(len(comparison.base.sources)),
            str(len(comparison.base.targets)),
            _day(max((part.updated for part in parts), default=compared.updated)),
        )
    Console().print(table)


def _line(record: "StudyRecord") -> Json:
    return {
        "name": record.study.name,
        "state": record.state.value,
        "reason": record.reason,
        "algorithm": record.study.search.algorithm,
        "created": record.created,
        "updated": record.updated,
    }


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment).strftime("%Y-%m-%d %H:%M")


def _comparison_line(record: "ComparisonRecord", studies: Sequence["StudyRecord"]) -> Json:
    comparison = record.comparison
    parts = [each for each in studies if each.study.of == comparison.name]
    return {
        "name": comparison.name,
        "state": _comparison_state(comparison, parts),
        "reason": "",
        "compares": list(comparison.contenders),
        "replicates": comparison.replicates,
        "created": record.created,
        "updated": max((part.updated for part in parts), default=record.updated),
    }


def _comparison_state(comparison: "Comparison", parts: Sequence["StudyRecord"]) -> str:
    """Complete, running, failed, else how many of its searches are complete."""
    states, total = [part.state.value for part in parts], len(comparison.contenders) * comparison.replicates
    done = states.count("complete")
    if done == total:
        return "complete"
    return next((state for state in ("running", "failed") if state in states), f"{done} of {total}")
