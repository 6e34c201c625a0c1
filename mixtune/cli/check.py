"""The check command."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from pydantic import JsonValue as Json
from rich.console import Console

from mixtune.cli.disk import free
from mixtune.cli.memory import require_memory
from mixtune.cli.options import AsJson, File, print_json
from mixtune.cli.parts import parts_of

if TYPE_CHECKING:
    from mixtune.cli.forecast import Forecast


def check(context: typer.Context, file: File, as_json: AsJson = False) -> None:
    """Look before running: rows, epochs, cost and disk of a file. Runs no model.

    Reads and tokenises the data, which the run then need not do. Refuses what cannot work.
    """
    from mixtune.config import home, load

    study, place = load(file, looking=True).study, home().ready()
    searches = _searches(file)
    require_memory(study.budget.workers, parts_of(context).memory())

    from mixtune.cli.forecast import forecast  # loads the model libraries, which a broken file need not wait for

    with progress_line() as progress:
        found = forecast(study, place.cache, free, progress)
    if as_json:
        print_json({**_document(found), "searches": searches})
    else:
        _tell(found, file, searches)


@contextmanager
def progress_line() -> Iterator[Callable[[str, int, int], None]]:
    """Say on a terminal what is being read; stay quiet elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda what, done, total: None
        return
    with console.status("reading") as status:
        yield lambda what, done, total: status.update(f"{what} {done:,} of {total:,}" if total else what)


def _tell(found: "Forecast", file: Path, searches: int) -> None:
    from mixtune.report.epochs import repeated_lines
    from mixtune.report.options import space_lines
    from mixtune.report.panels.contamination import contamination_sheet
    from mixtune.report.tables import add_columns, flops, plain_table, sheets_report

    study, console = found.study, Console()
    table = plain_table("Sources (share: in proportion to size; highest: weight that space allows)")
    add_columns(table, left=("source",), right=("rows", "queries", "share", "highest", "epochs if uniform"))
    proportional, highest = study.proportional(), dict(zip(study.names, study.bounds()[1].tolist(), strict=True))
    for name, facts in study.prepared.sources.items():
        table.add_row(
            name,
            f"{facts.rows:,}",
            f"{facts.unique_queries:,}",
            f"{proportional[name]:.3f}",
            f"{highest[name]:.3f}",
            f"{study.final_rows / len(proportional) / facts.rows:.2f}",
        )
    console.print(table)
    table = plain_table("Targets")
    add_columns(table, left=("target",), right=("documents", "dev queries", "dev documents", "test queries"))
    for name, each in study.prepared.targets.items():
        counts = (each.documents, each.dev_queries, each.dev_pool, each.test_queries)
        table.add_row(name, *(f"{count:,}" for count in counts))
    console.print(table)
    if study.prepared.contamination is not None:
        console.print(sheets_report([contamination_sheet(study.prepared.contamination)]), end="")
    runs, seconds = found.search / study.prepared.run_flops, study.budget.seconds
    search = (
        f"{flops(found.search)}, as much as {runs:.3g} fresh run{'' if f'{runs:.3g}' == '1' else 's'}"
        if isfinite(runs)
        else f"what {seconds:g} s of trials come to on this machine"
    )
    for line in (
        f"Epochs         {_only(found.final_epochs):.2f} in proportion to size ({_only(found.proxy_epochs):.2f} in a "
        f"proxy run)",
        *(f"{part:<15}{said}" for part, said in space_lines(study.space)),
        f"One fresh run  {flops(study.prepared.run_flops)}",
        f"Search         {search}{_one_of(study.search.algorithm, searches)}",
        *([f"Choosing       {flops(found.choosing)}, {_finalists(found)}"] if found.choosing else []),
        f"Judging        {flops(found.judging)}, baselines and best on {study.final.seeds} "
        f"seed{'' if study.final.seeds == 1 else 's'}",
        f"Encoding       {flops(found.encoding)}, {found.new:,} of {found.texts:,} texts are new",
        f"Disk           {found.disk / 1e6:,.0f} MB in the cache",
        *(
            line
            for what, recipe in found.baselines.items()
            for line in repeated_lines(study, recipe, f"{what} sampling")
        ),
        *(f"Note: {note}" for note in found.notes),
    ):
        console.print(line, markup=False, highlight=False)
    next_step = f"\nNothing is in the way. Next: mixtune {_verb(file)} {shlex.quote(str(file))}"
    console.print(next_step, markup=False, highlight=False, soft_wrap=True)


def _finalists(found: "Forecast") -> str:
    """Who runs again before one is crowned."""
    seeds = found.study.final.finalist_seeds
    best = round(found.choosing / found.study.prepared.run_flops / seeds)
    return f"the {best} best on {seeds} new seed{'' if seeds == 1 else 's'}"


def _searches(file: Path) -> int:
    """Searches that the file is for. What is told of a comparison is one search of it, by the first searcher."""
    from mixtune.config import load_comparison

    if _verb(file) == "run":
        return 1
    comparison = load_comparison(file).comparison
    return len(comparison.contenders) * comparison.replicates


def _one_of(algorithm: str, searches: int) -> str:
    return "" if searches == 1 else f": {algorithm}'s, one of {searches} searches of this comparison"


def _verb(file: Path) -> str:
    """What the file is for."""
    from mixtune.config.tree import read_tree

    return "run" if "search" in read_tree(file).value else "compare"


def _only(epochs: Mapping[str, float]) -> float:
    """Passes in proportion to size, which are the same for every source."""
    return next(iter(epochs.values()))


def _document(found: "Forecast") -> dict[str, Json]:
    from mixtune.report.options import space_document
    from mixtune.report.panels.contamination import contamination_document

    study, contamination = found.study, found.study.prepared.contamination
    proportional = study.proportional()
    return {
        "name": study.name,
        "sources": {
            name: {
                "rows": facts.rows,
                "unique_queries": facts.unique_queries,
                "tokens_per_pair": facts.tokens_per_pair,
                "sha256": facts.sha256,
                "revision": facts.revision,
                "proportional": proportional[name],
                "proxy_epochs": found.proxy_epochs[name],
                "final_epochs": found.final_epochs[name],
            }
            for name, facts in study.prepared.sources.items()
        },
        "targets": {
            name: {
                "documents": each.documents,
                "dev_queries": each.dev_queries,
                "dev_documents": each.dev_pool,
                "test_queries": each.test_queries,
                "sha256": each.sha256,
            }
            for name, each in study.prepared.targets.items()
        },
        "options": space_document(study.space),
        "contamination": None if contamination is None else contamination_document(contamination),
        "repeated": {
            what: {name: passes for name, passes in study.repeated(recipe).items()}
            for what, recipe in found.baselines.items()
        },
        "run_flops": study.prepared.run_flops,
        "search_flops": found.search if isfinite(found.search) else None,
        "choosing_flops": found.choosing,
        "judging_flops": found.judging,
        "encoding_flops": found.encoding,
        "texts": found.texts,
        "new_texts": found.new,
        "disk_bytes": found.disk,
        "notes": list(found.notes),
    }
