"""Recorded studies: what some studies asked for and measured, in one small file that needs no database and no data."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from zlib import error as ZlibError

from pydantic import JsonValue as Json

from mixtune.errors import StoreError
from mixtune.store.codec import from_json, to_json
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

FORMAT = "mixtune recording 1"
"""First line of a recording says this: another number is another layout."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A study and its complete trials, in number order."""

    study: Study
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """Studies on the same data, the command that ran them, and the libraries that did."""

    command: str
    studies: tuple[Recorded, ...]
    versions: Mapping[str, str] = field(default_factory=dict)


def recorded(study: Study, trials: Sequence[Trial]) -> Recorded:
    """A study without what belongs to one machine.

    Of every location its last part is kept; complete trials are kept, without node, process, times, wall seconds and
    checkpoint. There are no texts in either, and no scores of single queries.
    """
    sources = tuple(replace(each, location=_last(each.location)) for each in study.sources)
    targets = tuple(replace(each, location=PurePath(each.location).name) for each in study.targets)
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE and trial.measurement is not None]
    return Recorded(replace(study, sources=sources, targets=targets), tuple(map(_plain, complete)))


def write_recording(path: Path, recording: Recording) -> None:
    """Write a recording as gzipped JSON lines; equal recordings give equal bytes.

    Raises:
        StoreError: the file cannot be written.
    """
    lines = [json.dumps({"format": FORMAT, "command": recording.command, "versions": dict(recording.versions)})]
    for each in recording.studies:
        lines.append(json.dumps({"study": to_json(each.study)}, separators=(",", ":")))
        lines.extend(json.dumps({"trial": _told(trial)}, separators=(",", ":")) for trial in each.trials)
    try:
        path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}): name another file with --out") from error


def read_recording(path: Path) -> Recording:
    """Read a recording.

    Raises:
        StoreError: the file is not there, or is no recording.
    """
    try:
        lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
        head = lines[0] if lines and isinstance(lines[0], dict) else {}
        if head.get("format") != FORMAT:
            raise ValueError(f"its first line does not say {FORMAT!r}")
        return Recording(head["command"], tuple(_studies(lines[1:])), head["versions"])
    except (OSError, EOFError, ZlibError, ValueError, KeyError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise StoreError(
            f"{path} is no recording of studies ({said}): make one with `mixtune replay NAME --record FILE`"
        ) from error


def _studies(lines: Iterable[dict[str, dict[str, object]]]) -> list[Recorded]:
    found: list[tuple[Study, list[Trial]]] = []
    for line in lines:
        if "study" in line:
            found.append((from_json(Study, line["study"]), []))  # type: ignore[arg-type]
        elif found:
            found[-1][1].append(from_json(Trial, line["trial"]))  # type: ignore[arg-type]
        else:
            raise ValueError("its second line is no study")
    return [Recorded(study, tuple(trials)) for study, trials in found]


def _told(trial: Trial) -> dict[str, Json]:
    """A trial as JSON without what is empty, which is what the fields are by default."""
    data = {name: value for name, value in to_json(trial).items() if value not in _EMPTY}
    for part in ("proposal", "measurement"):
        held = data.get(part)
        if isinstance(held, dict):
            data[part] = {name: value for name, value in held.items() if value not in _EMPTY}
    return data


_EMPTY: tuple[Json, ...] = (None, "", {}, [])


def _plain(trial: Trial) -> Trial:
    found = trial.measurement
    if found is not None:
        found = replace(found, checkpoint=None, cost=replace(found.cost, seconds=0.0))
    return replace(trial, node=None, pid=None, started=None, finished=None, measurement=found)


def _last(location: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if isinstance(location, str):
        return PurePath(location).name
    return tuple(PurePath(each).name for each in location)
