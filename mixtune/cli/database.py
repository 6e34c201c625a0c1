"""Commands that look after what is stored: rm and db upgrade."""

import shutil
from contextlib import closing

import typer

from mixtune.cli.options import Db, Name, database
from mixtune.cli.parts import parts_of


def remove(context: typer.Context, name: Name, db: Db = None) -> None:
    """Remove a study, its trials and its checkpoints. What was cached of its data stays."""
    from mixtune.config import home

    with closing(parts_of(context).open_store(database(db))) as store:
        record = store.study(name)
        store.delete_study(name)
    folder = home().artifacts / record.uid
    if folder.is_dir():
        shutil.rmtree(folder)
    typer.echo(f"Removed study {name}.")


def upgrade(context: typer.Context, db: Db = None) -> None:
    """Bring a database of an older mixtune up to this version. Safe to repeat."""
    parts_of(context).upgrade(database(db))
    typer.echo("The database is up to date.")
