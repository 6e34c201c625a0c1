import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "contracts"))
pytest.register_assert_rewrite("trainer_contract")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Results are promised equal at equal numbers of threads, and small work is faster on one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
