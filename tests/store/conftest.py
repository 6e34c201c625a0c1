"""Databases to test on: a SQLite file, and a schema in a real PostgreSQL server that the session starts once."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

pytest.register_assert_rewrite("store_contract")

from postgres_server import PostgresServer, binaries  # noqa: E402 - the path above comes first

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    folder = binaries()
    if folder is None:
        missing = "PostgreSQL (initdb, pg_ctl) is not installed"
        if "postgres" in os.environ.get("MIXTUNE_REQUIRE", "").split(","):
            pytest.fail(f"{missing}, and MIXTUNE_REQUIRE names postgres")
        pytest.skip(missing)
    server = PostgresServer(folder)
    server.start()
    yield server
    server.stop()
    server.remove()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return postgres.url(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mixtune.db"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of either kind."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found
