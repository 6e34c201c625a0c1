"""What a shell is offered when a name is half typed: studies of the database, export formats.

A completion answers at once or offers nothing: it never speaks of an error, and never makes a database.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from mixtune.errors import StoreError

NAMES = "select name, created from studies union select name, created from comparisons order by created"
"""Studies and comparisons, oldest first."""

PATIENCE = 2
"""Seconds that a shell waits for a server."""


def study_names(url: str, incomplete: str) -> list[str]:
    """Names of the studies and comparisons in a database."""
    try:
        names = _in_file(url) if url.startswith("sqlite") else _on_server(url)
    except (StoreError, sqlite3.Error):
        return []
    return _beginning(names, incomplete)


def export_formats(incomplete: str) -> list[str]:
    """Formats that a recipe can be exported in."""
    from mixtune.export import EXPORTERS

    return _beginning(EXPORTERS, incomplete)


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _in_file(url: str) -> list[str]:
    """Names in a SQLite file, without the second that loading SQLAlchemy takes."""
    path = Path(urlsplit(url).path.removeprefix("/")).expanduser().absolute()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=PATIENCE)) as file:
        return [name for name, _ in file.execute(NAMES)]


def _on_server(url: str) -> list[str]:
    from mixtune.store.sql import open_store

    late = "" if "connect_timeout" in url else f"{'&' if '?' in url else '?'}connect_timeout={PATIENCE}"
    with closing(open_store(url + late, create=False)) as store:
        names = [record.study.name for record in store.studies()]
        return names + [record.comparison.name for record in store.comparisons()]
