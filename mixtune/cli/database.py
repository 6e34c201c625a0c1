"""Commands that look after what is stored: rm and db upgrade."""

import shutil
from contextlib import closing

import typer

from mixtune.cli.options import Db, Name, database
from mixtune.cli.parts import parts_of


def remove(context: typer.Context, name: Name, db: Db = None) -> None:
    """Remove a study with the looks into it, or a comparison.

    Trials and checkpoints go with it, and the studies of a comparison. What was cached of the data stays.
    """
    from mixtune.config import home

    with closing(parts_of(context).open_store(database(db))) as store:
        comparing = name in {each.comparison.name for each in store.comparisons()}
        records = [record for record in store.studies() if record.study.of == name]
        if comparing:
            store.delete_comparison(name)
        else:
            records.append(store.study(name))
            for record in records:
                store.delete_study(record.study.name)
    for record in records:
        folder = home().artifacts / record.uid
        if folder.is_dir():
            shutil.rmtree(folder)
    looks = f" and {len(records) - 1} looks into it" if len(records) > 1 else ""
    typer.echo(
        f"Removed comparison {name} with {len(records)} studies." if comparing else f"Removed study {name}{looks}."
    )


def upgrade(context: typer.Context, db: Db = None) -> None:
    """Bring a database of an older mixtune up to this version. Safe to repeat."""
    parts_of(context).upgrade(database(db))
    typer.echo("The database is up to date.")
