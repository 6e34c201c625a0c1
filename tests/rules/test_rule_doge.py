import json

import numpy as np
import pytest

from mixtune.rules import StepSignals, state_of, stored
from mixtune.rules.doge import DoGE

NAN = float("nan")


def signals(product: list[float], norm: list[float]) -> StepSignals:
    return StepSignals(np.array([0]), np.array([1.0]), product=np.array(product), norm=np.array(norm))


def moves(product: list[float], norm: list[float]) -> list[float]:
    """How far each log weight moved from that of the last source, at eta 1."""
    count = len(product)
    state = DoGE(eta=1.0).step(DoGE().start(np.full(count, 1 / count)), signals(product, norm))
    return list(state["log_w"] - state["log_w"][-1])


def test_the_product_is_divided_by_the_mean_norm_of_the_clipped_gradients() -> None:
    # Norms 0.2 and 3 (clipped to 1) have the mean 0.6.
    assert moves([0.3, 0.0], [0.2, 3.0]) == pytest.approx([0.5, 0.0])


def test_the_quotient_is_clipped_to_0_and_5() -> None:
    assert moves([9.0, -2.0, 0.0], [1.0, 1.0, 1.0]) == pytest.approx([5.0, 0.0, 0.0])


def test_an_absent_source_counts_0_and_its_norm_not_at_all() -> None:
    assert moves([0.3, NAN, 0.0], [0.5, NAN, 0.5]) == pytest.approx([0.6, 0.0, 0.0])


def test_a_batch_of_vanished_or_absent_gradients_moves_nothing() -> None:
    assert moves([0.0, 0.0], [0.0, 0.0]) == [0.0, 0.0]
    assert moves([NAN, NAN], [NAN, NAN]) == [0.0, 0.0]


def test_eta_is_its_own_setting() -> None:
    state = DoGE(eta=0.05).step(DoGE().start(np.array([0.5, 0.5])), signals([0.4, 0.0], [1.0, 1.0]))
    assert state["log_w"][0] - state["log_w"][1] == pytest.approx(0.02)


def test_what_comes_of_it_is_the_mean_over_the_steps() -> None:
    state, path = DoGE(eta=1.0).start(np.array([0.5, 0.5])), []
    for product in (0.4, 0.1, 0.9):
        state = DoGE(eta=1.0).step(state, signals([product, 0.0], [1.0, 1.0]))
        path.append(DoGE().weights(state))
    assert state["mean"] == pytest.approx(np.mean(path, axis=0))


def test_a_chain_of_rounds_is_one_long_run_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    steps = [signals(rng.normal(0, 1, 5).tolist(), rng.random(5).tolist()) for _ in range(12)]
    once = chained = DoGE().start(np.full(5, 0.2))
    for index, step in enumerate(steps):
        if index % 5 == 0:
            chained = state_of(DoGE(), json.loads(json.dumps(stored(chained))))
        once, chained = DoGE().step(once, step), DoGE().step(chained, step)
    assert stored(once) == stored(chained)


def test_a_step_without_gradients_is_refused() -> None:
    with pytest.raises(ValueError, match="rule 'doge' reads product"):
        DoGE().step(DoGE().start(np.ones(1)), StepSignals(np.array([0]), np.array([1.0])))
