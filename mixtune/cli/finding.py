"""What a folder holds that could be trained on or searched, read with the same readers as a study's data."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import TypeVar

from mixtune.errors import DataError
from mixtune.source import Source
from mixtune.target import Target
from mixtune.training.base import Progress
from mixtune.training.data.files import SUFFIXES
from mixtune.training.data.reading import read_source, read_target

DEPTH = 3
"""Folders inside of folders that are looked into."""

HELD_OUT = frozenset({"dev", "eval", "test", "valid", "validation"})
"""Names of files that are not for training."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Something that looks like data: one file, a folder with the parts of one table, or a BEIR folder."""

    kind: str
    path: Path

    @property
    def size(self) -> int:
        """Bytes of its files."""
        files = [self.path] if self.path.is_file() else self.path.rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file())

    def has(self, split: str) -> bool:
        """Whether a BEIR folder judges a split."""
        return (self.path / "qrels" / f"{split}.tsv").is_file()


@dataclass(frozen=True, slots=True)
class FoundSource:
    """Training pairs: where they are, how many, and the bytes of their files."""

    name: str
    kind: str
    path: Path
    rows: int
    size: int


@dataclass(frozen=True, slots=True)
class FoundTarget:
    """A retrieval task: the documents of its corpus, and the judged queries of its splits."""

    name: str
    path: Path
    documents: int
    dev_queries: int
    test_queries: int


@dataclass(slots=True)
class Findings:
    """All that a folder holds. skipped says of each thing that was left out why."""

    sources: list[FoundSource] = field(default_factory=list)
    targets: list[FoundTarget] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Training pairs of all sources."""
        return sum(source.rows for source in self.sources)


def find(folder: Path, cache: Path, progress: Progress) -> Findings:
    """Look through a folder and read what looks like data.

    A BEIR folder with train judgements is a source, one with dev and test judgements a target, and a file (or a
    folder of numbered files of one kind) whose columns are recognised a source. Files that are held out by their name
    are left out.

    Raises:
        DataError: the folder is not there.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {str(folder)!r}: name the folder that your data is in")
    found = Findings()
    places = list(_places(folder, found.skipped, DEPTH))
    for done, place in enumerate(places):
        progress("reading", done, len(places))
        name = _name(place, {source.name for source in found.sources} | {target.name for target in found.targets})
        if place.kind != "beir" or place.has("train"):
            rows = _tried(place.path, found.skipped, partial(_rows, name, place, cache))
            if rows is not None:
                found.sources.append(FoundSource(name, place.kind, place.path, rows, place.size))
        if place.kind == "beir" and place.has("dev") and place.has("test"):
            target = _tried(place.path, found.skipped, partial(_target, name, place, cache))
            if target is not None:
                found.targets.append(target)
        elif place.kind == "beir" and not place.has("train"):
            has = ", ".join(sorted(file.name for file in (place.path / "qrels").glob("*.tsv"))) or "nothing"
            reason = f"qrels holds {has}; a source needs train.tsv, a target dev.tsv and test.tsv"
            found.skipped.append((place.path, reason))
    found.skipped.sort()
    return found


def _rows(name: str, place: Place, cache: Path) -> int:
    return len(read_source(Source(name, place.kind, str(place.path)), cache))


def _target(name: str, place: Place, cache: Path) -> FoundTarget:
    text = read_target(Target(name, place.kind, str(place.path)), cache)
    return FoundTarget(name, place.path, len(text.corpus), len(text.dev.queries), len(text.test.queries))


def _tried(path: Path, skipped: list[tuple[Path, str]], read: Callable[[], T]) -> T | None:
    """What reading gives, or None where it is no data: the reader's reason is kept."""
    try:
        return read()
    except DataError as error:
        said = re.sub(r"^(source|target) '[^']*': ", "", str(error))
        skipped.append((path, said.removeprefix(str(path.resolve())).lstrip(", ")))
        return None


def _places(folder: Path, skipped: list[tuple[Path, str]], depth: int) -> Iterator[Place]:
    """What looks like data in a folder, in the order of names."""
    inside = _inside(folder, skipped)
    names = {path.name for path in inside}
    beir = {part for part in ("corpus", "queries") if names & {f"{part}.jsonl", f"{part}.jsonl.gz"}}
    if "qrels" in names or beir:
        lacking = [f"{part}.jsonl[.gz]" for part in ("corpus", "queries") if part not in beir]
        lacking += [] if "qrels" in names else ["qrels/"]
        if lacking:
            skipped.append((folder, f"looks like a BEIR folder, but lacks {' and '.join(lacking)}"))
        else:
            yield Place("beir", folder)
        return
    for path in inside:
        kind = _kind(path)
        if path.is_file() and kind is not None and _bare(path) in HELD_OUT:
            skipped.append((path, "its name says that it is held out; make it a source yourself if it is for training"))
        elif path.is_file() and kind is not None:
            yield Place(kind, path)
        elif path.is_file() and path.suffix not in (".yaml", ".yml", ".md", ".db"):
            skipped.append((path, "not a kind of file that training pairs are read from"))
        elif path.is_dir():
            yield from _in_folder(path, skipped, depth)


def _in_folder(folder: Path, skipped: list[tuple[Path, str]], depth: int) -> Iterator[Place]:
    """One source where a folder is the numbered parts of one table, else what looks like data in it."""
    files = [path for path in _inside(folder, skipped) if path.is_file()]
    kinds = {_kind(path) for path in files}
    parts = len({_bare(path) for path in files}) == 1 and not {_bare(path) for path in files} & HELD_OUT
    if len(files) > 1 and parts and len(kinds) == 1 and None not in kinds and not _beir_files(files):
        yield Place(str(kinds.pop()), folder)
    elif depth > 1:
        yield from _places(folder, skipped, depth - 1)
    else:
        skipped.append((folder, f"more than {DEPTH} folders deep"))


def _inside(folder: Path, skipped: list[tuple[Path, str]]) -> list[Path]:
    """What a folder holds, by name, but for what is hidden."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        if all(path != folder for path, _ in skipped):
            skipped.append((folder, f"cannot be read ({error.strerror})"))
        return []


def _beir_files(files: Collection[Path]) -> bool:
    return any(file.name.startswith(("corpus.json", "queries.json")) for file in files)


def _bare(path: Path) -> str:
    """The name of a file without its ending and without the numbers of a part, such as -00001-of-00003."""
    return re.sub(r"([-_.]?of)?[-_.]?\d+", "", path.name.removesuffix(".gz").rsplit(".", 1)[0].lower())


def _kind(path: Path) -> str | None:
    """The kind that reads files of this name."""
    return next((kind for kind, suffixes in SUFFIXES.items() if path.name.endswith(suffixes)), None)


def _name(place: Place, taken: Collection[str]) -> str:
    """A name that a study file may hold and nothing else has: the file's or folder's, if need be with more."""
    stem = place.path.name
    if place.path.is_file():
        stem = stem.removesuffix(".gz").rsplit(".", 1)[0]
    name = named(stem)
    numbered = (f"{name[:80]}-{number}" for number in count(2))
    return next(each for each in chain((name, f"{name[:80]}-{place.kind}"), numbered) if each not in taken)


def named(text: str) -> str:
    """Text as a name for a study file: letters, digits, `.`, `_` and `-`."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:100]
    return name or "data"
