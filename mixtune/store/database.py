"""A database by its URL: how it is opened, brought up to date, and spoken to in transactions."""

import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Double,
    Engine,
    create_engine,
    event,
    inspect,
    literal_column,
    make_url,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from mixtune.errors import StoreError
from mixtune.store.migration import head, known, migrate, revision
from mixtune.store.tables import metadata

T = TypeVar("T")

PAUSES = (0.1, 0.3, 1.0, 3.0)
"""Seconds between tries of a transaction that met a passing trouble (a restarted server, a deadlock)."""

WAIT_SECONDS = 30
"""How long a statement waits for another program's lock, and how long a silent transaction keeps its own (ours)."""

DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}

PASSING_SQLITE = frozenset({sqlite3.SQLITE_BUSY_RECOVERY, sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_PROTOCOL})
PASSING_POSTGRES = frozenset({"40001", "40P01", "57P01", "57P02", "57P03"})
"""Serialisation failure, deadlock, and a server that is shut down, has crashed, or is not ready yet."""

HINTS = (
    ("file is not a database", "the file is something else: name another file"),
    ("malformed", "the file is damaged: restore a copy of it"),
    ("readonly database", "get write permission for the file and its folder, or name another file"),
    ("unable to open database file", "check that the folder exists and that you may write to it"),
    ("database or disk is full", "free some space, then `mixtune resume` the study"),
    ("No space left", "free some space, then `mixtune resume` the study"),
    ("disk I/O error", "check the disk: nothing was written"),
    ("database is locked", f"another program has kept it for {WAIT_SECONDS} s: end that, then try again"),
    ("lock timeout", f"another program has kept it for {WAIT_SECONDS} s: end that, then try again"),
    ("no such table", "run `mixtune db upgrade`"),
    ("permission denied", "ask the owner of the database for the right to create and write tables in it"),
    ("password", "check the user and the password in the URL"),
    ("authentication failed", "check the user and the password in the URL"),
    ('role "', "check the user in the URL"),
    ('database "', "make it first (`createdb NAME`), or check the name in the URL"),
    ("relation", "run `mixtune db upgrade`"),
    ("connection", "check that the server runs, and the host and the port in the URL"),
    ("resolve host", "check the host in the URL"),
    ("", "nothing was written; if it happens again, restore a copy of the database"),
)
"""What a driver's message holds -> the next step; the first that fits."""


class _PassingTrouble(StoreError):
    """Nothing was written, and trying again may help."""


class Database:
    """One database. Work is a function of a connection, run in one transaction and committed before it returns."""

    def __init__(self, url: str) -> None:
        """Parse the URL; nothing is opened yet.

        Raises:
            StoreError: not a URL of SQLite or PostgreSQL, or the PostgreSQL driver is not installed.
        """
        self.url = _parse(url)
        self.name = _masked(self.url)
        self._engine = _engine(self.url)

    @property
    def now(self) -> ColumnElement[float]:
        """The database's clock, in seconds since 1970."""
        clock = (
            "(julianday('now') - 2440587.5) * 86400.0"
            if self.url.drivername == "sqlite"
            else "cast(extract(epoch from clock_timestamp()) as double precision)"
        )
        return literal_column(clock, Double)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run work that changes nothing. Raises StoreError if the database cannot do it."""
        return self._transaction(work, write=False, pauses=PAUSES)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run work and commit it durably, alone on SQLite. Raises StoreError if the database cannot do it.

        A passing trouble is met by trying again, except in the commit itself, which may have succeeded.
        """
        return self._transaction(work, write=True, pauses=PAUSES)

    def open(self, *, create: bool) -> None:
        """See that the tables are there and of this version, making them in an empty database.

        Raises:
            StoreError: it cannot be reached, read or written, is not mixtune's, or is of another version; or it is
                empty and create is False.
        """
        self._require_place(create=create)
        found, tables = self._transaction(_found, write=False, pauses=())
        if found == head():
            self._use_wal()
        elif found is not None and known(found):
            raise StoreError(f"{self.name} is of an older mixtune (revision {found}): run `mixtune db upgrade` once")
        elif found is not None:
            raise StoreError(
                f"{self.name} is of a newer mixtune (revision {found}, this one knows up to {head()}): upgrade mixtune"
            )
        elif tables:
            raise StoreError(
                f"{self.name} holds tables ({', '.join(sorted(tables)[:3])}), but not mixtune's: name an empty or new "
                f"database, or put mixtune's beside them with `mixtune db upgrade`"
            )
        elif not create:
            raise StoreError(f"{self.name} is empty: `mixtune run FILE` fills it")
        else:
            self.upgrade()

    def upgrade(self) -> None:
        """Bring the tables to this version, all or nothing.

        Raises:
            StoreError: it cannot be reached or written, is of a newer mixtune, or has another program's tables of
                the same names.
        """
        self._require_place(create=True)
        found, tables = self._transaction(_found, write=False, pauses=())
        if found is not None and not known(found):
            raise StoreError(
                f"{self.name} is of a newer mixtune (revision {found}, this one knows up to {head()}): upgrade mixtune"
            )
        foreign = tables & set(metadata.tables)
        if found is None and foreign:
            raise StoreError(
                f"{self.name} has another program's tables of the same names ({', '.join(sorted(foreign))}): name "
                f"another database"
            )
        self._use_wal()
        self._transaction(self._migrate, write=True, pauses=())

    def close(self) -> None:
        """Let go of connections."""
        self._engine.dispose()

    def _migrate(self, db: Connection) -> None:
        if self.url.drivername != "sqlite":
            # Two first starts at once: the second waits here and finds the work done.
            db.execute(text("select pg_advisory_xact_lock(hashtext('mixtune'))"))
        migrate(db)

    def _require_place(self, *, create: bool) -> None:
        if self.url.drivername != "sqlite":
            return
        path = Path(self.url.database or "")
        if path.is_dir():
            raise StoreError(f"{self.name} is a folder: name a file in it")
        if not path.parent.is_dir():
            raise StoreError(f"{self.name}: there is no folder {path.parent}: make it first, or name another place")
        if not create and not path.exists():
            raise StoreError(f"there is no database {self.name}: `mixtune run FILE` makes it, or name another one")

    def _use_wal(self) -> None:
        """Let readers and the writer work side by side. The file remembers; where it cannot, it goes on without."""
        if self.url.drivername == "sqlite":
            try:
                with self._engine.connect() as db:
                    # Below SQLAlchemy, because the mode cannot be changed inside a transaction.
                    cursor = db.connection.cursor()
                    cursor.execute("PRAGMA journal_mode = WAL")
                    cursor.close()
            except (DBAPIError, sqlite3.Error) as error:
                raise self._explained(error) from error

    def _transaction(self, work: Callable[[Connection], T], *, write: bool, pauses: tuple[float, ...]) -> T:
        for pause in pauses:
            try:
                return self._once(work, write=write)
            except _PassingTrouble:
                time.sleep(pause)
        return self._once(work, write=write)

    def _once(self, work: Callable[[Connection], T], *, write: bool) -> T:
        committing = False
        try:
            with self._engine.connect() as connection:
                db = connection.execution_options(mixtune_write=write)
                result = work(db)
                committing = True
                db.commit()
                return result
        except DBAPIError as error:
            refused = self._explained(error)
            if _passes(error) and not committing:
                raise _PassingTrouble(str(refused)) from error
            raise refused from error

    def _explained(self, error: DBAPIError | sqlite3.Error) -> StoreError:
        cause = error.orig if isinstance(error, DBAPIError) else error
        said = " ".join(str(cause).split())
        return StoreError(f"{self.name}: {said}: {next(step for sign, step in HINTS if sign in said)}")


