from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mixtune.policies import (
    adam,
    clarity,
    doge,
    doremi,
    dro,
    exponential,
    faded,
    kl,
    log_softmax,
    reinforce_expected,
    reinforce_sum,
    running_error,
    running_mean,
    softmax,
    standardise,
)
from mixtune.recipe import FloatArray

ONE = np.ones(1)
RAW = np.array([0.5, 0.3, 0.1, 0.1])
influences = st.integers(2, 12).flatmap(lambda n: arrays(float, n, elements=st.floats(-1, 1, width=32), unique=True))


def column(values: FloatArray) -> FloatArray:
    return values[:, None]


def simplex_projection(point: FloatArray) -> FloatArray:
    ordered = np.sort(point)[::-1]
    for size in count(len(point), -1):
        shift = (ordered[:size].sum() - 1) / size
        if ordered[size - 1] > shift:
            return np.maximum(point - shift, 0)
    raise AssertionError


def test_the_first_value_sets_a_running_mean_and_later_ones_move_it_by_three_tenths() -> None:
    mean = running_mean([5.0, 5.0], [1.0, 1.0], first=[True, False])
    assert mean.tolist() == pytest.approx([1.0, 3.8])


def test_standardised_influence_has_mean_0_and_deviation_1() -> None:
    z = standardise([[1.0], [2.0], [3.0]], np.zeros((3, 1)), ONE)
    assert z.tolist() == pytest.approx([-np.sqrt(1.5), 0, np.sqrt(1.5)])


def test_differences_smaller_than_their_noise_stay_small() -> None:
    u = np.array([[0.01], [0.02], [0.03]])
    noise = np.full((3, 1), 0.1)
    assert standardise(u, noise, ONE).tolist() == pytest.approx([-0.1, 0, 0.1])


def test_the_noise_floor_is_the_root_mean_square_of_the_errors() -> None:
    z = standardise([[0.0], [0.2]], [[0.3], [0.4]], ONE)
    assert z[1] == pytest.approx(0.1 / np.sqrt((0.3**2 + 0.4**2) / 2))


def test_pure_noise_below_the_floor_lifts_no_source() -> None:
    rng = np.random.default_rng(0)
    u = 0.001 * rng.standard_normal((16, 3))
    shares = 16 * kl(np.full(16, 1 / 16), standardise(u, np.full((16, 3), 0.01), np.full(3, 1 / 3)))
    bare = 16 * kl(np.full(16, 1 / 16), standardise(u, np.zeros((16, 3)), np.full(3, 1 / 3)))
    assert shares.min() > 0.7 and shares.max() < 1.4
    assert bare.max() > 3


def test_one_outlier_does_not_take_everything() -> None:
    u = np.r_[1e6, np.linspace(0, 1, 19)]
    z = standardise(column(u), np.zeros((20, 1)), ONE)
    assert z.max() == 2
    assert kl(np.full(20, 0.05), z)[0] < 0.6


def test_one_source_alone_is_compared_with_nothing() -> None:
    assert standardise([[0.7]], [[0.0]], ONE).tolist() == [0]


def test_equal_sources_return_to_their_prior() -> None:
    prior = np.array([0.7, 0.2, 0.1])
    assert kl(prior, standardise(np.full((3, 2), 0.4), np.zeros((3, 2)), [0.5, 0.5])) == pytest.approx(prior)


@given(influences, st.floats(-5, 5), st.floats(0.1, 100))
def test_a_common_shift_or_scale_of_influences_changes_nothing(u: FloatArray, shift: float, scale: float) -> None:
    u = np.round(u, 3)
    plain = standardise(column(u), np.full((len(u), 1), 0.1), ONE)
    moved = standardise(column(shift + scale * u), np.full((len(u), 1), 0.1 * scale), ONE)
    assert moved == pytest.approx(plain, abs=1e-6)


@given(influences)
def test_a_target_counted_twice_is_the_same_target(u: FloatArray) -> None:
    noise = np.full((len(u), 1), 0.01)
    twice = standardise(np.c_[u, u], np.c_[noise, noise], [0.3, 0.7])
    assert twice == pytest.approx(standardise(column(u), noise, ONE), abs=1e-9)


def test_the_average_over_targets_is_standardised_again() -> None:
    u = np.eye(16)[:, :6]
    z = standardise(u, np.zeros((16, 6)), np.full(6, 1 / 6))
    assert z.std() == pytest.approx(1)
    assert z[:6].min() > z[6:].max()


def test_a_target_without_importance_counts_for_nothing() -> None:
    u = np.array([[0.0, 9.0], [1.0, 5.0], [3.0, -7.0]])
    assert standardise(u, np.zeros((3, 2)), [1.0, 0.0]) == pytest.approx(standardise(u[:, :1], np.zeros((3, 1)), ONE))


