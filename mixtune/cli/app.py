"""The app: every command under its verb, and one place where errors become messages."""

import importlib.metadata
import os
import sys
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from typing import Annotated, ParamSpec

import typer

from mixtune.cli.audit import audit
from mixtune.cli.check import check
from mixtune.cli.compare import compare
from mixtune.cli.database import remove, upgrade
from mixtune.cli.exporting import export
from mixtune.cli.fidelity import fidelity
from mixtune.cli.init import init
from mixtune.cli.listing import ls
from mixtune.cli.reading import best, show, trials
from mixtune.cli.replay import replay
from mixtune.cli.report import report
from mixtune.cli.running import resume, run
from mixtune.cli.sources import sources
from mixtune.errors import MixtuneError

ABOUT = """Tune the training mixture of a text retriever: how much of each source it should train on.

Start with `mixtune run studies/quickstart.yaml`."""


P = ParamSpec("P")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mixtune {importlib.metadata.version('mixtune')}")
        raise typer.Exit


def answering(command: Callable[P, None]) -> Callable[P, None]:
    """Let a command answer an error that mixtune raises on purpose with its message and status 1.

    MIXTUNE_DEBUG=1 shows the traceback instead.
    """

    @wraps(command)
    def answered(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except MixtuneError as error:
            if os.environ.get("MIXTUNE_DEBUG"):
                raise
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from error

    return answered


def create_app() -> typer.Typer:
    """Build the app. Called with `obj=Parts(...)` it uses those parts."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback(help=ABOUT)(_mixtune)
    commands: dict[str, Callable[..., None]] = {
        "init": init,
        "sources": sources,
        "check": check,
        "run": run,
        "compare": compare,
        "resume": resume,
        "ls": ls,
        "show": show,
        "trials": trials,
        "best": best,
        "report": report,
        "fidelity": fidelity,
        "audit": audit,
        "export": export,
        "replay": replay,
        "rm": remove,
    }
    for verb, command in commands.items():
        app.command(verb)(answering(command))
    database = typer.Typer(help="Look after the database.", no_args_is_help=True, rich_markup_mode=None)
    database.command("upgrade")(answering(upgrade))
    database.callback()(_database)
    app.add_typer(database, name="db")
    return app


def _mixtune(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def _database() -> None:
    """Look after the database."""


def main() -> None:
    """Entry point of the `mixtune` command."""
    for stream in (sys.stdout, sys.stderr):
        # A bar or an error's text that the terminal's encoding lacks must not end a study.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    create_app()()
