from collections.abc import Iterator

import pytest
import torch

pytest.register_assert_rewrite("trainer_contract")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Results are promised equal at equal numbers of threads, and small work is faster on one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