@given(influences)
def test_kl_weights_are_the_prior_times_exp_beta_z(u: FloatArray) -> None:
    prior = softmax(np.arange(len(u)) / 3)
    z = standardise(column(u), np.full((len(u), 1), 0.01), ONE)
    expected = prior * np.exp(1.5 * z)
    assert kl(prior, z) == pytest.approx(expected / expected.sum())


@given(influences)
def test_kl_weights_maximise_gain_minus_divergence_from_the_prior(z: FloatArray) -> None:
    prior, beta = softmax(np.arange(len(z)) / 3), 1.5

    def value(w: FloatArray) -> float:
        return float(w @ z - w @ np.log(w / prior) / beta)

    w = kl(prior, z, beta)
    rng = np.random.default_rng(0)
    assert all(value(w) >= value(softmax(np.log(w) + 0.2 * rng.standard_normal(len(w)))) - 1e-12 for _ in range(20))


def test_reinforce_with_the_sum_settles_at_weights_proportional_to_rewards() -> None:
    psi = np.zeros(4)
    for _ in range(1000):
        psi = reinforce_sum(psi, RAW, 0.1)
    assert softmax(psi) == pytest.approx([0.5, 0.3, 0.1, 0.1], abs=1e-3)


def test_reinforce_with_the_expectation_ends_on_the_best_source() -> None:
    psi = np.zeros(4)
    for _ in range(5000):
        psi = reinforce_expected(psi, RAW, 0.1)
    assert softmax(psi)[0] > 0.99


@pytest.mark.parametrize("rewards", [[0.6, 0.5, -0.3, 0.1], [1.0, 0.4, -0.2], [0.5, 0.5, 0.5, -0.9]])
def test_reinforce_with_the_sum_projects_negative_rewards_on_the_simplex(rewards: list[float]) -> None:
    r, psi = np.array(rewards), np.zeros(len(rewards))
    for _ in range(20000):
        psi = reinforce_sum(psi, r, 0.1)
    assert softmax(psi) == pytest.approx(simplex_projection(r / r.sum()), abs=2e-3)


@pytest.mark.parametrize("rule", [reinforce_sum, reinforce_expected])
def test_a_reinforce_step_without_gain_is_skipped(rule: type) -> None:
    psi = np.array([0.3, -0.3])
    assert rule(psi, [0.5, -0.5]) is psi


def test_a_sum_step_is_the_gradient_of_the_rewarded_log_weights() -> None:
    psi = np.array([0.4, -0.1, 0.2])
    r = np.array([0.2, np.nan, 0.3])
    w = softmax(psi)
    by_hand = psi + 0.1 * (0.2 * (np.array([1, 0, 0]) - w) + 0.3 * (np.array([0, 0, 1]) - w))
    assert reinforce_sum(psi, r, 0.1) == pytest.approx(by_hand)


def test_an_expected_step_is_the_gradient_of_the_expected_reward() -> None:
    psi, r, h = np.array([0.4, -0.1, 0.2]), np.array([0.2, -0.1, 0.3]), 1e-6
    slope = [(softmax(psi + h * e) @ r - softmax(psi - h * e) @ r) / (2 * h) for e in np.eye(3)]
    assert reinforce_expected(psi, r, 1.0) - psi == pytest.approx(slope, abs=1e-6)


def test_an_exponential_step_adds_the_standardised_reward() -> None:
    psi = exponential([0.0, 1.0, 0.0], [1.0, np.nan, 3.0], 0.1)
    assert psi.tolist() == pytest.approx([-0.1, 1.0, 0.1])


def test_exponential_weights_end_on_the_best_source() -> None:
    psi = np.zeros(4)
    for _ in range(500):
        psi = exponential(psi, RAW, 0.1)
    assert softmax(psi)[0] > 0.99


@pytest.mark.parametrize("rewards", [[0.1, 0.1, 0.1], [np.nan, 0.3, np.nan], [np.nan] * 3])
def test_exponential_weights_stay_where_nothing_differs(rewards: list[float]) -> None:
    assert exponential([0.1, 0.2, 0.3], rewards).tolist() == [0.1, 0.2, 0.3]


def test_the_error_of_a_running_mean_of_independent_values_falls() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((12, 20_000))
    mean, error = noise[0], np.ones(1)
    for value in noise[1:]:
        mean = running_mean(mean, value, first=False, rate=0.3)
        error = running_error(error, np.ones(1), first=False, overlap=0.0, rate=0.3)
    assert error[0] == pytest.approx(mean.std(), rel=0.02)
    assert running_error([5.0], [0.2], first=True, overlap=0.5).tolist() == [0.2]


@pytest.mark.parametrize("size", [20, 48, 80])
def test_the_error_of_a_running_mean_of_samples_from_one_set_falls_as_far_as_they_do_not_overlap(size: int) -> None:
    rng, means = np.random.default_rng(0), []
    for _ in range(4000):
        values, mean = rng.standard_normal(80), None
        for _ in range(12):
            drawn = rng.choice(values, size, replace=False).mean()
            mean = drawn if mean is None else running_mean(mean, drawn, first=False, rate=0.3)
        means.append(mean)
    each = 1 / np.sqrt(size)
    error = np.array([each])
    for _ in range(11):
        error = running_error(error, [each], first=False, overlap=size / 80, rate=0.3)
    assert error[0] == pytest.approx(np.std(means), rel=0.05)


