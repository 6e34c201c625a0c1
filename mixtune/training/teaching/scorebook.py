"""A teacher's scores of (query, document) pairs on disk, and the texts that it may still be asked about."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mixtune.training.cache import no_room, room_in

_TABLES = (
    "scores (pair BLOB PRIMARY KEY, score REAL NOT NULL)",
    "texts (address BLOB PRIMARY KEY, text BLOB NOT NULL)",
)
_AT_ONCE = 500
_PATIENCE = 120.0
"""Seconds to wait for another process that writes."""


class ScoreBook:
    """One file per teacher, shared by all studies and workers under a cache root.

    Texts are named by their addresses (see textlog.digest). A score that stands there never changes, whoever else
    scores the same pair meanwhile: what is read back is what every later run reads. It is a database of SQLite's, so
    a killed writer leaves nothing half written; the cache root must not lie on a file system without locks.

    Args:
        path: the file; it is made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def scores(self, pairs: Iterable[bytes]) -> dict[bytes, float]:
        """The scores that are known, by the pair's address."""
        return {pair: float(score) for pair, score in self._select("pair, score FROM scores WHERE pair", pairs)}

    def texts(self, addresses: Iterable[bytes]) -> dict[bytes, str]:
        """The texts that are known, by address."""
        rows = self._select("address, text FROM texts WHERE address", addresses)
        return {address: bytes(text).decode("utf-8", "surrogatepass") for address, text in rows}

    def keep_scores(self, scores: Mapping[bytes, float]) -> None:
        """Keep scores of pairs; those that are there already stay.

        Raises:
            DataError: the disk is full.
        """
        self._insert("scores", list(scores.items()))

    def keep_texts(self, texts: Mapping[bytes, str]) -> None:
        """Keep texts by address.

        Raises:
            DataError: the disk is full.
        """
        rows = [(address, text.encode("utf-8", "surrogatepass")) for address, text in texts.items()]
        self._insert("texts", rows)

    def _select(self, what: str, keys: Iterable[bytes]) -> Iterator[tuple[bytes, Any]]:
        wanted = list(dict.fromkeys(keys))
        if not wanted or not self._path.exists():
            return
        with self._open() as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table'").fetchone():
                return  # a writer has made the file, and nothing in it yet
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                yield from database.execute(f"SELECT {what} IN ({','.join('?' * len(some))})", some)

    def _insert(self, table: str, rows: Sequence[tuple[bytes, float | bytes]]) -> None:
        if not rows:
            return
        with room_in(self._path.parent):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._open() as database, database:
                database.execute("BEGIN IMMEDIATE")  # both tables appear at once, or none does
                for table_and_columns in _TABLES:
                    database.execute(f"CREATE TABLE IF NOT EXISTS {table_and_columns} WITHOUT ROWID")
                database.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", rows)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            raise no_room(self._path.parent, error) from error

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=_PATIENCE)) as database:
            yield database


def pair_address(query: bytes, document: bytes) -> bytes:
    """The address of a pair of texts, from their own."""
    return hashlib.blake2b(query + document, digest_size=16).digest()
