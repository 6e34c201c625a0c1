import numpy as np
import pytest

from mixtune.report.correlation import correlation, correlation_cells


def test_a_perfect_order_is_one_and_its_interval_is_no_point() -> None:
    found = correlation([np.arange(8.0)], [np.arange(8.0) ** 3])
    assert found is not None and found.value == 1
    assert 0.6 < found.low < 0.95 and found.high == 1


def test_by_hand() -> None:
    # Ranks differ by (1, 1, 0, 0, 0): 1 - 6 * 2 / (5 * 24); atanh(.9) = 1.472, half of it 1.96 sqrt(1.405 / 2) = 1.643.
    found = correlation([np.array([1.0, 2, 3, 4, 5])], [np.array([2.0, 1, 3, 4, 5])])
    assert found is not None
    assert found.value == pytest.approx(0.9)
    assert (found.low, found.high) == pytest.approx((np.tanh(1.4722 - 1.6428), np.tanh(1.4722 + 1.6428)), abs=1e-3)


@pytest.mark.parametrize(("things", "constant"), [(4, False), (8, True)])
def test_too_few_things_or_a_side_that_never_changes_say_nothing(things: int, constant: bool) -> None:
    other = np.ones(things) if constant else np.arange(things, dtype=np.float64)
    assert correlation([np.arange(things, dtype=np.float64)], [other]) is None
    assert correlation_cells(None) == ("-", "-")


@pytest.mark.parametrize("truth", [0.0, 0.6, 0.9])
def test_intervals_over_eight_recipes_cover(truth: float) -> None:
    rng = np.random.default_rng(5)
    spearman = 6 / np.pi * np.arcsin(truth / 2)
    covered = 0
    for _ in range(600):
        first = rng.standard_normal(8)
        second = truth * first + np.sqrt(1 - truth**2) * rng.standard_normal(8)
        found = correlation([first], [second])
        assert found is not None
        covered += found.low <= spearman <= found.high
    assert 0.91 < covered / 600 < 0.995
