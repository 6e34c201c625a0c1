import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mixtune.recipe import FloatArray
from mixtune.space import (
    SOFTMAX_SPAN,
    SimplexMapping,
    coordinate_bounds,
    coordinates_of,
    default_floor,
    fit,
    moved,
    support,
    weights_at,
)

SIZES = st.sampled_from([2, 25, 1000])
SEEDS = st.integers(0, 2**32 - 1)
UNIFORM = [SimplexMapping.LOG, SimplexMapping.STICK]


def point_in(mapping: SimplexMapping, size: int, seed: int) -> FloatArray:
    low, high = np.array(coordinate_bounds(mapping, size)).T
    return np.random.default_rng(seed).uniform(low, high)


@pytest.mark.parametrize("mapping", SimplexMapping)
@given(SIZES, SEEDS)
@settings(max_examples=30, deadline=None)
def test_every_point_of_the_box_is_a_mixture(mapping: SimplexMapping, size: int, seed: int) -> None:
    weights = weights_at(mapping, point_in(mapping, size, seed).tolist(), size)
    assert weights.shape == (size,) and (weights >= 0).all() and weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("mapping", SimplexMapping)
@pytest.mark.parametrize("size", [1, 2, 25, 1000])
def test_the_corners_of_the_box_are_mixtures_too(mapping: SimplexMapping, size: int) -> None:
    bounds = coordinate_bounds(mapping, size)
    for corner in ([low for low, _ in bounds], [high for _, high in bounds]):
        weights = weights_at(mapping, corner, size)
        assert np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("mapping", SimplexMapping)
@given(SIZES, SEEDS)
@settings(max_examples=30, deadline=None)
def test_coordinates_of_a_mixture_lead_back_to_it(mapping: SimplexMapping, size: int, seed: int) -> None:
    weights = np.random.default_rng(seed).dirichlet(np.full(size, 5.0))
    assume(weights.max() / weights.min() < np.exp(2 * SOFTMAX_SPAN))
    point = coordinates_of(mapping, weights)
    bounds = coordinate_bounds(mapping, size)
    assert all(low <= x <= high for x, (low, high) in zip(point, bounds, strict=True))
    assert weights_at(mapping, point, size) == pytest.approx(weights, abs=1e-6)


@pytest.mark.parametrize("mapping", [SimplexMapping.SOFTMAX, SimplexMapping.LOG])
def test_one_heavy_source_among_a_thousand_keeps_its_weight(mapping: SimplexMapping) -> None:
    weights = np.r_[0.5, np.full(999, 0.5 / 999)]
    assert weights_at(mapping, coordinates_of(mapping, weights), 1000) == pytest.approx(weights)


def test_stick_breaking_keeps_the_ratios_of_what_is_left_where_a_share_is_too_large_for_it() -> None:
    weights = np.r_[0.5, np.full(999, 0.5 / 999)]
    back = weights_at(SimplexMapping.STICK, coordinates_of(SimplexMapping.STICK, weights), 1000)
    assert 0.02 < back[0] < 0.5
    assert back[1:] == pytest.approx((1 - back[0]) / 999)


@pytest.mark.parametrize("mapping", SimplexMapping)
def test_a_source_without_weight_stays_near_none(mapping: SimplexMapping) -> None:
    back = weights_at(mapping, coordinates_of(mapping, [0.6, 0.0, 0.4]), 3)
    assert back == pytest.approx([0.6, 0.0, 0.4], abs=3e-4)


@pytest.mark.parametrize("mapping", UNIFORM)
@pytest.mark.parametrize("size", [2, 3, 8])
def test_uniform_coordinates_are_uniform_on_the_simplex(mapping: SimplexMapping, size: int) -> None:
    rng = np.random.default_rng(0)
    dimensions = len(coordinate_bounds(mapping, size))
    weights = np.array([weights_at(mapping, point.tolist(), size) for point in rng.random((20000, dimensions))])
    # Moments of Dirichlet(1, ..., 1): mean 1/K, E w^2 = 2/(K(K+1)), E w_i w_j = 1/(K(K+1)).
    moments = weights.T @ weights / len(weights)
    assert weights.mean(axis=0) == pytest.approx(1 / size, rel=0.03)
    assert moments == pytest.approx((1 + np.eye(size)) / (size * (size + 1)), rel=0.06)


def test_softmax_reaches_sparse_mixtures_but_no_further_than_its_span() -> None:
    sparse = weights_at(SimplexMapping.SOFTMAX, [4.0, -4.0], 2)
    assert sparse[0] / sparse[1] == pytest.approx(np.exp(8))


