import json

import numpy as np
import pytest

from mixtune.recipe import FloatArray
from mixtune.rules import RuleState, StepSignals, state_of, stored
from mixtune.rules.tdro import TDRO


def signals(sources: list[int], loss: list[float], reference: list[float]) -> StepSignals:
    return StepSignals(np.array(sources), np.array(loss), np.array(reference))


def uniform(count: int) -> FloatArray:
    return np.full(count, 1 / count)


def ran(rule: TDRO, steps: list[StepSignals], count: int) -> RuleState:
    state = rule.start(uniform(count))
    for step in steps:
        state = rule.step(state, step)
    return state


def frozen(ratios: list[float]) -> StepSignals:
    return signals(list(range(len(ratios))), ratios, [1.0] * len(ratios))


@pytest.mark.parametrize("clip, times", [(True, 2.2), (False, 55.0)])
def test_at_the_papers_dose_a_ratio_20_percent_larger_weighs_2_2_times_as_much_and_unclipped_55(
    clip: bool, times: float
) -> None:
    state = ran(TDRO(eta=0.2, clip=clip), [frozen([1.2] + [1.0] * 24)] * 100, 25)
    w = TDRO().weights(state)
    assert w[0] / w[1] == pytest.approx(times, rel=0.01)


def test_the_dose_decides_not_the_number_of_steps() -> None:
    batch = frozen([1.2, 1.0, 0.7])
    few, many = ran(TDRO(eta=0.5), [batch] * 40, 3), ran(TDRO(eta=0.02), [batch] * 1000, 3)
    assert few["log_w"] == pytest.approx(many["log_w"], abs=1e-9)


def test_the_ratio_is_that_of_the_means_over_the_batches_that_hold_a_source() -> None:
    first = signals([0, 0, 1], [1.0, 3.0, 6.0], [2.0, 2.0, 2.0])  # P = 2, 6; Q = 2, 2
    second = signals([1, 1], [1.0, 1.0], [1.0, 1.0])  # source 1: P and Q move by .1 / .19 of the difference
    state = ran(TDRO(), [first, second], 3)
    rate = 0.1 / 0.19
    p, q = 6 + (1 - 6) * rate, 2 + (1 - 2) * rate
    assert state["proxy_loss"] == pytest.approx([2, p, 0])
    assert state["reference_loss"] == pytest.approx([2, q, 0])
    assert state["seen"].tolist() == [1, 2, 0]
    assert TDRO().measured(state) == pytest.approx([1, p / q, (1 + p / q) / 2])


def test_the_corrected_average_is_the_weighted_mean_of_the_values() -> None:
    values = [3.0, 1.0, 4.0, 1.0, 5.0]
    state = ran(TDRO(), [signals([0], [value], [1.0]) for value in values], 1)
    shares = 0.9 ** np.arange(len(values))[::-1]
    assert state["proxy_loss"] == pytest.approx(values @ shares / shares.sum())


def test_one_step_adds_the_ratios_scaled_to_norm_1() -> None:
    state = ran(TDRO(eta=1.0), [signals([0, 1], [3.0, 4.0], [1.0, 1.0])], 2)
    assert state["log_w"][1] - state["log_w"][0] == pytest.approx(0.8 - 0.6)


def test_ratios_of_norm_below_1_are_not_scaled() -> None:
    state = ran(TDRO(eta=1.0), [signals([0, 1], [0.3, 0.4], [1.0, 1.0])], 2)
    assert state["log_w"][1] - state["log_w"][0] == pytest.approx(0.1)


def test_a_reference_loss_near_zero_counts_as_5_percent_of_the_median() -> None:
    state = ran(TDRO(), [signals([0, 1, 2], [1.0, 1.0, 1.0], [1e-9, 1.0, 2.0])], 3)
    assert TDRO().measured(state) == pytest.approx([20, 1, 0.5])


def test_a_source_not_seen_moves_like_the_mean_of_the_seen() -> None:
    state = ran(TDRO(eta=1.0, clip=False), [signals([0, 1], [1.0, 3.0], [1.0, 1.0])], 3)
    steps = state["log_w"] - state["log_w"][0]
    assert steps == pytest.approx([0, 2, 1])


def test_authors_mode_on_a_batch_made_by_hand() -> None:
    # References over their sum: .5, .49, .01; the last lies below 5 % of the mean (1/60) and becomes 1.
    batch = signals([0, 1, 1], [1.0, 0.49, 2.0], [50.0, 49.0, 1.0])
    state = ran(TDRO(mode="authors", eta=1.0), [batch], 3)
    # Ratios 2, 1, 2; per source 2, 1.5, absent 0; norm 2.5.
    assert state["log_w"] - state["log_w"][2] == pytest.approx([0.8, 0.6, 0.0])


def test_authors_mode_averages_over_micro_batches_where_an_absent_source_counts_0() -> None:
    batch = signals([0, 0, 0, 1], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0])
    state = ran(TDRO(mode="authors", eta=1.0, micro_batch=2), [batch], 2)
    # Shares are .5: ratios 2. Source 0 has 2 and 2, source 1 has 0 and 2: means 2 and 1.
    assert state["log_w"][0] - state["log_w"][1] == pytest.approx((2 - 1) / np.sqrt(5))


