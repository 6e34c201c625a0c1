"""JSON lines on disk: fast through `datasets`, and line by line where something in them is out of the ordinary."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

import datasets
from datasets.exceptions import DatasetsError
from pydantic import JsonValue as Json

from mixtune.errors import DataError
from mixtune.training.cache import stamp
from mixtune.training.data.texts import content_hash

_PLAIN = {"string", "large_string", "bool", "null", "int64", "float64"}
"""Types whose values `datasets` hands over as they stand in the file. It makes dates of texts that look like one."""


def opened(path: Path, cache: Path) -> datasets.Dataset | None:
    """A file with one JSON object a line, or one list of objects; its Arrow files stay in the cache.

    None where `datasets` cannot read it: `records` says what is wrong with it, or reads it.
    """
    try:
        with quiet():
            # load_dataset would call out to the network on every local file, to count it.
            return datasets.Dataset.from_json(escape(str(path)), cache_dir=arrow_folder(path, cache))
    except (DatasetsError, OSError, EOFError, ValueError, KeyError, StopIteration, zlib.error):
        return None


def arrow_folder(path: Path, cache: Path) -> str:
    """Where the Arrow files of one state of a file stay: `datasets` itself does not look at its size."""
    return str(cache / "datasets" / content_hash([stamp([path], path.parent)])[:16])


def as_it_stands(dataset: datasets.Dataset, names: Iterable[str]) -> bool:
    """Whether the values of these columns are those of the file, and not what `datasets` took them for."""
    return all(_plain(dataset.features[name]) for name in names)


def records(path: Path) -> Iterator[tuple[str, dict[str, Json]]]:
    """Objects of a file, each with where it stands: file and line, or for a list the item. Blank lines are passed over.

    Raises:
        DataError: the file or a line cannot be read; names file and line.
    """
    for number, line in lines(path):
        if number == 1 and ".json" in path.suffixes and line.lstrip()[:1] == b"[":
            yield from _items(path)
            return
        where = f"{path}, line {number}"
        yield where, record(where, line)


def place(path: Path, index: int) -> str:
    """Where the object of that index stands: file and line."""
    for count, (where, _) in enumerate(records(path)):
        if count == index:
            return where
    raise IndexError(f"{path} has no object {index}")


def lines(path: Path, *, blank: bool = False) -> Iterator[tuple[int, bytes]]:
    """Lines of a file, plain or .gz, with their numbers from 1; blank ones are passed over where not asked for.

    Raises:
        DataError: it is not there, may not be read, or is torn.
    """
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if blank or line.strip():
                    yield number, line
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a whole gzip file ({error}): copy it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check its name and permissions") from error


def record(where: str, line: bytes) -> dict[str, Json]:
    """The object on a line.

    Raises:
        DataError: the line is something else; names where it is.
    """
    try:
        found = json.loads(decoded(where, line))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: not JSON ({error.msg} at column {error.colno}): correct or remove the line"
        ) from error
    return _object(where, found)


def decoded(where: str, line: bytes) -> str:
    """The text of a line.

    Raises:
        DataError: it is not UTF-8; names where it is.
    """
    try:
        return line.decode("utf-8-sig" if line.startswith(b"\xef\xbb\xbf") else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 ({error.reason} at byte {error.start}): convert the file") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bars and log lines of `datasets` inside the block."""
    bars, level = datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    finally:
        datasets.logging.set_verbosity(level)
        if not bars:
            datasets.enable_progress_bars()


def _plain(feature: object) -> bool:
    if isinstance(feature, dict):
        return all(_plain(each) for each in feature.values())
    if isinstance(feature, datasets.List | datasets.LargeList):
        return _plain(feature.feature)
    return isinstance(feature, datasets.Value) and feature.dtype in _PLAIN


def _items(path: Path) -> Iterator[tuple[str, dict[str, Json]]]:
    whole = "".join(decoded(f"{path}, line {number}", line) for number, line in lines(path, blank=True))
    try:
        found = json.loads(whole)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: not JSON ({error.msg} at column {error.colno})") from error
    for number, item in enumerate(found, 1):
        where = f"{path}, item {number}"
        yield where, _object(where, item)


def _object(where: str, found: Json) -> dict[str, Json]:
    if not isinstance(found, dict):
        raise DataError(f'{where}: expected an object like {{"name": "text"}}, got {json.dumps(found):.40}')
    return found