def test_the_default_floor_is_a_tenth_of_a_percent_or_a_tenth_of_an_even_share() -> None:
    assert (default_floor(10), default_floor(1000)) == (1e-3, 1e-4)


def test_weights_within_bounds_are_left_alone() -> None:
    assert fit([0.2, 0.3, 0.5], [0.0] * 3, [1.0] * 3) == pytest.approx([0.2, 0.3, 0.5])


def test_what_a_cap_takes_goes_to_the_others_in_their_ratio() -> None:
    assert fit([0.7, 0.2, 0.1], [0.0] * 3, [0.4, 1.0, 1.0]) == pytest.approx([0.4, 0.4, 0.2])


def test_what_a_floor_needs_is_given_by_the_others_in_their_ratio() -> None:
    assert fit([0.6, 0.3, 0.1], [0.0, 0.0, 0.4], [1.0] * 3) == pytest.approx([0.4, 0.2, 0.4])


def test_sources_without_weight_share_what_caps_leave_over() -> None:
    assert fit([1.0, 0.0, 0.0], [0.0] * 3, [0.5, 1.0, 1.0]) == pytest.approx([0.5, 0.25, 0.25])


@pytest.mark.parametrize(("low", "high"), [([0.6, 0.6], [1.0, 1.0]), ([0.0, 0.0], [0.4, 0.5])])
def test_bounds_that_leave_no_mixture_are_refused(low: list[float], high: list[float]) -> None:
    with pytest.raises(ValueError, match="no mixture fits: the floors sum to"):
        fit([0.5, 0.5], low, high)


@given(SIZES, SEEDS)
@settings(max_examples=40, deadline=None)
def test_fitted_weights_keep_bounds_and_ratios(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(size, rng.choice([0.05, 1.0, 20.0])))
    low = rng.random(size) * 0.9 / size
    high = np.minimum(1.0, low + rng.random(size) * rng.choice([3.0, 30.0]) / size)
    assume(high.sum() > 1)
    fitted = fit(weights, low, high)
    assert fitted.sum() == pytest.approx(1)
    assert (fitted >= low - 1e-9).all() and (fitted <= high + 1e-9).all()
    free = (fitted > low * 1.0001) & (fitted < high * 0.9999) & (weights > 1e-9)
    if free.sum() > 1:
        ratios = fitted[free] / weights[free]
        assert ratios == pytest.approx(ratios[0], rel=1e-5)
        assert (
            fitted[~free & (fitted < high * 0.9999)] >= (ratios[0] * weights - 1e-9)[~free & (fitted < high * 0.9999)]
        ).all()


def test_the_heaviest_sources_stay() -> None:
    assert sorted(support([0.1, 0.4, 0.2, 0.3], np.ones(4), 2)) == [1, 3]


def test_a_source_that_must_be_included_goes_first() -> None:
    assert sorted(support([0.1, 0.4, 0.2, 0.3], np.ones(4), 2, must=[0])) == [0, 1]


def test_a_source_whose_cap_would_leave_no_mixture_is_passed_over() -> None:
    assert sorted(support([0.5, 0.3, 0.1, 0.1], [0.2, 0.2, 0.9, 0.7], 2)) == [0, 2]


@given(SIZES, SEEDS)
@settings(max_examples=30, deadline=None)
def test_the_chosen_sources_can_be_filled_to_1_whenever_that_is_possible(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    caps, k = rng.random(size) ** 3, int(rng.integers(1, min(size, 30) + 1))
    assume(np.sort(caps)[-k:].sum() >= 1)
    chosen = support(rng.random(size), caps, k)
    assert len(chosen) <= k and caps[chosen].sum() >= 1 - 1e-9


@pytest.mark.parametrize("mapping", list(SimplexMapping))
def test_a_moved_point_has_the_weights_times_the_ratios(mapping: SimplexMapping) -> None:
    rng = np.random.default_rng(0)
    bounds = coordinate_bounds(mapping, 5)
    for _ in range(20):
        point = [rng.uniform(low / 3 + 0.2, high / 1.5) for low, high in bounds]
        ratios = rng.uniform(0.5, 2.0, 5)
        wanted = weights_at(mapping, point, 5) * ratios
        assert weights_at(mapping, moved(mapping, point, ratios), 5) == pytest.approx(wanted / wanted.sum())
        assert moved(mapping, point, np.ones(5)) == pytest.approx(point)


def test_a_moved_point_stays_in_the_box() -> None:
    assert moved(SimplexMapping.SOFTMAX, [3.9, -3.9], [2.0, 0.5]) == [4.0, -4.0]
