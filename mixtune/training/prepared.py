"""What preparation leaves behind for trials: arrays of row numbers into one feature table per model, memory-mapped."""

import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from pydantic import JsonValue as Json

from mixtune.errors import DataError
from mixtune.training.cache import room_in

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_PAIRS = ("queries", "documents", "groups", "similarity")
_EXTRAS = ("starts", "negatives", "weights", "teacher")
_SPLIT = ("queries", "documents", "starts", "judged", "grades")
_SPLITS = ("dev", "test")
_WORTH_MAPPING = 1 << 16


def _no_rows() -> Rows:
    return np.empty(0, dtype=np.int64)


def _no_floats() -> Floats:
    return np.empty(0, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Training pairs of one source, n of them.

    queries and documents are rows of the feature table, shape (n,); groups numbers distinct query texts: pairs of
    the same query are not each other's negatives (equal document rows are found by the row number). similarity is the
    base model's cosine of each pair, shape (n,): what static pruning ranks by.

    The other arrays have size 0 where the source has none of it. The hard negatives of pair i are
    negatives[starts[i]:starts[i+1]], rows of the feature table: starts (n + 1,), negatives (m,). weights (n,) is what
    the loss of each pair is multiplied with. teacher (n + m,) holds a teacher's scores of the n positives, then of the
    m negatives, in the order of these arrays.
    """

    queries: Rows
    documents: Rows
    groups: Rows
    similarity: Floats
    starts: Rows = field(default_factory=_no_rows)
    negatives: Rows = field(default_factory=_no_rows)
    weights: Floats = field(default_factory=_no_floats)
    teacher: Floats = field(default_factory=_no_floats)


@dataclass(frozen=True, slots=True)
class Split:
    """One split of a target: q queries against d documents.

    queries (q,) and documents (d,) are rows of the feature table. Judgements are sparse: those of query i are
    judged[starts[i]:starts[i+1]], positions in documents, with grades beside them (> 0 is relevant).
    full says whether documents is the whole corpus or a candidate pool.
    """

    queries: Rows
    documents: Rows
    starts: Rows
    judged: Rows
    grades: Floats
    full: bool


@dataclass(frozen=True, slots=True)
class PreparedTarget:
    """Dev and test of one target.

    signal marks, shape (q_dev,), the dev queries that influence is measured on; the others report progress in rounds.
    negatives are positions in dev.documents, the sampled part of every dev query's candidate pool in the dev loss.
    """

    dev: Split
    test: Split
    signal: npt.NDArray[np.bool_]
    negatives: Rows


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations of margins: a teacher's, and those of the base model's cosine on the same pairs."""

    teacher: float
    cosine: float

    def divisor(self, temperature: float) -> float:
        """What the teacher's margins are divided by: then they spread as the untrained student's do.

        The student's score is cosine / temperature. Where one of the two does not spread at all it is 1. (Ours, and
        not asked for where Proxy.teacher_scale is `raw`; TAS-B's student learns margins as its teachers have them.)
        """
        divisor = self.teacher * temperature / self.cosine if self.cosine > 0 else 0.0
        return divisor if divisor > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything a study's trials read besides the feature tables. Saved as one folder of .npy files.

    spread is that of the margins between positives and their own hard negatives, over all sources together, and
    batch_spread that of the in-batch teacher between positives of different queries. None where there is no teacher.
    """

    sources: Mapping[str, Pairs]
    targets: Mapping[str, PreparedTarget]
    spread: Spread | None = None
    batch_spread: Spread | None = None


def save(prepared: Prepared, folder: Path, record: Json) -> None:
    """Write the arrays, and a JSON record beside them, as one folder that appears whole or not at all.

    A folder that is there already is left as it is: its name is a content hash.

    Raises:
        DataError: the disk is full.
    """
    with room_in(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, array in _arrays(prepared):
                # Through memory: NumPy's own way to a file does not notice a disk that is full at its end.
                whole = io.BytesIO()
                np.save(whole, array)
                (beside / f"{name}.npy").write_bytes(whole.getbuffer())
            contents: Json = {
                "sources": list(prepared.sources),
                "extras": [_extras(pairs) for pairs in prepared.sources.values()],
                "targets": list(prepared.targets),
                "spreads": [
                    None if spread is None else [spread.teacher, spread.cosine]
                    for spread in (prepared.spread, prepared.batch_spread)
                ],
                "full": [[target.dev.full, target.test.full] for target in prepared.targets.values()],
                "record": record,
            }
            (beside / "contents.json").write_text(json.dumps(contents))
            beside.chmod(0o755)
            with FileLock(folder.parent / ".lock"):
                if not folder.exists():
                    beside.rename(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def load(folder: Path) -> Prepared:
    """Read what `save` wrote; large arrays are memory-mapped, and all are read-only.

    Raises:
        DataError: nothing was prepared there.
    """
    contents = _contents(folder)

    def split(target: int, which: int) -> Split:
        arrays = {name: _read(folder, f"target{target}.{_SPLITS[which]}.{name}") for name in _SPLIT}
        return Split(**arrays, full=contents["full"][target][which])

    def pairs(source: int) -> Pairs:
        names = (*_PAIRS, *contents["extras"][source])
        return Pairs(**{name: _read(folder, f"source{source}.{name}") for name in names})

    spreads = [None if spread is None else Spread(*spread) for spread in contents["spreads"]]
    return Prepared(
        {name: pairs(i) for i, name in enumerate(contents["sources"])},
        {
            name: PreparedTarget(
                split(i, 0), split(i, 1), _read(folder, f"target{i}.signal"), _read(folder, f"target{i}.negatives")
            )
            for i, name in enumerate(contents["targets"])
        },
        *spreads,
    )


def load_record(folder: Path) -> Json:
    """The JSON record that was saved with the arrays.

    Raises:
        DataError: nothing was prepared there.
    """
    record: Json = _contents(folder)["record"]
    return record


def _extras(pairs: Pairs) -> list[Json]:
    """Fields that the source has: what it lacks takes no file."""
    return [name for name in _EXTRAS if getattr(pairs, name).size]


def _arrays(prepared: Prepared) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    for i, pairs in enumerate(prepared.sources.values()):
        for name in (*_PAIRS, *map(str, _extras(pairs))):
            yield f"source{i}.{name}", getattr(pairs, name)
    for i, target in enumerate(prepared.targets.values()):
        yield f"target{i}.signal", target.signal
        yield f"target{i}.negatives", target.negatives
        for which, split in zip(_SPLITS, (target.dev, target.test), strict=True):
            for name in _SPLIT:
                yield f"target{i}.{which}.{name}", getattr(split, name)


def _contents(folder: Path) -> dict[str, Any]:
    path = folder / "contents.json"
    if not path.is_file():
        raise DataError(f"nothing is prepared in {folder}: prepare the study on this machine first")
    contents: dict[str, Any] = json.loads(path.read_text())
    return contents


def _read(folder: Path, name: str) -> npt.NDArray[Any]:
    path = folder / f"{name}.npy"
    # Small arrays (and empty ones, which cannot be mapped) are not worth a mapping each.
    array: npt.NDArray[Any] = np.load(path, mmap_mode="r" if path.stat().st_size > _WORTH_MAPPING else None)
    array.flags.writeable = False
    return array
