"""Where the entries of a study file say that their rows are: the right keys for the kind, and places that exist."""

from collections.abc import Iterator, Mapping
from glob import has_magic, iglob
from pathlib import Path

from mixtune.config.problems import Place, Problem, dotted
from mixtune.config.schema import KINDS, SourceEntry, TargetEntry


def location_problems(
    part: str, entries: Mapping[str, SourceEntry] | Mapping[str, TargetEntry], folder: Path
) -> Iterator[Problem]:
    """Each kind has one key that says where its rows are, and some of their own; what is on this disk must exist."""
    for name, each in entries.items():
        place, kind = (part, name), each["kind"]
        right = KINDS[kind].location
        wrong = "path" if right == "package" else "package"
        if right not in each:
            yield Problem((*place, right), f"{dotted(place)} lacks the key {right!r}, which {kind} reads")
        if wrong in each:
            yield Problem((*place, wrong), f"{dotted((*place, wrong))} means nothing to kind {kind}; give {right!r}")
        for key in sorted(_of_other_kinds(part, kind) & each.keys()):
            known = sorted(other for other in KINDS if key in _own(part, other))
            yield Problem(
                (*place, key), f"{dotted((*place, key))} means nothing to kind {kind}, only to {', '.join(known)}"
            )
        if right == "path" and "path" in each:
            yield from _paths((*place, "path"), kind, each["path"], folder)
        if each.get("streaming") and "limit" not in each:
            yield Problem((*place, "streaming"), f"{dotted(place)} is streamed and lacks a `limit`; say how many rows")


def _own(part: str, kind: str) -> frozenset[str]:
    return KINDS[kind].source if part == "sources" else KINDS[kind].target


def _of_other_kinds(part: str, kind: str) -> frozenset[str]:
    """Keys of an entry that only other kinds know."""
    return frozenset[str]().union(*(_own(part, other) for other in KINDS)) - _own(part, kind)


def _paths(place: Place, kind: str, given: str | list[str], folder: Path) -> Iterator[Problem]:
    if isinstance(given, list) and not KINDS[kind].many:
        yield Problem(place, f"{dotted(place)} is a list, and {kind} reads one place; make a source of each")
        return
    for path in [given] if isinstance(given, str) else given:
        at = folder.joinpath(Path(path).expanduser())
        if KINDS[kind].many:
            if not (at.exists() or (has_magic(path) and any(iglob(str(at), recursive=True)))):
                what = "no file fits it" if has_magic(path) else f"there is no {at}"
                yield Problem(place, f"{dotted(place)} is {path!r}, but {what}; name files, a folder or a pattern")
        elif kind != "hub" and not at.is_dir():
            yield Problem(place, f"{dotted(place)} is {path!r}, but there is no folder {at}")
