import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from postgres_server import PostgresServer
from sqlalchemy import Connection, inspect, text
from store_contract import finish, make_study, make_trial

from mixtune.errors import StoreError
from mixtune.store import migrations
from mixtune.store.database import Database
from mixtune.store.lease import process_owner
from mixtune.store.migration import head
from mixtune.store.sql import open_store, upgrade
from mixtune.store.tables import VERSION_TABLE, metadata


def execute(url: str, *statements: str) -> None:
    database = Database(url)

    def work(db: Connection) -> None:
        for statement in statements:
            db.execute(text(statement))

    database.write(work)
    database.close()


def table_names(url: str) -> set[str]:
    database = Database(url)
    names = database.read(lambda db: set(inspect(db).get_table_names()))
    database.close()
    return names


def downgrade(db: Connection, revision: str) -> None:
    """Go back, as nobody does but a test that needs an old database."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = db
    command.downgrade(config, revision)


# Migrations


def test_models_and_migrations_agree(url: str) -> None:
    upgrade(url)
    database = Database(url)
    options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
    compared = database.read(lambda db: compare_metadata(MigrationContext.configure(db, opts=options), metadata))
    database.close()
    assert compared == []


def test_a_table_that_no_migration_makes_is_noticed(sqlite_url: str) -> None:
    upgrade(sqlite_url)
    execute(sqlite_url, "drop table leases")
    database = Database(sqlite_url)
    options = {"version_table": VERSION_TABLE}
    compared = database.read(lambda db: compare_metadata(MigrationContext.configure(db, opts=options), metadata))
    database.close()
    assert [change[0] for change in compared] == ["add_table"]


def test_an_empty_database_gets_its_tables_and_keeps_what_it_holds(url: str) -> None:
    store = open_store(url)
    record = store.create_study(make_study())
    store.close()
    upgrade(url)
    store = open_store(url, create=False)
    assert store.studies() == [record]
    store.close()
    assert table_names(url) == set(metadata.tables) | {VERSION_TABLE}


def test_a_database_of_the_first_version_keeps_its_trials_through_the_upgrade(url: str) -> None:
    store = open_store(url)
    store.create_study(make_study())
    lease = store.acquire("homes", process_owner())
    store.update_study(lease, add=[finish(make_trial(0))])
    store.release(lease)
    trials = store.trials("homes")
    store.close()
    database = Database(url)
    database.write(lambda db: downgrade(db, "0001"))
    database.close()
    with pytest.raises(StoreError, match="mixtune db upgrade"):
        open_store(url)
    upgrade(url)
    store = open_store(url)
    assert store.trials("homes") == trials
    assert (store.comparisons(), store.twin("f")) == ([], None)
    store.close()


def test_a_database_of_an_older_version_asks_for_the_upgrade(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(url)
    monkeypatch.setattr("mixtune.store.database.head", lambda: "9999")
    with pytest.raises(StoreError, match=rf"of an older mixtune \(revision {head()}\): run `mixtune db upgrade`"):
        open_store(url)


def test_a_database_of_a_newer_version_is_left_alone(url: str) -> None:
    upgrade(url)
    execute(url, f"update {VERSION_TABLE} set version_num = '9999'")
    for act in (open_store, upgrade):
        with pytest.raises(StoreError, match=rf"newer mixtune \(revision 9999, .*{head()}\): upgrade mixtune"):
            act(url)


def test_another_programs_database_is_left_alone(url: str) -> None:
    execute(url, "create table bookmarks (id integer primary key)")
    with pytest.raises(StoreError, match=r"holds tables \(bookmarks\), but not mixtune's"):
        open_store(url)
    assert table_names(url) == {"bookmarks"}


def test_mixtunes_tables_stand_beside_anothers_where_the_user_says_so(url: str) -> None:
    execute(url, "create table bookmarks (id integer primary key)")
    upgrade(url)
    open_store(url).close()
    assert "bookmarks" in table_names(url)


def test_tables_of_the_same_names_are_never_touched(url: str) -> None:
    execute(url, "create table studies (study_id integer primary key)")
    with pytest.raises(StoreError, match=r"another program's tables of the same names \(studies\)"):
        upgrade(url)
    assert table_names(url) == {"studies"}


def test_a_failed_upgrade_leaves_nothing_behind(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def migrate_halfway(db: Connection) -> None:
        metadata.tables["studies"].create(db)
        db.execute(text("insert into nowhere values (1)"))

    monkeypatch.setattr("mixtune.store.database.migrate", migrate_halfway)
    with pytest.raises(StoreError, match="nowhere"):
        open_store(url)
    assert table_names(url) == set()


# Durability settings


def test_sqlite_is_set_to_survive_a_power_cut_and_to_be_read_while_written(sqlite_url: str) -> None:
    open_store(sqlite_url).close()
    database = Database(sqlite_url)

    def work(db: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [db.scalar(text(f"PRAGMA {name}")) for name in names]

    assert database.read(work) == ["wal", 2, 1, 30000]
    database.close()


def test_readers_do_not_wait_for_a_writer(url: str) -> None:
    store = open_store(url)
    store.create_study(make_study())
    lease = store.acquire("homes", process_owner())
    other = Database(url)

    def work(db: Connection) -> int:
        db.execute(text("update leases set owner = 'x'"))
        return len(store.studies()) + len(store.trials("homes"))

    assert other.write(work) == 1
    other.close()
    store.release(lease)
    store.close()


# What cannot be opened


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mixtune.db", r"'mixtune\.db' is not the URL of a database: use sqlite:///PATH or postgresql://"),
        ("", r"'' is not the URL of a database"),
        ("mysql://me:secret@host/x", r"'mysql://me:\*\*\*@host/x' is a database of another kind: use sqlite"),
        ("postgresql+psycopg2://me:secret@host/x", r"another kind"),
        ("postgresql://me:sec:ret@host:port/x", r"'postgresql://me:\*\*\*@host:port/x' is not the URL"),
        ("sqlite://", r"names no file.*three slashes"),
        ("sqlite://mixtune.db", r"names no file.*three slashes"),
        ("sqlite:///:memory:", r"names no file"),
        ("sqlite:////nowhere/at/all/mixtune.db", r"there is no folder /nowhere/at/all: make it first"),
        ("sqlite:////tmp", r"sqlite:////tmp is a folder: name a file in it"),
        ("sqlite:////proc/mixtune.db", r"sqlite:////proc/mixtune.db: unable to open.*you may write to it"),
        (
            "postgresql://me:secret@127.0.0.1:1/x",
            r"postgresql://me:\*\*\*@127\.0\.0\.1:1/x: .*refused.*check that the server runs",
        ),
        (
            "postgresql://127.0.0.1:1/x?user=me&password=secret",
            r"/x\?password=\*\*\*&user=me: .*check that the server runs",
        ),
    ],
)
def test_a_database_that_cannot_be_opened_is_answered_with_the_next_step(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as refused:
        open_store(url)
    assert "secret" not in str(refused.value)
    assert "sec:ret" not in str(refused.value)


def test_a_file_that_is_not_a_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("name: homes\n" * 100)
    with pytest.raises(StoreError, match="not a database: the file is something else"):
        open_store(f"sqlite:///{path}")
    assert path.read_text() == "name: homes\n" * 100


def test_a_reading_command_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no database .*`mixtune run FILE` makes it"):
        open_store(f"sqlite:///{tmp_path}/mixtune.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_server_database_is_not_filled_by_a_reading_command(postgres_url: str) -> None:
    with pytest.raises(StoreError, match="is empty"):
        open_store(postgres_url, create=False)
    assert table_names(postgres_url) == set()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda url: url.replace("/postgres?", "/nowhere?"), r'database "nowhere" does not exist: make it first'),
        (lambda url: url.replace("mixtune@", "nobody:secret@"), r'role "nobody" does not exist: check the user'),
    ],
)
def test_a_server_that_refuses_is_answered_with_the_next_step(
    postgres_url: str, change: Callable[[str], str], message: str
) -> None:
    with pytest.raises(StoreError, match=message) as refused:
        open_store(change(postgres_url))
    assert "secret" not in str(refused.value)


def test_a_server_user_who_may_not_make_tables_is_told_so(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
    with pytest.raises(StoreError, match=r"permission denied.*ask the owner"):
        open_store(postgres.url().replace("mixtune@", "reader@"))


def test_a_file_without_write_permission_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "mixtune.db"
    store = open_store(f"sqlite:///{path}")
    store.create_study(make_study())
    store.close()
    path.chmod(0o444)
    code = (
        "import sys\n"
        "from mixtune.errors import StoreError\n"
        "from mixtune.store.sql import open_store\n"
        "from store_contract import make_study\n"
        "try: open_store(f'sqlite:///{sys.argv[1]}').create_study(make_study('other'))\n"
        "except StoreError as error: print(error)\n"
    )
    contracts = str(Path(__file__).parents[1] / "contracts")
    # The superuser may write to any file as long as it holds this capability.
    humble = ["setpriv", "--bounding-set=-dac_override"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*humble, sys.executable, "-c", code, str(path)],
        env=os.environ | {"PYTHONPATH": contracts},
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search("readonly database: get write permission", done.stdout), done


def test_a_full_disk_is_answered_and_nothing_half_written_stays(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    before = store.create_study(make_study())
    lease = store.acquire("homes", process_owner())
    for connection in _pooled(store):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full: free some space, then `mixtune resume`"):
        store.update_study(lease, add=[make_trial(number) for number in range(300)])
    assert store.trials("homes") == []
    assert store.study("homes").state is before.state
    store.close()


def _pooled(store: object) -> list[sqlite3.Connection]:
    """The one connection that a store used by one thread keeps."""
    engine = store._database._engine  # type: ignore[attr-defined]
    with engine.connect() as db:
        return [db.connection.driver_connection]


def test_a_database_that_another_program_keeps_locked_is_answered(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(sqlite_url).close()
    monkeypatch.setattr("mixtune.store.database.WAIT_SECONDS", 0.2)
    store = open_store(sqlite_url)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked: another program"):
        store.create_study(make_study())
    other.execute("COMMIT")
    store.create_study(make_study())
    other.close()
    store.close()


def test_a_row_that_cannot_be_read_is_named(url: str) -> None:
    store = open_store(url)
    store.create_study(make_study())
    execute(url, """update studies set study = '{"name": "homes"}'""")
    with pytest.raises(StoreError, match=r"'homes' holds rows that this mixtune cannot read .*Study: sources"):
        store.study("homes")
    store.close()


def test_the_place_of_a_sqlite_file_does_not_follow_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///mixtune.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.close()
    store.create_study(make_study())
    store.close()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_deadlock_is_met_by_trying_again(postgres_url: str) -> None:
    open_store(postgres_url).close()
    database = Database(postgres_url)
    tries = []

    def work(db: Connection) -> int:
        tries.append(1)
        if len(tries) < 3:
            db.execute(text("do $$ begin raise exception 'passing' using errcode = '40P01'; end $$"))
        return len(tries)

    assert database.write(work) == 3
    database.close()
