"""Options and arguments that several commands share, and what follows from them."""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue as Json

from mixtune.cli import completion

DEFAULT_DB = "sqlite:///mixtune.db"

INTERRUPTED = 130
"""Exit status of a command that Ctrl-C ended."""

Db = Annotated[
    str | None,
    typer.Option("--db", envvar="MIXTUNE_DB", metavar="URL", help=f"Database of the studies. Default: {DEFAULT_DB}"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
File = Annotated[Path, typer.Argument(help="Study file (YAML).", show_default=False)]


def database(given: str | None, in_file: str | None = None) -> str:
    """The database to use: of the command line or MIXTUNE_DB, else of the study file, else mixtune.db here."""
    return given or in_file or DEFAULT_DB


def _names(context: typer.Context, incomplete: str) -> list[str]:
    return completion.study_names(database(context.params.get("db")), incomplete)


Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME...", help="Names of studies or comparisons.", show_default=False, autocompletion=_names
    ),
]
Name = Annotated[str, typer.Argument(help="Name of the study.", show_default=False, autocompletion=_names)]


def hint(url: str) -> str:
    """What to add to a command so that it finds this database again; a password is never repeated."""
    if url in (DEFAULT_DB, os.environ.get("MIXTUNE_DB")) or re.search(r"://[^/@]*:[^@]*@", url):
        return ""
    return f" --db {shlex.quote(url)}"


def next_step(state: str, name: str, url: str) -> str:
    """What to do about a study that has stopped or failed, "" for every other state."""
    resume = f"`mixtune resume {name}{hint(url)}`"
    if state == "failed":
        return f"Mend the cause (`mixtune trials {name}{hint(url)}` has what trials died of), then {resume}."
    return f"Go on with {resume}." if state == "stopped" else ""


def print_json(value: Json) -> None:
    """Write a value to standard output as JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
