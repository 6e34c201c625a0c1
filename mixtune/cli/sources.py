"""The sources command."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mixtune.cli.check import progress_line
from mixtune.cli.options import AsJson, File, print_json

if TYPE_CHECKING:
    from mixtune.training.data.inspection import Inspection, Lengths, SourceInspection

LANGUAGES = 2
"""Languages that are named in a column; the rest is put together."""

CUT = 72
"""Characters that are shown of an example's texts."""


def sources(file: File, as_json: AsJson = False) -> None:
    """Look at the data of a study file. Runs no model.

    Rows, lengths, duplicates, languages, examples. Lengths are in characters. Repeated pairs stand in their source
    more than once, shared ones in another source too; a judged query is a dev or test query of a target, and training
    on it flatters the result. Dropped pairs lack a text.
    """
    from mixtune.config import home, load

    study, place = load(file, looking=True).study, home().ready()

    from mixtune.store.codec import to_json  # loads the data libraries, which a broken file need not wait for
    from mixtune.training.data.inspection import inspect

    with progress_line() as progress:
        found = inspect(study, place.cache, progress)
    if as_json:
        print_json({"name": study.name, **to_json(found)})
        return
    console = Console()
    for table in _tables(found):
        console.print(table)
    for name, each in found.sources.items():
        for line in _lines(name, each):
            console.print(line, markup=False, highlight=False, overflow="ellipsis", no_wrap=True, crop=True)


def _tables(found: "Inspection") -> Iterator[Table | Text]:
    from mixtune.report.tables import add_caption, add_columns, plain_table

    table = plain_table("Sources (rows are training pairs)")
    add_columns(table, left=("source",), right=("rows", "queries", "repeated", "shared", "judged", "dropped"))
    for name, each in found.sources.items():
        counts = (each.repeated, each.elsewhere, sum(each.judged.values()), each.dropped)
        cells = (f"{count:,}" if count else "-" for count in counts)
        table.add_row(name, f"{each.rows:,}", f"{each.unique_queries:,}", *cells)
    yield table
    table = plain_table("Characters (median / 95th percentile) and languages")
    add_caption(table, "und: too short or strange to tell; zxx: no language")
    add_columns(table, left=("source",), right=("query", "document"))
    add_columns(table, left=("queries in", "documents in"))
    for name, each in found.sources.items():
        told = (_languages(each.query_languages), _languages(each.document_languages))
        table.add_row(name, _lengths(each.query), _lengths(each.document), *told)
    table.add_row("")
    table.add_row("target", style="bold")
    for name, target in found.targets.items():
        table.add_row(name, _lengths(target.query), _lengths(target.document), "", _languages(target.languages))
    yield table
    yield Text("")
    table = plain_table("Targets (judged: relevant documents per query)")
    add_columns(table, left=("target",), right=("documents", "dev queries", "judged", "test queries", "judged"))
    for name, target in found.targets.items():
        splits = ((f"{split.queries:,}", f"{split.relevant:.1f}") for split in (target.dev, target.test))
        table.add_row(name, f"{target.documents:,}", *(cell for split in splits for cell in split))
    yield table


def _lines(name: str, found: "SourceInspection") -> Iterator[str]:
    """What is told of a source beside its rows in the tables."""
    yield f"{name}  sha256 {found.sha256[:16]}"
    if found.negatives:
        yield f"  {found.negatives:.1f} hard negatives a row"
    for other, count in found.shared.items():
        yield f"  {_counted(count, 'pair')} also in source {other}"
    for target, count in found.judged.items():
        yield f"  {_counted(count, 'row')} with a dev or test query of target {target}"
    yield from (f"  {note}" for note in found.notes)
    for query, document in found.examples:
        yield f"  {_cut(query)}"
        yield f"  -> {_cut(document)}"
    yield ""


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _cut(text: str) -> str:
    return text if len(text) <= CUT else f"{text[: CUT - 3].rstrip()}..."


def _lengths(lengths: "Lengths") -> str:
    return f"{lengths.median:,} / {lengths.p95:,}"


def _languages(shares: Mapping[str, float]) -> str:
    """The largest shares: `en 97%, de 3%`, and what the rest adds up to unless that is little."""
    told = [f"{code} {share:.0%}" for code, share in list(shares.items())[:LANGUAGES] if share >= 0.005]
    rest = 1 - sum(list(shares.values())[:LANGUAGES])
    return ", ".join([*told, f"+{rest:.0%}"] if rest >= 0.05 else told)
