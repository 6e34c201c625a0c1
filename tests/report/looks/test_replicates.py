import numpy as np
import pytest
from listing import look, runs

from mixtune.recipe import FloatArray
from mixtune.report.looks.replicates import against, difference, reliability, replicates, told_half

# Row and column effects and a rest of +-.01 that sums to 0 along both: mean square .0004 / 1.
TABLE = np.array([[0.31, 0.31], [0.49, 0.53]])


def test_means_come_from_the_seeds_that_every_recipe_has() -> None:
    found = replicates(look("audit"), runs({"a": [0.3, 0.4], "b": [0.5]}))
    assert found is not None
    assert (found.seeds, list(found.listings)) == (1, ["a", "b"])
    assert found.overall.tolist() == [[0.3], [0.5]]
    assert found.targets["easy"] == pytest.approx(np.array([[0.35], [0.55]]))


def test_a_recipe_that_failed_is_left_out_and_named() -> None:
    found = replicates(look("audit"), runs({"a": [0.3, 0.4], "b": [0.5, None], "c": [0.1, 0.2]}))
    assert found is not None
    assert (list(found.listings), found.failed, found.seeds) == (["a", "c"], ("b",), 2)


def test_before_a_seed_is_complete_there_is_nothing() -> None:
    assert replicates(look("audit"), []) is None
    assert replicates(look("audit"), runs({"a": [None], "b": [None]})) is None


def test_a_difference_by_hand() -> None:
    # The rest is (.01, -.01; -.01, .01), its mean square .0004 on 1 degree of freedom: 12.706 * sqrt(2 * .0004 / 2).
    found = difference(TABLE, 1, 0)
    assert found.value == pytest.approx(0.2)
    assert found.half == pytest.approx(12.706 * 0.02, rel=1e-3)
    assert not found.beyond_noise


def test_what_a_seed_does_to_all_alike_is_no_noise_of_a_difference() -> None:
    found = difference(np.array([[0.1, 0.3], [0.2, 0.4], [0.5, 0.7]]), 1, 0)
    assert (found.value, found.half) == pytest.approx((0.1, 0.0))


def test_against_a_number_it_is() -> None:
    found = against(np.array([[0.1, 0.3], [0.2, 0.4], [0.5, 0.7]]), 1, 0.25)
    # The seeds differ by .2: mean square 3 * .02 on 1 degree of freedom, a third of which counts for one recipe.
    assert found.value == pytest.approx(0.05)
    assert found.half == pytest.approx(12.706 * np.sqrt(0.02 / 2), rel=1e-3)


def test_one_seed_tells_no_noise() -> None:
    assert difference(TABLE[:, :1], 1, 0).half is None
    assert against(TABLE[:, :1], 1, 0.0).half is None
    assert reliability(TABLE[:, :1]) is None
    assert told_half(difference(TABLE[:, :1], 1, 0)) == ""


def test_reliability_is_the_share_of_the_means_variance_that_is_no_noise() -> None:
    # Means .31 and .51 have variance .02; the noise of a mean of two seeds is .0004 / 2.
    assert reliability(TABLE) == pytest.approx(1 - 0.0002 / 0.02)
    assert reliability(np.array([[0.1, 0.2], [0.2, 0.1]])) is None
    assert reliability(np.array([[0.1, 0.2], [0.21, 0.1]])) == 0


def noisy(rng: np.random.Generator, uneven: float) -> tuple[FloatArray, FloatArray]:
    """True levels of 11 recipes, and their scores on 3 seeds that share noise; recipes differ in theirs if uneven."""
    levels, spread = rng.normal(0, 0.02, 11), 0.002 * np.exp(uneven * rng.standard_normal(11))
    shared = 0.001 * rng.standard_normal(3)
    return levels, levels[:, None] + shared + spread[:, None] * rng.standard_normal((11, 3))


@pytest.mark.parametrize("uneven", [0.0, 0.35])
def test_intervals_cover_also_where_recipes_are_not_equally_noisy(uneven: float) -> None:
    rng, covered = np.random.default_rng(3), np.zeros(2)
    for _ in range(1000):
        levels, values = noisy(rng, uneven)
        pair, lone = difference(values, 3, 0), against(values, 3, 0.1)
        assert pair.half is not None and lone.half is not None
        covered += [
            abs(pair.value - (levels[3] - levels[0])) <= pair.half,
            abs(lone.value - (levels[3] - 0.1)) <= lone.half,
        ]
    assert (covered / 1000 > 0.92).all() and (covered / 1000 < 0.98).all()
