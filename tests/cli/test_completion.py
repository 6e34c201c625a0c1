import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from desk import Desk
from typer.testing import CliRunner

from mixtune.cli import create_app
from mixtune.cli.completion import study_names
from mixtune.search import Budget, Search
from mixtune.store.sql import open_store
from mixtune.study import Study

NAMED = ("show", "resume", "trials", "best", "export", "rm")


@pytest.fixture
def held(desk: Desk) -> Desk:
    """A desk with the studies `apple`, `avocado` and `beet` in its usual database."""
    with closing(open_store("sqlite:///mixtune.db", create=True)) as store:
        for name in ("apple", "avocado", "beet"):
            store.create_study(Study(name, (), (), Search("random"), Budget(trials=1)))
    return desk


def offered(*words: str, **more: str) -> list[str]:
    """What bash offers in place of the last word."""
    line = {"_MIXTUNE_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("mixtune", *words))}
    env = line | {"COMP_CWORD": str(len(words))} | more
    return CliRunner().invoke(create_app(), [], prog_name="mixtune", env=env).output.split()


@pytest.mark.parametrize("verb", NAMED)
def test_study_names_are_completed(held: Desk, verb: str) -> None:
    assert offered(verb, "a") == ["apple", "avocado"]


def test_nothing_typed_yet_offers_every_study_oldest_first(held: Desk) -> None:
    assert offered("show", "") == ["apple", "avocado", "beet"]


def test_the_database_of_the_environment_is_asked(held: Desk, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    with closing(open_store(url, create=True)) as store:
        store.create_study(Study("artichoke", (), (), Search("random"), Budget(trials=1)))
    assert offered("show", "a", MIXTUNE_DB=url) == ["artichoke"]
    assert offered("show", "--db", url, "a") == ["artichoke"]


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///missing.db",
        "sqlite:///nowhere/missing.db",
        "sqlite:///note.txt",
        "sqlite:///folder",
        "sqlite",
        "mysql://host/x",
        "postgresql://nobody@127.0.0.1:1/none",
    ],
)
def test_a_database_that_cannot_be_read_offers_nothing_and_is_not_made(desk: Desk, url: str) -> None:
    (desk.folder / "note.txt").write_text("shopping list " * 100)
    (desk.folder / "folder").mkdir()
    before = sorted(desk.folder.iterdir())
    assert offered("show", "", MIXTUNE_DB=url) == []
    assert sorted(desk.folder.iterdir()) == before


def test_a_database_server_is_asked_through_the_store(held: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def opened(url: str, *, create: bool) -> object:
        asked.append(url)
        return open_store("sqlite:///mixtune.db", create=create)

    monkeypatch.setattr("mixtune.store.sql.open_store", opened)
    assert study_names("postgresql://host/studies", "b") == ["beet"]
    assert asked == ["postgresql://host/studies?connect_timeout=2"]


def test_export_formats_are_completed(desk: Desk) -> None:
    assert offered("export", "duo", "--format", "s") == ["sentence-transformers"]


def test_verbs_are_completed(desk: Desk) -> None:
    assert offered("res") == ["resume"]


def test_help_tells_how_to_switch_completion_on(desk: Desk) -> None:
    assert "--install-completion" in desk("--help").output


def test_completing_a_study_in_a_file_loads_no_database_library(held: Desk) -> None:
    code = (
        "import sys; from mixtune.cli.completion import study_names; found = study_names('sqlite:///mixtune.db', 'b');"
        "sys.exit(0 if found == ['beet'] and 'sqlalchemy' not in sys.modules else 1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
