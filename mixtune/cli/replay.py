"""The replay command."""

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mixtune.cli.options import AsJson, Db, database, hint, print_json
from mixtune.cli.parts import parts_of
from mixtune.errors import ConfigError

if TYPE_CHECKING:
    from mixtune.store.base import StudyRecord
    from mixtune.store.recording import Recording

SUFFIX = ".jsonl.gz"
"""A name that ends so is a recording's file."""

SAID = 10
"""Lines of progress where standard error is no terminal."""


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

    recording = _read(context, names, database(db), record)
    if record is not None:
        if not record.name.endswith(SUFFIX):
            raise ConfigError(f"--record {record}: a recording's name ends with {SUFFIX}")
        write_recording(record, recording, "--record")
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
    with _progress() as told:
        found = replayer(recording.studies, runs)
        arena = replay(
            found,
            chosen,
            repeats=repeats,
            runs=runs,
            seed=seed,
            processes=jobs or os.cpu_count() or 1,
            told=told,
        )
    if as_json:
        print_json({"command": recording.command, **arena_document(arena)})
        return
    Console().print(sheets_report(arena_sheets(arena)), end="")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Say on standard error how many replays are done: all the time on a terminal, elsewhere a line at every tenth."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("fitting surfaces") as status:
            yield lambda done, total: status.update(f"replaying: {done} of {total}")
        return
    last = 0

    def told(done: int, total: int) -> None:
        nonlocal last
        if (reached := SAID * done // total) > last:
            last = reached
            typer.echo(f"replayed {done} of {total}", err=True)

    yield told


def _read(context: typer.Context, names: Sequence[str], url: str, record: Path | None) -> "Recording":
    """The studies of databases and files, each once.

    Raises StudyNotFound; StoreError; ConfigError for a study that is not complete.
    """
    from mixtune.store.recording import Recorded, Recording, read_recording, recorded

    files = {Path(name).resolve(): Path(name) for name in names if name.endswith(SUFFIX)}.values()
    stored = list(dict.fromkeys(name for name in names if not name.endswith(SUFFIX)))
    recordings = [read_recording(path) for path in files]
    found = [each for recording in recordings for each in recording.studies]
    commands = [recording.command for recording in recordings]
    versions: dict[str, str] = {}
    for recording in recordings:
        versions |= dict(recording.versions)
    if stored:
        with closing(parts_of(context).open_store(url)) as store:
            for name in stored:
                kept = store.study(name)
                _require_complete(kept, url)
                versions |= kept.versions or {}
                found.append(recorded(kept.study, store.trials(name)))
        commands.append(_command([*(path.name for path in files), *stored], record))
    studies = list[Recorded]()
    for each in found:
        if each not in studies:  # a study may be in two recordings, or in one and in the database
            studies.append(each)
    return Recording("; ".join(dict.fromkeys(commands)), tuple(studies), versions)


def _require_complete(record: "StudyRecord", url: str) -> None:
    name, state = record.study.name, record.told.state
    if state.value != "complete":
        raise ConfigError(
            f"study {name!r} is {state}, and finished studies are replayed: let it end, or go on with "
            f"`mixtune resume {name}{hint(url)}`"
        )


def _command(names: Sequence[str], record: Path | None) -> str:
    """The command as a recording may tell it to others: without the database and the folders of this machine."""
    return shlex.join(["mixtune", "replay", *names, *(["--record", PurePath(record).name] if record else [])])
