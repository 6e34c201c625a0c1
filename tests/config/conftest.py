from collections.abc import Callable
from pathlib import Path

import pytest

GOOD = """\
name: trio
sources:
  alpha: {kind: docstrings, package: numpy, weight: 2}
  beta: {kind: docstrings, package: scipy, limit: 50}
  gamma: {kind: docstrings, package: pandas, corrupt: 0.5}
targets:
  goal: {kind: docstrings, package: pandas}
search: {algorithm: uniform}
budget: {trials: 3}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write_file(text: str) -> Path:
        file = tmp_path / "study.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return write_file


@pytest.fixture
def good() -> str:
    return GOOD
