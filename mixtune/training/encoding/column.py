"""A sparse file of numbers per row, filled in any order, with a mark per row that says whether it is there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mixtune.training.cache import room_in
from mixtune.training.prepared import Rows


class Column:
    """Vectors of `width` numbers, addressed by position (one per text, or one per token).

    The width stands in the file's name. Data is on disk before the mark of its row, so a marked row is whole. One
    writer at a time (the caller locks); readers map the file.
    """

    def __init__(self, folder: Path, name: str, dtype: npt.DTypeLike) -> None:
        self._folder = folder
        self._name = name
        self._dtype = np.dtype(dtype)
        self._marks = folder / f"{name}.have"
        self._map: npt.NDArray[Any] | None = None

    def have(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which of the rows are there."""
        if not self._marks.exists():
            return np.zeros(len(rows), dtype=bool)
        marks = np.fromfile(self._marks, dtype=np.uint8)
        inside = rows < len(marks)
        found = np.zeros(len(rows), dtype=bool)
        found[inside] = marks[rows[inside]] == 1
        return found

    def view(self) -> npt.NDArray[Any] | None:
        """Everything written so far, (positions, width), read-only; None before the first write."""
        path = self._path()
        if path is None:
            return None
        width = int(path.suffixes[-2][1:])
        positions = path.stat().st_size // (width * self._dtype.itemsize)
        if self._map is None or len(self._map) != positions:
            # A plain view: indexing the memmap class itself is several times slower.
            self._map = np.asarray(np.memmap(path, dtype=self._dtype, mode="r", shape=(positions, width)))
        return self._map

    @contextmanager
    def writer(self, positions: int, width: int) -> Iterator["ColumnWriter"]:
        """Write rows into a column that reaches up to `positions`.

        Raises:
            DataError: the disk is full; rows that were not brought to disk are not marked as there.
        """
        path = self._path() or self._folder / f"{self._name}.{width}.bin"
        with room_in(self._folder), path.open("ab"), self._marks.open("ab"):
            pass
        with room_in(self._folder), path.open("r+b") as data, self._marks.open("r+b") as marks:
            size = positions * width * self._dtype.itemsize
            if path.stat().st_size < size:
                os.truncate(path, size)
            writer = ColumnWriter(data.fileno(), marks.fileno(), width * self._dtype.itemsize)
            yield writer
            writer.flush()

    def _path(self) -> Path | None:
        return next(iter(sorted(self._folder.glob(f"{self._name}.*.bin"))), None)


class ColumnWriter:
    """Writes rows, and marks them in groups once their data is on disk."""

    GROUP = 2048

    def __init__(self, data: int, marks: int, stride: int) -> None:
        self._data = data
        self._marks = marks
        self._stride = stride
        self._written: list[int] = []

    def write(self, row: int, position: int, values: bytes) -> None:
        """Put a row's numbers at a position."""
        offset, view = position * self._stride, memoryview(values)
        while view:
            done = os.pwrite(self._data, view, offset)
            offset, view = offset + done, view[done:]
        self._written.append(row)
        if len(self._written) >= self.GROUP:
            self.flush()

    def flush(self) -> None:
        """Bring everything written to disk, then mark it as there."""
        os.fsync(self._data)
        for row in self._written:
            os.pwrite(self._marks, b"\1", row)
        self._written.clear()
