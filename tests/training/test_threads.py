import threading
from collections.abc import Iterator

import pytest
import torch

from mixtune.training.threads import at_most, spread

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_a_block_may_use_fewer_threads_and_never_more() -> None:
    for threads, inside in ((1, 1), (2, 2), (8, 2), (None, 2)):
        with at_most(threads):
            assert torch.get_num_threads() == inside
        assert torch.get_num_threads() == 2


def test_threads_are_given_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), at_most(1):
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == 2


def test_results_come_in_order_from_threads_that_compute_alone() -> None:
    def run(item: int) -> tuple[int, int, str]:
        return item, torch.get_num_threads(), threading.current_thread().name

    found = list(spread(run, range(50), CPU))
    assert [item for item, _, _ in found] == list(range(50))
    assert {threads for _, threads, _ in found} == {1}
    assert threading.current_thread().name not in {name for _, _, name in found}
    assert torch.get_num_threads() == 2


def test_one_thread_computes_where_it_is_asked() -> None:
    torch.set_num_threads(1)
    assert set(spread(lambda item: threading.current_thread(), range(3), CPU)) == {threading.current_thread()}


def test_only_a_few_results_wait_for_a_slow_taker() -> None:
    done: list[int] = []
    results = spread(done.append, range(100), CPU)
    next(results)
    results.close()
    assert len(done) <= 5
    assert torch.get_num_threads() == 2


def test_an_error_in_one_item_is_raised_and_ends_the_work() -> None:
    done: list[int] = []

    def run(item: int) -> None:
        if item == 3:
            raise ValueError("three")
        done.append(item)

    with pytest.raises(ValueError, match="three"):
        list(spread(run, range(1000), CPU))
    assert len(done) < 20
    assert torch.get_num_threads() == 2