def test_clarity_is_the_share_of_the_spread_that_is_not_noise() -> None:
    influence, importance = np.array([[0.1, 0.2], [0.3, 0.2], [0.5, 0.8]]), [0.5, 0.5]
    error = np.full((3, 2), 0.1)
    spread = np.var([0.15, 0.25, 0.65])
    assert clarity(influence, error, importance) == pytest.approx(1 - 0.5 * 0.01 / spread)
    assert clarity(influence, 0 * error, importance) == 1
    assert clarity(influence, 10 * error, importance) == 0
    assert clarity(influence[:1], error[:1], importance) == 0
    assert clarity(np.ones((3, 2)), 0 * error, importance) == 0


@pytest.mark.parametrize(("share", "expected"), [(0.0, [0.1, 0.9]), (0.5, [0.25, 0.75]), (1.0, [0.5, 0.5])])
def test_a_prior_fades_to_uniform(share: float, expected: list[float]) -> None:
    assert faded([0.1, 0.9], share) == pytest.approx(expected)


@given(influences)
def test_log_softmax_is_the_logarithm_of_softmax(scores: FloatArray) -> None:
    assert log_softmax(scores) == pytest.approx(np.log(softmax(scores)))


@pytest.mark.parametrize("clip", [True, False])
def test_s_steps_of_tdro_on_the_same_ratios_are_one_of_s_times_the_size(clip: bool) -> None:
    ratios, start = np.array([1.2, 1.0, 0.7, 1.1]), np.log([0.4, 0.3, 0.2, 0.1])
    stepped = start
    for _ in range(50):
        stepped = dro(stepped, ratios, 0.02, clip=clip)
    assert stepped == pytest.approx(dro(start, ratios, 50 * 0.02, clip=clip), abs=1e-12)


def test_tdros_dose_of_20_makes_a_ratio_20_percent_larger_2_2_times_as_heavy_and_unclipped_55_times() -> None:
    ratios, start = np.array([1.2] + [1.0] * 24), np.zeros(25)
    clipped, free = dro(start, ratios, 20.0), dro(start, ratios, 20.0, clip=False)
    assert np.exp(clipped[0] - clipped[1]) == pytest.approx(2.2, abs=0.05)
    assert np.exp(free[0] - free[1]) == pytest.approx(55, abs=0.5)


def test_doremi_multiplies_then_mixes_with_uniform() -> None:
    w = np.exp(doremi(np.log([0.5, 0.5]), [np.log(3), 0.0], smoothing=0.1))
    assert w == pytest.approx([0.9 * 0.75 + 0.05, 0.9 * 0.25 + 0.05])


def test_s_steps_of_doremi_are_not_one_of_s_times_the_size() -> None:
    once = doremi(np.log([0.5, 0.5]), [20.0, 0.0])
    twice = doremi(doremi(np.log([0.5, 0.5]), [10.0, 0.0]), [10.0, 0.0])
    assert once != pytest.approx(twice, abs=1e-5)


def test_doge_divides_by_the_mean_norm_and_clips_to_0_and_5() -> None:
    moved = doge(np.zeros(4), [0.3, 9.0, -1.0, np.nan], 0.5, eta=0.1)
    assert moved - moved[3] == pytest.approx([0.06, 0.5, 0.0, 0.0])


def test_adams_first_step_is_of_its_rate_whatever_the_size_of_the_rewards() -> None:
    for size in (1.0, 1e-3):
        none = (np.zeros(2), np.zeros(2), 0)
        psi, _ = adam(np.zeros(2), none, np.array([size, 0.0]), updates=1, rate=0.01)
        assert psi == pytest.approx([0.01, -0.01], rel=1e-4)


def test_adam_rests_where_the_weights_are_proportional_to_the_rewards() -> None:
    psi, _ = adam(np.zeros(4), (np.zeros(4), np.zeros(4), 0), RAW, updates=5000, rate=0.01)
    assert softmax(psi) == pytest.approx(RAW / RAW.sum(), abs=0.001)


def test_adam_in_two_parts_is_adam_in_one() -> None:
    none = (np.zeros(4), np.zeros(4), 0)
    whole, _ = adam(np.zeros(4), none, RAW, updates=9, rate=0.01)
    half, moments = adam(np.zeros(4), none, RAW, updates=4, rate=0.01)
    assert adam(half, moments, RAW, updates=5, rate=0.01)[0].tolist() == whole.tolist()


def test_adam_takes_no_step_on_rewards_that_are_all_0() -> None:
    moments = (np.ones(2), np.ones(2), 3)
    psi, after = adam(np.array([1.0, 2.0]), moments, np.zeros(2), updates=5, rate=0.01)
    assert psi.tolist() == [1, 2] and after is moments
