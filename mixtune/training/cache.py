"""Small JSON answers kept in the cache folder under the hash of their question."""

import json
import os
import tempfile
from pathlib import Path

from pydantic import JsonValue as Json


def recall(path: Path) -> Json | None:
    """The answer kept at a path, or None."""
    if not path.exists():
        return None
    answer: Json = json.loads(path.read_text(encoding="utf-8"))
    return answer


def keep(path: Path, answer: Json) -> None:
    """Keep an answer: the file appears whole or not at all, whoever else writes it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(answer, file, ensure_ascii=False)
        Path(beside).replace(path)
    finally:
        Path(beside).unlink(missing_ok=True)


def stamp(files: list[Path], base: Path) -> str:
    """What tells one state of these files from another without reading them: names, sizes and times of change."""
    lines = []
    for file in files:
        found = file.stat()
        lines.append(f"{file.relative_to(base).as_posix()}\0{found.st_size}\0{found.st_mtime_ns}")
    return "\n".join(lines)
