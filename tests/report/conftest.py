import os
from collections.abc import Callable, Iterator

import pytest
from browser import Browser, chromium
from ledger import PROPORTIONAL, TUNED, UNIFORM, Ledger

from mixtune.proposal import Role


@pytest.fixture
def opened() -> Ledger:
    """A study whose baselines are judged, and whose search has not begun."""
    ledger = Ledger()
    ledger.add(Role.SURVEY, PROPORTIONAL, 0.1, flops=1.0)
    for replicate in (0, 1):
        ledger.add(Role.ANCHOR, UNIFORM, 0.30 + 0.01 * replicate, label="uniform", replicate=replicate)
        ledger.add(Role.ANCHOR, PROPORTIONAL, 0.20 + 0.01 * replicate, label="proportional", replicate=replicate)
    return ledger


@pytest.fixture
def judged(opened: Ledger) -> Callable[[float], Ledger]:
    """The same after a search whose recommendation was judged at a level."""

    def finish(level: float) -> Ledger:
        opened.add(Role.SEARCH, UNIFORM, 0.2)
        opened.add(Role.SEARCH, TUNED, 0.4)
        for replicate in (0, 1):
            opened.add(Role.RERUN, TUNED, level + 0.01 * replicate, label="best", replicate=replicate)
        return opened

    return finish


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium."""
    program = chromium()
    if program is None:
        missing = "Chromium is not installed"
        if "chromium" in os.environ.get("MIXTUNE_REQUIRE", "").split(","):
            pytest.fail(f"{missing}, and MIXTUNE_REQUIRE names chromium")
        pytest.skip(missing)
    found = Browser(program, tmp_path_factory.mktemp("profile"))
    yield found
    found.close()
