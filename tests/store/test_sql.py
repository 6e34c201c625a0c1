from collections.abc import Iterator

import pytest
from sqlalchemy import text
from store_contract import Silence, StoreContract

from mixtune.store.base import Store
from mixtune.store.database import Database
from mixtune.store.sql import open_store


class SqlContract(StoreContract):
    @pytest.fixture
    def store(self, url: str) -> Iterator[Store]:
        store = open_store(url)
        yield store
        store.close()

    @pytest.fixture
    def silence(self, store: Store, url: str) -> Iterator[Silence]:
        database = Database(url)
        older = text("update leases set renewed = renewed - :seconds")
        yield lambda seconds: database.write(lambda db: db.execute(older, {"seconds": seconds}) and None)
        database.close()


class TestSqliteStore(SqlContract):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestPostgresStore(SqlContract):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
