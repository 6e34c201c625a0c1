"""The replay command."""

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mixtune.cli.options import AsJson, Db, database, print_json
from mixtune.cli.parts import parts_of
from mixtune.errors import ConfigError

if TYPE_CHECKING:
    from mixtune.store.recording import Recording

SUFFIX = ".jsonl.gz"
"""A name that ends so is a recording's file."""


def replay(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(help="Finished studies on the same data, or recordings (.jsonl.gz).", show_default=False),
    ],
    searchers: Annotated[
        str | None, typer.Option("--searchers", help="Searchers to replay, with commas between. Default: all.")
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Replays of each searcher.")] = 200,
    runs: Annotated[float, typer.Option("--runs", help="Compute of each replay, in fresh runs.")] = 7.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed is another set of replays.")] = 0,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Processes. Default: one for each core.")] = None,
    record: Annotated[
        Path | None, typer.Option("--record", help="Write the studies to this file (.jsonl.gz) instead.")
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Replay searchers on a surrogate of finished studies.

    Surfaces with noise are fitted to all fresh runs of the studies; every searcher then searches on them, hundreds of
    times in minutes and without training anything. Shows what they reach, and how far the surfaces and the order of the
    searchers agree with the real runs.
    """
    from mixtune.store.recording import write_recording

    recording = _read(context, names, database(db))
    if record is not None:
        if not record.name.endswith(SUFFIX):
            raise ConfigError(f"--record {record}: a recording's name ends with {SUFFIX}")
        write_recording(record, recording)
        trials = sum(len(each.trials) for each in recording.studies)
        plural = "study" if len(recording.studies) == 1 else "studies"
        typer.echo(f"Wrote {record}: {len(recording.studies)} {plural}, {trials} trials")
        return
    if not 0.5 <= runs <= 1000:
        raise ConfigError(f"--runs {runs:g}: a replay takes from 0.5 to 1000 fresh runs")
    _replay(recording, searchers, repeats=repeats, runs=runs, seed=seed, jobs=jobs, as_json=as_json)


def _replay(
    recording: "Recording",
    searchers: str | None,
    *,
    repeats: int,
    runs: float,
    seed: int,
    jobs: int | None,
    as_json: bool,
) -> None:
    from mixtune.report.replaying import arena_document, arena_sheets
    from mixtune.report.tables import sheets_report
    from mixtune.tuning.replay import contestants, replay, replayer

    chosen = contestants(None if searchers is None else [name.strip() for name in searchers.split(",")], runs)
    console = Console(stderr=True)
    with console.status("fitting surfaces") as status:
        found = replayer(recording.studies, runs)
        arena = replay(
            found,
            chosen,
            repeats=repeats,
            runs=runs,
            seed=seed,
            processes=jobs or os.cpu_count() or 1,
            told=lambda done, total: status.update(f"replaying: {done} of {total}"),
        )
    if as_json:
        print_json({"command": recording.command, **arena_document(arena)})
        return
    Console().print(sheets_report(arena_sheets(arena)), end="")


def _read(context: typer.Context, names: Sequence[str], url: str) -> "Recording":
    """The studies of databases and files. Raises StudyNotFound, StoreError, ConfigError if none has been prepared."""
    from mixtune.store.recording import Recording, read_recording, recorded

    files = [Path(name) for name in names if name.endswith(SUFFIX)]
    recordings = [read_recording(path) for path in files]
    studies = [each for recording in recordings for each in recording.studies]
    commands = [recording.command for recording in recordings]
    versions: dict[str, str] = {}
    for recording in recordings:
        versions |= dict(recording.versions)
    stored = [name for name in names if not name.endswith(SUFFIX)]
    if stored:
        with closing(parts_of(context).open_store(url)) as store:
            for name in stored:
                record = store.study(name)
                versions |= record.versions or {}
                if record.study.preparation is None:
                    raise ConfigError(f"study {name!r} has run nothing yet: run it first")
                studies.append(recorded(record.study, store.trials(name)))
        commands.append(shlex.join(["mixtune", *sys.argv[1:]]))
    return Recording("; ".join(commands), tuple(studies), versions)
