import numpy as np
import pytest
from scipy.stats import t as student

from mixtune.report.contrast import contrast

MINE = [np.array([[0.5, 0.7, 0.9], [0.7, 1.1, 0.9]])]
OTHER = [np.array([[0.4, 0.5, 0.6], [0.4, 0.7, 0.4]])]
"""Differences: .1 .2 .3 and .3 .4 .5, as of two seeds and three queries without anything left over."""


def test_values_are_paired_by_replicate_and_query() -> None:
    found = contrast(MINE, OTHER)
    quantile = (0.01 / 3 * student.ppf(0.975, 2) + 0.01 * student.ppf(0.975, 1)) / (0.01 / 3 + 0.01)
    half = quantile * (0.01 / 3 + 0.01) ** 0.5
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == (pytest.approx(0.3 - half), pytest.approx(0.3 + half))
    assert (found.replicates, found.queries) == (2, 3)
    assert found.winner == 0


def test_the_probability_is_that_of_the_intervals_own_distribution() -> None:
    # One query counts as much in every run: what is left is the t distribution over runs, 1 degree of freedom.
    found = contrast([np.array([[0.3, 0.3], [0.5, 0.5]])], [np.zeros((2, 2))])
    assert found.probability == pytest.approx(student.cdf(0.4 / (0.02 / 2) ** 0.5, 1))


def test_the_other_side_sees_the_mirror_image() -> None:
    rng = np.random.default_rng(0)
    sides = [[rng.normal(size=(5, 40)) + shift, rng.normal(size=(5, 20))] for shift in (2.0, 0.0)]
    there, back = contrast(sides[0], sides[1]), contrast(sides[1], sides[0])
    assert (back.value, back.low, back.high) == (-there.value, -there.high, -there.low)
    assert back.probability == pytest.approx(1 - there.probability)
    assert (there.winner, back.winner) == (1, -1)


def test_somebody_wins_exactly_where_the_probability_passes_its_tail() -> None:
    rng = np.random.default_rng(1)
    found = [contrast([rng.normal(size=(3, 20)) + 0.3], [rng.normal(size=(3, 20))]) for _ in range(200)]
    assert {one.winner for one in found} == {0, 1}
    assert all((one.winner == 1) == (one.probability > 0.975) for one in found)


def test_equal_contenders_have_no_winner() -> None:
    found = contrast(MINE, MINE)
    assert (found.value, found.low, found.high, found.probability, found.winner) == (0, 0, 0, 0.5, 0)


def test_sides_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="equal replicates and queries"):
        contrast(MINE, [OTHER[0][:1]])
    with pytest.raises(ValueError, match="equal replicates and queries"):
        contrast(MINE, [*OTHER, *OTHER])
