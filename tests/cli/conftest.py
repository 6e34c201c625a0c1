from pathlib import Path

import pytest
from desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("MIXTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MIXTUNE_DB", raising=False)
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path)


@pytest.fixture
def done(desk: Desk) -> Desk:
    """A desk on which study `duo` has run to its end."""
    assert desk("run", desk.write()).exit_code == 0
    return desk
