"""What an exporter is asked, and how exported files reach the disk."""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mixtune.errors import ExportError
from mixtune.recipe import Recipe
from mixtune.study import Study


@dataclass(frozen=True, slots=True)
class MetricValue:
    """What a recipe scored: metric name, mean, 95 % interval (None where it was not judged), seeds behind it."""

    name: str
    value: float | None = None
    ci: tuple[float, float] | None = None
    seeds: int = 0


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One recipe of a prepared study, to be written to out in some format.

    trial is the trial that ran the recipe, None for one that no trial ran. created is in seconds since the epoch.
    """

    study: Study
    trial: int | None
    recipe: Recipe
    metric: MetricValue
    created: float
    out: Path
    versions: Mapping[str, str] = field(default_factory=dict)


Exporter = Callable[[ExportRequest], list[Path]]
"""Writes a request and returns the files that it wrote. Raises ExportError, leaving what was there untouched."""


def write_files(files: Mapping[Path, str | bytes], option: str = "--out") -> list[Path]:
    """Write texts (as UTF-8) and pictures, making folders where needed.

    Each file appears whole, and none before all could be written. option is what said where they go.

    Raises:
        ExportError: a place cannot be written.
    """
    beside: dict[Path, Path] = {}
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            beside[path] = Path(name)
            with os.fdopen(handle, "wb") as stream:
                stream.write(content if isinstance(content, bytes) else content.encode())
            beside[path].chmod(0o644)
        for path, temporary in beside.items():
            temporary.replace(path)
    except OSError as error:
        raise ExportError(
            f"cannot write {', '.join(str(path) for path in files)} ({error.strerror}): give another {option}"
        ) from error
    finally:
        for temporary in beside.values():
            temporary.unlink(missing_ok=True)
    return list(files)
