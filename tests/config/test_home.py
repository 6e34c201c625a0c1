from pathlib import Path

import pytest

from mixtune.config import Home, home
from mixtune.errors import ConfigError


def test_home_is_the_folder_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIXTUNE_HOME", str(tmp_path / "here"))
    assert home().cache == tmp_path / "here" / "cache"


def test_a_home_that_is_ready_exists_and_holds_nothing(tmp_path: Path) -> None:
    assert Home(tmp_path / "new" / "home").ready().root.is_dir()
    assert list((tmp_path / "new" / "home").iterdir()) == []


@pytest.mark.parametrize("inside", ["", "deeper"])
def test_a_home_that_cannot_be_written_is_refused(tmp_path: Path, inside: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file.* cannot be written \(.*\): set MIXTUNE_HOME"):
        Home(tmp_path / "file" / inside).ready()
