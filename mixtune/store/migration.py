"""The revisions of the tables: which one a database has, which ones this mixtune knows, and the way from one on."""

from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from mixtune.store.tables import VERSION_TABLE

_ONE_AT_A_TIME = Lock()  # Alembic's `context` is one per process


def head() -> str:
    """The revision that this mixtune works with."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def known(revision: str) -> bool:
    """Say whether this mixtune knows a revision, which it does up to its own."""
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False


def revision(db: Connection) -> str | None:
    """The revision of a database, None where mixtune has never been."""
    return MigrationContext.configure(db, opts={"version_table": VERSION_TABLE}).get_current_revision()


def migrate(db: Connection) -> None:
    """Bring a database to the head revision inside the transaction that is open."""
    config = _config()
    config.attributes["connection"] = db
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config
