"""The init command."""

import shlex
from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mixtune.cli.check import progress_line
from mixtune.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mixtune.cli.finding import Findings


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of your data.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Study file to write.")] = Path("study.yaml"),
    name: Annotated[str | None, typer.Option("--name", help="Name of the study. Default: the folder's.")] = None,
) -> None:
    """Write a first study file for a folder of data.

    Looks for BEIR folders, JSON lines, CSV and Parquet files, reads everything once and says what it found and what
    it left out. Overwrites nothing.
    """
    from mixtune.cli.draft import draft
    from mixtune.cli.finding import find, named
    from mixtune.config import home

    _require_new(out)
    if name is not None and name != named(name):
        raise ConfigError(f"--name {name!r} is no name: use letters, digits, `.`, `_` and `-`, such as {named(name)!r}")
    with progress_line() as progress:
        found = find(folder, home().ready().cache, progress)
    if not found.sources and not found.targets:
        expected = "BEIR folders (corpus.jsonl, queries.jsonl, qrels/), or .jsonl, .csv or .parquet files of pairs"
        said = f"no data was found in {str(folder)!r}: expected {expected}"
        raise DataError("\n  ".join([said, *_skipped(found, folder)]))
    _write(out, draft(name or named(folder.resolve().name), _model(), found, out.parent))
    _tell(found, folder, out)


def _require_new(out: Path) -> None:
    if out.exists():
        raise ConfigError(f"{out} exists: remove it, or name another file with --out")
    if not out.parent.is_dir():
        raise ConfigError(f"{out} cannot be written, there is no folder {out.parent}: make it, or name another --out")


def _write(out: Path, text: str) -> None:
    """Write a new file, whole or not at all.

    Raises:
        ConfigError: it cannot be written, or is there by now.
    """
    try:
        with out.open("x", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
            except OSError:
                out.unlink()
                raise
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}): name another place with --out") from error


def _model() -> str:
    """The offline model where its package is installed."""
    from importlib.util import find_spec

    from mixtune.study import OFFLINE_MODEL
    from mixtune.training.encoding.models import OFFLINE_PACKAGE

    return OFFLINE_MODEL if find_spec(OFFLINE_PACKAGE) else "sentence-transformers/all-MiniLM-L6-v2"


def _tell(found: "Findings", folder: Path, out: Path) -> None:
    console = Console(soft_wrap=True, markup=False, highlight=False)
    counts = f"{_counted(found.sources, 'source')} ({found.rows:,} pairs), {_counted(found.targets, 'target')}"
    console.print(f"Wrote {out}: {counts}.")
    for source in found.sources:
        console.print(f"  source {source.name}: {source.kind}, {source.rows:,} pairs")
    for target in found.targets:
        console.print(
            f"  target {target.name}: {target.documents:,} documents, "
            f"{target.dev_queries:,} dev and {target.test_queries:,} test queries"
        )
    if found.skipped:
        console.print("Left out:")
        for line in _skipped(found, folder):
            console.print(f"  {line}")
    if not found.targets:
        raise DataError(
            f"{out} is written, but cannot be run yet: no target was found. Add one to the file (a BEIR folder with "
            f"qrels/dev.tsv and qrels/test.tsv; an example stands there), then `mixtune check {out}`"
        )
    if not found.sources:
        raise DataError(
            f"{out} is written, but cannot be run yet: no source was found. Add one to the file, then "
            f"`mixtune check {out}`"
        )
    if len(found.sources) == 1:
        console.print("One source is no mixture: add another one to the file.")
    console.print(f"\nNext: mixtune check {shlex.quote(str(out))}")


def _counted(things: Sized, noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _skipped(found: "Findings", folder: Path) -> list[str]:
    return [f"{path.relative_to(folder) if path != folder else path}: {reason}" for path, reason in found.skipped]