def test_authors_mode_clamps_ratios_at_0() -> None:
    batch = signals([0, 1], [-1.0, 1.0], [1.0, 1.0])
    state = ran(TDRO(mode="authors", eta=1.0), [batch], 2)
    assert state["log_w"][1] - state["log_w"][0] == pytest.approx(1.0)


def noisy(rng: np.random.Generator) -> StepSignals:
    """Source 0 still learns (1.5 -> 1.0), source 1 is at its end, source 2 is noise that nobody can learn."""
    sources = np.repeat(np.arange(3), 8)
    level = np.array([1.5, 0.5, 3.0])[sources] + rng.normal(0, 0.05, 24)
    return StepSignals(sources, level, np.array([1.0, 0.5, 2.9])[sources])


def test_loss_collapses_onto_the_noisiest_source_and_the_ratio_does_not() -> None:
    ended = {}
    for mode in ("ratio", "loss"):
        rule, rng = TDRO(mode=mode, eta=0.2), np.random.default_rng(0)
        ended[mode] = rule.weights(ran(rule, [noisy(rng) for _ in range(100)], 3))
    assert ended["loss"].argmax() == 2 and ended["loss"][2] > 0.99
    assert ended["ratio"].argmax() == 0 and ended["ratio"][2] < 0.1


def test_the_difference_collapses_onto_a_source_whose_losses_are_merely_large() -> None:
    # 20 % headroom at a loss of 0.1, 4 % at a loss of 3: the difference sees .02 and .12.
    batch = signals([0, 1], [0.12, 3.12], [0.1, 3.0])
    ended = {mode: ran(TDRO(mode=mode, eta=1.0), [batch] * 100, 2)["log_w"] for mode in ("ratio", "difference")}
    assert ended["difference"][1] - ended["difference"][0] == pytest.approx(10)
    assert ended["ratio"][0] > ended["ratio"][1]


def test_last_mean_and_moving_average_of_the_weights_are_kept() -> None:
    rule, rng = TDRO(eta=2.0, ema=0.5), np.random.default_rng(1)
    state, path = rule.start(uniform(3)), []
    for _ in range(4):
        state = rule.step(state, noisy(rng))
        path.append(rule.weights(state))
    shares = 0.5 ** np.arange(4)[::-1]
    assert state["mean"] == pytest.approx(np.mean(path, axis=0))
    assert state["ema"] == pytest.approx(shares @ np.array(path) / shares.sum())
    assert rule.weights(state) == pytest.approx(path[-1])


@pytest.mark.parametrize("mode", ["ratio", "authors", "difference", "loss"])
def test_a_chain_of_rounds_is_one_long_run_bit_for_bit(mode: str) -> None:
    rule, rng = TDRO(mode=mode), np.random.default_rng(2)  # type: ignore[arg-type]
    steps = [noisy(rng) for _ in range(12)]
    state = rule.start(uniform(3))
    for index, step in enumerate(steps):
        if index % 5 == 0:
            state = state_of(rule, json.loads(json.dumps(stored(state))))
        state = rule.step(state, step)
    assert stored(state) == stored(ran(rule, steps, 3))


def test_a_step_leaves_the_state_before_it_as_it_was() -> None:
    rule = TDRO()
    state = rule.start(uniform(3))
    before = stored(state)
    rule.step(state, noisy(np.random.default_rng(0)))
    assert stored(state) == before


def test_a_source_without_weight_stays_without() -> None:
    state = TDRO().start(np.array([0.5, 0.0, 0.5]))
    for _ in range(50):
        state = TDRO(eta=1.0).step(state, signals([0, 2], [1.0, 2.0], [1.0, 1.0]))
    assert TDRO().weights(state)[1] == 0
    assert np.isfinite(state["log_w"]).all()


def test_a_source_without_weight_takes_no_part_in_the_norm() -> None:
    alone = TDRO().step(TDRO().start(uniform(2)), signals([0, 1], [1.0, 2.0], [1.0, 1.0]))
    beside = TDRO().step(TDRO().start(np.array([0.5, 0.5, 0.0, 0.0])), signals([0, 1], [1.0, 2.0], [1.0, 1.0]))
    assert TDRO().weights(beside)[:2] == pytest.approx(TDRO().weights(alone), abs=1e-15)


def test_examples_weigh_their_sources_weight_scaled_to_the_batch() -> None:
    state = TDRO().start(np.array([0.6, 0.2, 0.2]))
    assert TDRO().example_weights(state, np.array([0, 1, 1])) == pytest.approx([0.6, 0.2, 0.2])
    assert TDRO().example_weights(state, np.array([1, 2])) == pytest.approx([0.5, 0.5])


def test_a_step_without_reference_losses_is_refused() -> None:
    with pytest.raises(ValueError, match="rule 'tdro' reads reference"):
        TDRO().step(TDRO().start(uniform(1)), StepSignals(np.array([0]), np.array([1.0])))
