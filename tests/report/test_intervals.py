import numpy as np
import pytest
from scipy.stats import t as student

from mixtune.report.intervals import interval


def test_one_seed_gives_the_usual_t_interval_over_queries() -> None:
    found = interval([np.array([[1.0, 2.0, 3.0, 4.0]])])
    assert found.value == 2.5
    # var 5/3 over 4 queries, 3 degrees of freedom, t = 3.18245
    assert found.half == pytest.approx(3.18245 * (5 / 3 / 4) ** 0.5, rel=1e-5)
    assert (found.seeds, found.queries) == (1, 4)


def test_two_seeds_add_the_variance_between_runs() -> None:
    found = interval([np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]])])
    # queries: means 2, 3, 4, nothing left over -> 1/3 with 2 df; runs: means 2, 4 -> 2/2 with 1 df
    quantile = (1 / 3 * student.ppf(0.975, 2) + 1 * student.ppf(0.975, 1)) / (1 / 3 + 1)
    assert found.value == 3.0
    assert found.half == pytest.approx(quantile * (1 / 3 + 1) ** 0.5)
    assert student.ppf(0.975, found.freedom) == pytest.approx(quantile)


def test_what_differs_by_seed_and_query_together_counts_once() -> None:
    found = interval([np.array([[2.0, 1.0, 7.0], [1.0, 4.0, 9.0]])])
    # queries: means 3/2, 5/2, 8, variance 49/4 = 12.25; runs: means 10/3, 14/3, variance 8/9; left over in the first
    # run 7/6, -5/6, -2/6, less in the second, so their mean square is 2 * 78/36 / (1 * 2) = 13/6.
    queries, runs = (12.25 - 13 / 6 / 2) / 3, 8 / 9 / 2
    quantile = (queries * student.ppf(0.975, 2) + runs * student.ppf(0.975, 1)) / (queries + runs)
    assert found.half == pytest.approx(quantile * (queries + runs) ** 0.5)


def test_queries_that_differ_by_no_more_than_chance_leave_the_t_interval_over_runs() -> None:
    values = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    # means of queries 4/3, 5/3: variance 1/18, below a third of the mean square of what is left over
    found, runs = interval([values]), np.array([0.5, 1.0, 3.0])
    assert found.freedom == pytest.approx(2)
    assert found.half == pytest.approx(student.ppf(0.975, 2) * (runs.var(ddof=1) / 3) ** 0.5)


def test_targets_add_their_query_variances_and_share_their_runs() -> None:
    first = np.array([[1.0, 3.0], [3.0, 5.0]]) / 2
    second = np.array([[2.0, 4.0, 6.0], [0.0, 2.0, 4.0]]) / 2
    found = interval([first, second])
    # Each target's runs differ by 1 in opposite directions: nothing is left between seeds, nor over.
    queries = 1.0 / 2 / 2, 1.0 / 3
    quantile = (queries[0] * student.ppf(0.975, 1) + queries[1] * student.ppf(0.975, 2)) / sum(queries)
    assert found.value == pytest.approx(1.5 + 1.5)
    assert found.half == pytest.approx(quantile * sum(queries) ** 0.5)
    assert found.queries == 5


def test_the_share_above_zero_agrees_with_the_ends() -> None:
    values = np.random.default_rng(3).normal(size=(4, 30))
    at_zero = interval([values - interval([values]).low])
    assert at_zero.low == pytest.approx(0, abs=1e-12)
    assert at_zero.above_zero == pytest.approx(0.975)
    assert interval([values - values.mean()]).above_zero == pytest.approx(0.5)
    assert interval([np.full((2, 2), -1.0)]).above_zero == 0.0


def test_equal_values_have_no_width() -> None:
    found = interval([np.full((3, 5), 0.1)])
    assert (found.low, found.high) == (found.value, found.value)


def test_a_shift_moves_the_interval_and_a_scale_stretches_it() -> None:
    values = np.random.default_rng(5).normal(size=(3, 20))
    plain, moved = interval([values]), interval([2 * values + 1])
    assert moved.low == pytest.approx(2 * plain.low + 1)
    assert moved.high == pytest.approx(2 * plain.high + 1)


def test_single_queries_and_uneven_seeds_are_refused() -> None:
    for parts in ([np.ones((2, 1))], [np.ones((2, 3)), np.ones((1, 3))], []):
        with pytest.raises(ValueError, match="an interval needs parts"):
            interval(parts)


@pytest.mark.parametrize(
    "query_sd, seed_sd, noise_sd, seeds",
    [
        (1, 0, 0, 3),
        (0, 1, 0, 3),
        (0, 0, 1, 2),
        (0, 0, 1, 5),
        (1, 0, 0.5, 3),
        (1, 0.3, 0.5, 3),
        (0.2, 0.5, 1, 2),
        (1, 0.1, 0.5, 5),
    ],
)
def test_coverage_is_what_is_promised(query_sd: float, seed_sd: float, noise_sd: float, seeds: int) -> None:
    rng, studies, queries = np.random.default_rng(1), 800, 40
    held = 0
    for _ in range(studies):
        values = (
            0.4
            + query_sd * rng.normal(size=(1, queries))
            + seed_sd * rng.normal(size=(seeds, 1))
            + noise_sd * rng.normal(size=(seeds, queries))
        )
        found = interval([values])
        held += found.low <= 0.4 <= found.high
    # 94.5 to 98 %, give or take three standard errors of 800 draws
    assert 0.945 - 0.024 <= held / studies <= 0.98 + 0.015


def test_the_interval_is_not_much_wider_than_it_has_to_be() -> None:
    rng = np.random.default_rng(2)
    widths = [interval([rng.normal(size=(1, 400)) + 0.1 * rng.normal(size=(3, 400))]).half for _ in range(50)]
    assert np.mean(widths) == pytest.approx(1.96 / 20, rel=0.1)