def _parse(url: str) -> URL:
    shown = re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url)
    allowed = "use sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError(f"{shown!r} is not the URL of a database: {allowed}") from error
    if parsed.drivername not in DRIVERS:
        raise StoreError(f"{shown!r} is a database of another kind: {allowed}")
    parsed = parsed.set(drivername=DRIVERS[parsed.drivername])
    if parsed.drivername != "sqlite":
        return parsed
    if parsed.host or parsed.database in (None, "", ":memory:") or str(parsed.database).startswith("file:"):
        raise StoreError(f"{shown!r} names no file to keep studies in: use sqlite:///mixtune.db (three slashes)")
    return parsed.set(database=str(Path(str(parsed.database)).expanduser().absolute()))


def _masked(url: URL) -> str:
    """The URL to show: as the user writes it, without its passwords."""
    secrets = {key: "***" for key in url.query if "password" in key}
    shown = url.update_query_dict(secrets).set(drivername=url.get_backend_name())
    return shown.render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def _engine(url: URL) -> Engine:
    if url.drivername == "sqlite":
        # check_same_thread: a pooled connection may serve any thread, one at a time.
        engine = create_engine(
            url, json_serializer=str, json_deserializer=_text, connect_args={"check_same_thread": False}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    late = {} if "connect_timeout" in url.query else {"connect_timeout": 10}
    try:
        engine = create_engine(url, json_serializer=str, json_deserializer=_text, pool_pre_ping=True, connect_args=late)
    except ImportError as error:
        raise StoreError(
            f"{_masked(url)} needs the PostgreSQL driver: pip install 'mixtune[postgres]' ({error})"
        ) from error
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def _text(json: str | bytes) -> str:
    """Leave JSON as it is: columns carry its text, the codec reads and writes it."""
    return json if isinstance(json, str) else json.decode()


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # sqlite3 begins nothing by itself: _begin_sqlite does
    connection.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _prepare_postgres(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = '{WAIT_SECONDS}s'")
    # A writer that is stopped in the middle must not keep its successor out for ever.
    cursor.execute(f"SET idle_in_transaction_session_timeout = '{WAIT_SECONDS}s'")
    cursor.close()
    connection.commit()


def _passes(error: DBAPIError) -> bool:
    """Say whether trying again may help."""
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode in PASSING_SQLITE
    state = getattr(error.orig, "sqlstate", None)
    return state in PASSING_POSTGRES or (state is None and isinstance(error, OperationalError))


def _found(db: Connection) -> tuple[str | None, set[str]]:
    """The revision of a database, and the names of all tables in it."""
    return revision(db), set(inspect(db).get_table_names())


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("mixtune_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
