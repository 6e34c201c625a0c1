"""An append-only log of tokenised texts, addressed by content, that survives being killed at any point."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mixtune.training.cache import room_in
from mixtune.training.prepared import Rows

Tokens = npt.NDArray[np.int32]

_RECORD = np.dtype([("digest", "V16"), ("end", "<i8")])


def digest(text: str) -> bytes:
    """The address of a text: 16 bytes of BLAKE2b. Unpaired surrogates are addressed too."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class TextLog:
    """Two files: token ids one after another, and one record per text (its digest, and where its tokens end).

    Tokens reach the disk before the record that names them, so a reader never sees half a text; what a killed writer
    left behind is cut off by the next writer. Row numbers never change. One writer at a time (the caller locks).
    """

    def __init__(self, folder: Path) -> None:
        self._tokens = folder / "tokens.i32"
        self._records = folder / "texts.log"
        self._ends: Rows = np.zeros(1, dtype=np.int64)
        self._rows: dict[bytes, int] = {}
        self._addresses: list[bytes] = []
        self.refresh()

    def __len__(self) -> int:
        return len(self._ends) - 1

    @property
    def starts(self) -> Rows:
        """Where each text's tokens start, shape (n + 1,); the last entry is the number of tokens of all."""
        return self._ends

    def refresh(self) -> None:
        """See the texts that other processes added."""
        if not self._records.exists():
            return
        known = len(self)
        whole = self._records.stat().st_size // _RECORD.itemsize
        if whole <= known:
            return
        with self._records.open("rb") as file:
            file.seek(known * _RECORD.itemsize)
            records = np.frombuffer(file.read((whole - known) * _RECORD.itemsize), dtype=_RECORD)
        ends = np.concatenate([self._ends[-1:], records["end"]])
        stored = self._tokens.stat().st_size // 4
        good = int(np.logical_and.accumulate((np.diff(ends) >= 0) & (ends[1:] <= stored)).sum())
        self._ends = np.concatenate([self._ends, ends[1 : good + 1]])
        raw = records["digest"][:good].tobytes()
        for i in range(good):
            address = raw[16 * i : 16 * i + 16]
            self._rows[address] = known + i
            self._addresses.append(address)

    def row(self, address: bytes) -> int | None:
        """Row of a text by its digest, None where it is not here."""
        return self._rows.get(address)

    def addresses(self, rows: Rows) -> list[bytes]:
        """The digest of each row's text."""
        return [self._addresses[row] for row in rows.tolist()]

    def repair(self) -> None:
        """Cut off what a killed writer left half written. Only for a writer that holds the lock."""
        self.refresh()
        for path, size in (
            (self._records, len(self) * _RECORD.itemsize),
            (self._tokens, int(self._ends[-1]) * 4),
        ):
            if path.exists() and path.stat().st_size > size:
                os.truncate(path, size)

    def append(self, addresses: Sequence[bytes], tokens: Sequence[Tokens]) -> None:
        """Add texts that are not here yet, in order. Only for a writer that holds the lock, after `repair`.

        Raises:
            DataError: the disk is full; the next `repair` cuts off what was half written.
        """
        records = np.empty(len(addresses), dtype=_RECORD)
        records["digest"] = np.array(addresses, dtype="V16")
        records["end"] = self._ends[-1] + np.cumsum([len(one) for one in tokens])
        with room_in(self._tokens.parent):
            _append(self._tokens, (np.ascontiguousarray(one, dtype="<i4").tobytes() for one in tokens))
            _append(self._records, [records.tobytes()])
        self.refresh()

    def tokens(self, rows: Rows) -> list[Tokens]:
        """Token ids of each row."""
        if not len(rows):
            return []
        store = np.memmap(self._tokens, dtype="<i4", mode="r") if self._ends[-1] else np.empty(0, dtype=np.int32)
        return [np.array(store[self._ends[row] : self._ends[row + 1]], dtype=np.int32) for row in rows]


def _append(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("ab") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())
