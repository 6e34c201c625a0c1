"""Retrieval data from the docstrings of installed packages: the summary is the query, the rest its document.

Source files are read and parsed; nothing of the package is imported or run. Splits are made by a hash of the summary,
so one summary stands in the same split in every package.
"""

import ast
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

from pydantic import TypeAdapter

from mixtune.errors import DataError
from mixtune.training.cache import keep, recall, stamp
from mixtune.training.data.texts import JudgedQueries, SourceText, TargetText, content_hash

STDLIB = "stdlib"
SPLITS = {"train": (0, 60), "dev": (60, 80), "test": (80, 100)}
"""Percent of the hash range per split."""

MIN_SUMMARY_WORDS = 3
MIN_BODY_CHARACTERS = 40
MAX_SUMMARY_CHARACTERS = 300
MAX_BODY_CHARACTERS = 1200

_FORMAT = "docstrings-1"
_SKIPPED = {"__pycache__", "_bundled", "idle_test", "lib2to3", "site-packages", "dist-packages", "test", "tests"}

Row = tuple[str, str]


def fingerprint(location: str) -> str:
    """What the docstrings of a package depend on, without reading its files."""
    return content_hash([_FORMAT, *(stamp(files, base) for base, files in _files(location))])


def pairs(location: str, split: str, cache: Path) -> SourceText:
    """Training pairs of one split of a package.

    Raises:
        DataError: the package is not installed or has no such split.
    """
    rows = [row for row in _rows(location, cache) if _in_split(row, split)]
    summaries = tuple(summary for summary, _ in rows)
    return SourceText(summaries, tuple(body for _, body in rows), summaries, revision=version(location))


def version(location: str) -> str | None:
    """Version of the installed distribution that a package belongs to, of Python for its standard library.

    None where no distribution claims the package, or several do.
    """
    top = location.split(".")[0]
    if location == STDLIB or top in sys.stdlib_module_names:
        return platform.python_version()
    owners = set(importlib.metadata.packages_distributions().get(top, ())) if _module(top) else {location}
    try:
        return importlib.metadata.version(owners.pop()) if len(owners) == 1 else None
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None


def task(location: str, dev: str, test: str, cache: Path) -> TargetText:
    """Search in a package's held-out documentation: dev and test queries against the bodies of both splits.

    Raises:
        DataError: the package is not installed or has no such split.
    """
    rows = _rows(location, cache)
    held_out = [row for row in rows if _in_split(row, dev) or _in_split(row, test)]

    def judged(split: str) -> JudgedQueries:
        found = [(i, summary) for i, (summary, body) in enumerate(held_out) if _in_split((summary, body), split)]
        return JudgedQueries(tuple(summary for _, summary in found), tuple({i: 1.0} for i, _ in found))

    return TargetText(tuple(body for _, body in held_out), judged(dev), judged(test))


def _in_split(row: Row, split: str) -> bool:
    if split not in SPLITS:
        raise DataError(f"docstrings have no split {split!r}: use {', '.join(SPLITS)}")
    low, high = SPLITS[split]
    address = hashlib.blake2b(_normal(row[0]).encode(), digest_size=8).digest()
    return low <= int.from_bytes(address, "little") % 100 < high


def _normal(text: str) -> str:
    return text.casefold()


def _rows(location: str, cache: Path) -> list[Row]:
    kept = cache / "docstrings" / f"{fingerprint(location)}.json"
    found = recall(kept)
    if found is None:
        found = [[summary, body] for summary, body in _unique(_parse_all(location))]
        keep(kept, found)
    return TypeAdapter(list[Row]).validate_python(found)


def _unique(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows whose summary and whose body were not seen before."""
    summaries: set[str] = set()
    bodies: set[str] = set()
    for summary, body in rows:
        if _normal(summary) not in summaries and _normal(body) not in bodies:
            summaries.add(_normal(summary))
            bodies.add(_normal(body))
            yield summary, body


def _parse_all(location: str) -> Iterator[Row]:
    for _, files in _files(location):
        for file in files:
            yield from parse(file.read_bytes())


def parse(code: bytes) -> Iterator[Row]:
    """(summary, body) of every docstring in a Python file that is long enough, in file order.

    Files that are not valid Python of this version (templates, Python 2) hold none.
    """
    if b'"""' not in code and b"'''" not in code:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return
    for node in _documented(tree):
        row = _row(ast.get_docstring(node) or "")
        if row is not None:
            yield row


def _documented(
    node: ast.AST,
) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Modules, classes and functions in file order. Only statements are visited: expressions hold no docstrings."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node
    for block in ("body", "handlers", "orelse", "finalbody"):
        for child in getattr(node, block, ()):
            if isinstance(child, ast.stmt | ast.ExceptHandler) and hasattr(child, "body"):
                yield from _documented(child)


def _row(docstring: str) -> Row | None:
    paragraphs = docstring.split("\n\n", 1)
    if len(paragraphs) < 2:
        paragraphs = docstring.split("\n", 1)
    if len(paragraphs) < 2:
        return None
    summary, body = (" ".join(part.encode("utf-8", "replace").decode().split()) for part in paragraphs)
    if len(summary.split()) < MIN_SUMMARY_WORDS or len(body) < MIN_BODY_CHARACTERS:
        return None
    return _cut(summary, MAX_SUMMARY_CHARACTERS), _cut(body, MAX_BODY_CHARACTERS)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0]


def _files(location: str) -> list[tuple[Path, list[Path]]]:
    """The package's Python files in a fixed order, below the folders they are found in."""
    found = []
    for place in _places(location):
        files = sorted(_walk(place)) if place.is_dir() else [place] if place.suffix == ".py" else []
        found.append((place.parent, files))
    if not any(files for _, files in found):
        raise DataError(f"package {location!r} has no Python files to read docstrings from: name a pure Python package")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        yield from (Path(parent, name) for name in files if name.endswith(".py"))


def _places(location: str) -> list[Path]:
    """Folders or single files of an import name (dots reach inside) or a distribution name."""
    if location == STDLIB:
        return [Path(sysconfig.get_path("stdlib"))]
    top, *inner = location.split(".")
    spec = _module(top)
    if spec is not None and spec.origin is not None:
        roots = [Path(one) for one in spec.submodule_search_locations or ()]
        places = [one for root in roots for one in _inside(root, inner)] if roots or inner else [Path(spec.origin)]
    else:
        places = [place for name in _import_names(location) for place in _places(name)]
    if not places:
        raise DataError(
            f"package {location!r} is not installed: pip install {location}, or name an installed package"
            f" (by import or distribution name) or {STDLIB!r}"
        )
    return places


def _module(top: str) -> ModuleSpec | None:
    """Where a top-level name would be imported from, None where it is not the name of a module with a file."""
    spec = importlib.util.find_spec(top) if top.isidentifier() else None
    return spec if spec is not None and spec.origin is not None else None


def _inside(root: Path, inner: list[str]) -> list[Path]:
    path = root.joinpath(*inner)
    return [one for one in (path, path.with_suffix(".py")) if one.exists()][:1]


def _import_names(distribution: str) -> list[str]:
    try:
        name = importlib.metadata.distribution(distribution).metadata["Name"]
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return []
    found = importlib.metadata.packages_distributions()
    return sorted(top for top, owners in found.items() if name in owners and importlib.util.find_spec(top) is not None)
