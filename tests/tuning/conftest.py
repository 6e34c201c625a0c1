"""One private Ray for the tests of the seam to it; kills start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mixtune.tuning import engine


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # workers import the analytic trainer from here
        with engine.cluster(2):
            yield
