"""Training pairs in files: JSON lines, CSV and Parquet, one file or many."""

import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from glob import escape, glob, has_magic
from pathlib import Path

import datasets
from datasets.exceptions import DatasetsError

from mixtune.errors import DataError
from mixtune.source import Source
from mixtune.target import Target
from mixtune.training.cache import lacks_room, no_room, stamp
from mixtune.training.data import jsonl
from mixtune.training.data.tables import Cells, Table, cells_of, text_of
from mixtune.training.data.texts import SourceText, content_hash

_FORMAT = "files-1"

SUFFIXES = {
    "csv": (".csv", ".csv.gz", ".tsv", ".tsv.gz"),
    "jsonl": (".jsonl", ".jsonl.gz", ".json", ".json.gz"),
    "parquet": (".parquet",),
}
"""Kind -> how the names of its files end; other files of a folder are passed over."""


def fingerprint(source: Source | Target) -> str:
    """What the pairs of files depend on, without reading them."""
    files = files_of(source)
    return content_hash([_FORMAT, *map(str, files), *(stamp([file], file.parent) for file in files)])


def pairs(source: Source, cache: Path) -> SourceText:
    """The pairs of all files of a source, file after file.

    Raises:
        DataError: there is no file, or one of them cannot be read; names file and line.
    """
    read: dict[str, Callable[[Path, Path], Table]] = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
    return text_of((read[source.kind](file, cache) for file in files_of(source)), source.columns, source.min_score)


def files_of(source: Source | Target) -> list[Path]:
    """The files that a source names: as they are, all of its kind below a folder, or all that fit a pattern.

    Those of a folder or a pattern are sorted by name. A file that is named twice is read once.

    Raises:
        DataError: a name leads to no file.
    """
    found: dict[Path, None] = {}
    for location in source.locations if isinstance(source, Source) else (source.location,):
        files = _files(location, source.kind)
        found |= dict.fromkeys(file.resolve() for file in files)
    return list(found)


def _files(location: str, kind: str) -> list[Path]:
    path, suffixes = Path(location).expanduser(), SUFFIXES[kind]
    if path.is_file():
        return [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.name.endswith(suffixes) and file.is_file())
        files = [file for file in files if not any(part.startswith(".") for part in file.relative_to(path).parts)]
        if not files:
            raise DataError(f"folder {location!r} holds no {kind} file: those are named {_listed(suffixes)}")
        return files
    if has_magic(location):
        files = sorted(Path(each) for each in glob(str(path), recursive=True) if Path(each).is_file())
        if not files:
            raise DataError(f"no file fits the pattern {location!r}: correct it, or name files or a folder")
        return files
    raise DataError(f"{location!r} does not exist: name a {kind} file, a folder of them, or a pattern such as a/*.json")


def _listed(suffixes: Sequence[str]) -> str:
    return ", ".join(f"*{suffix}" for suffix in suffixes)


def _jsonl(path: Path, cache: Path) -> Table:
    def place(row: int) -> str:
        return jsonl.place(path, row)

    dataset = jsonl.opened(path, cache)
    if dataset is not None:

        def read(names: Sequence[str]) -> dict[str, Cells]:
            try:
                return cells_of(dataset, names) if jsonl.as_it_stands(dataset, names) else _of_records(path, names)
            except UnicodeDecodeError:
                return _of_records(path, names)

        return Table(str(path), tuple(dataset.column_names), read, place)
    names = tuple(dict.fromkeys(name for _, record in jsonl.records(path) for name in record))
    if not names:
        raise DataError(
            f'{path} is empty: every line holds one JSON object, like {{"query": "...", "positive": "..."}}'
        )
    return Table(str(path), names, lambda names: _of_records(path, names), place)


def _of_records(path: Path, names: Sequence[str]) -> dict[str, Cells]:
    records = [record for _, record in jsonl.records(path)]
    return {name: [record.get(name) for record in records] for name in names}


def _parquet(path: Path, cache: Path) -> Table:
    try:
        with jsonl.quiet():
            dataset = datasets.Dataset.from_parquet(escape(str(path)), cache_dir=jsonl.arrow_folder(path, cache))
    except (DatasetsError, OSError, ValueError, StopIteration) as error:
        if lacks_room(error):
            raise no_room(cache, error) from error
        cause = " ".join(str(error.__cause__ or error).split())
        raise DataError(f"{path} cannot be read as Parquet ({cause:.200}): write or copy it again") from error
    if not len(dataset):
        raise DataError(f"{path} is empty: it has no rows")
    return Table(
        str(path),
        tuple(dataset.column_names),
        lambda names: cells_of(dataset, names),
        lambda row: f"{path}, row {row + 1}",
    )


def _csv(path: Path, cache: Path) -> Table:
    """A table of texts: what looks like a number or says NA is text, too."""
    lines: list[int] = []
    rows: list[list[str]] = []
    for number, row in _csv_rows(path):
        if rows and len(row) != len(rows[0]):
            raise DataError(
                f"{path}, line {number}: {len(row)} fields, where the first line names {len(rows[0])} columns"
                f" ({', '.join(rows[0])}): put texts with a separator or a line break in double quotes"
            )
        lines.append(number)
        rows.append(row)
    if len(rows) < 2:
        raise DataError(f"{path} is empty: its first line names the columns, and every other line is a row")
    names, *body = rows
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}, line {lines[0]}: column {twice!r} is named twice: rename one of them")
    cells: dict[str, Cells] = dict(zip(names, zip(*body, strict=True), strict=True))
    return Table(
        str(path),
        tuple(names),
        lambda wanted: {name: [cell or None for cell in cells[name]] for name in wanted},
        lambda row: f"{path}, line {lines[row + 1]}",
    )


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with the number of their first line."""
    text = "".join(jsonl.decoded(f"{path}, line {number}", line) for number, line in jsonl.lines(path, blank=True))
    separator = "\t" if ".tsv" in path.suffixes else ","
    with _long_fields():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        start = 1
        try:
            for row in reader:
                if row:
                    yield start, row
                start = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{path}, line {start}: not CSV ({error}): a quote inside of a quoted text is written twice"
            ) from error


@contextmanager
def _long_fields() -> Iterator[None]:
    """Let the csv module read fields of any length inside the block."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
