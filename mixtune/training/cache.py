"""The cache folder: small JSON answers kept under the hash of their question, and what to say when it is full."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import JsonValue as Json

from mixtune.errors import DataError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def recall(path: Path) -> Json | None:
    """The answer kept at a path, or None."""
    if not path.exists():
        return None
    answer: Json = json.loads(path.read_text(encoding="utf-8"))
    return answer


def keep(path: Path, answer: Json) -> None:
    """Keep an answer, as `keep_bytes` does."""
    keep_bytes(path, json.dumps(answer, ensure_ascii=False).encode())


def keep_bytes(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all, whoever else writes it at the same time."""
    with room_in(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(beside).replace(path)
        finally:
            Path(beside).unlink(missing_ok=True)


@contextmanager
def room_in(folder: Path) -> Iterator[None]:
    """Say in words that what is written inside the block found no room. Leaving nothing half written is the block's.

    Raises:
        DataError: the disk or a quota is full.
    """
    try:
        yield
    except OSError as error:
        if not lacks_room(error):
            raise
        raise no_room(folder, error) from error


def lacks_room(error: BaseException) -> bool:
    """Whether an error, or what caused it, is a full disk."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return True
        cause = cause.__cause__
    return False


def no_room(folder: Path, error: BaseException, variable: str = "MIXTUNE_HOME") -> DataError:
    """What to say and do about a full disk; variable names the folder's place in the environment."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else "it is full"
    return DataError(
        f"no space left in {folder} ({why}): free some or set {variable} to a folder on another disk, then run it "
        f"again; what was finished is kept"
    )


def stamp(files: list[Path], base: Path) -> str:
    """What tells one state of these files from another without reading them: names, sizes and times of change."""
    lines = []
    for file in files:
        found = file.stat()
        lines.append(f"{file.relative_to(base).as_posix()}\0{found.st_size}\0{found.st_mtime_ns}")
    return "\n".join(lines)
