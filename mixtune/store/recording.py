"""Recorded studies: what some studies asked for and measured, in one small file that needs no database and no data."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TypeVar
from zlib import error as ZlibError

from pydantic import JsonValue as Json

from mixtune.errors import StoreError
from mixtune.proposal import Role
from mixtune.store.codec import from_json, to_json
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

T = TypeVar("T")

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


def write_recording(path: Path, recording: Recording, option: str = "--out") -> None:
    """Write a recording as gzipped JSON lines; equal recordings give equal bytes.

    option is what names the file on the command line, for the message.

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
        raise StoreError(f"{path} cannot be written ({error.strerror}): name another file with {option}") from error


def read_recording(path: Path) -> Recording:
    """Read a recording; all that replays take from it is there.

    Raises:
        StoreError: the file is not there, is no recording, or a study or trial in it lacks something or is of
            something else.
    """
    try:
        text = gzip.decompress(path.read_bytes()).decode()
        lines = [_line(number, line) for number, line in enumerate(text.splitlines(), 1)]
        head = lines[0] if lines else {}
        if head.get("format") != FORMAT:
            raise ValueError(f"its first line does not say {FORMAT!r}")
        command, versions = head.get("command"), from_json(dict[str, str], _mapping(head.get("versions"), "versions"))
        if not isinstance(command, str):
            raise ValueError(f"its command is {command!r}, which is no text")
        studies = _studies(lines[1:])
        for each in studies:
            _require_whole(each)
        return Recording(command, tuple(studies), versions)
    except (OSError, EOFError, ZlibError, ValueError, RecursionError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise StoreError(
            f"{path} is no recording of studies ({said}): make one with `mixtune replay NAME --record FILE`"
        ) from error


def _line(number: int, text: str) -> Mapping[str, Json]:
    try:
        return _mapping(json.loads(text), f"line {number}")
    except json.JSONDecodeError as error:
        raise ValueError(f"line {number} is no JSON: {error}") from error


def _mapping(data: Json, what: str) -> Mapping[str, Json]:
    if not isinstance(data, dict):
        raise ValueError(f"{what} is {data!r:.80}, not names with values")
    return data


def _studies(lines: Sequence[Mapping[str, Json]]) -> list[Recorded]:
    """The lines behind the first one, each a study or a trial of the study before it."""
    found: list[tuple[Study, list[Trial]]] = []
    for number, line in enumerate(lines, 2):
        try:
            if "study" in line:
                found.append((_finite(from_json(Study, _mapping(line["study"], "study"))), []))
            elif "trial" not in line:
                raise ValueError(f"it holds {', '.join(line) or 'nothing'}, neither a study nor a trial")
            elif found:
                found[-1][1].append(_finite(from_json(Trial, _mapping(line["trial"], "trial"))))
            else:
                raise ValueError("a trial stands before the first study")
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    if not found:
        raise ValueError("it holds no study")
    return [Recorded(study, tuple(trials)) for study, trials in found]


def _finite(value: T) -> T:
    """The value. Raises ValueError if a number in it is not finite."""
    to_json(value)
    return value


def _require_whole(each: Recorded) -> None:
    """Raises ValueError, naming the study and the trial, if something that replays read is missing or unknown."""
    study, facts = each.study, each.study.preparation
    if facts is None:
        raise ValueError(f"study {study.name!r} was never prepared")
    unknown = {*study.names} - {*facts.sources} | {target.name for target in study.targets} - {*facts.targets}
    if unknown or not facts.run_flops > 0:
        what = f"{', '.join(sorted(unknown))}" if unknown else f"a fresh run ({facts.run_flops} operations)"
        raise ValueError(f"the preparation of study {study.name!r} says nothing of {what}")
    for trial in each.trials:
        probe, seen = trial.proposal.probe, trial.measurement
        arms = {} if probe is None else probe.arms
        drawn = {*trial.proposal.recipe.mixture, *(source for source, _ in arms.values())}
        strange = sorted(drawn - {*study.names}) or sorted(set(seen.influence if seen is not None else ()) - {*arms})
        where = f"study {study.name!r}, trial {trial.number}"
        if strange:
            raise ValueError(f"{where} names {', '.join(strange)}, the study has {', '.join(study.names)}")
        if missing := list(_missing(study, trial)):
            raise ValueError(f"{where} has no {', '.join(missing)}")


def _missing(study: Study, trial: Trial) -> Iterator[str]:
    """What a trial that is scored, or surveys, should have measured and has not."""
    seen, metric = trial.measurement, study.objective.metric
    if seen is None or (seen.score is None and trial.role is not Role.SURVEY):
        return
    for target in study.targets:
        if metric not in seen.dev.get(target.name, {}):
            yield f"{metric} of {target.name} in dev"
        if target.name not in seen.dev_loss:
            yield f"dev_loss of {target.name}"


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
