import json

import numpy as np
import pytest

from mixtune.rules import StepSignals, state_of, stored
from mixtune.rules.doremi import DoReMi


def signals(sources: list[int], loss: list[float], reference: list[float]) -> StepSignals:
    return StepSignals(np.array(sources), np.array(loss), np.array(reference))


HALVES = np.array([0.5, 0.5])


def test_one_step_multiplies_by_the_exponential_of_the_excess_and_smooths() -> None:
    state = DoReMi().step(DoReMi().start(HALVES), signals([0, 1], [2.0, 1.0], [1.0, 1.0]))
    raw = np.exp([1.0, 0.0]) / np.exp([1.0, 0.0]).sum()
    assert DoReMi().weights(state) == pytest.approx(0.999 * raw + 0.0005)


def test_smoothing_keeps_every_weight_above_its_part_of_c() -> None:
    state = DoReMi().start(HALVES)
    for _ in range(100):
        state = DoReMi().step(state, signals([0, 1], [9.0, 1.0], [1.0, 1.0]))
    assert DoReMi().weights(state)[1] == pytest.approx(1e-3 / 2, rel=1e-3)


def test_the_excess_is_the_mean_over_examples_of_what_exceeds_the_reference() -> None:
    state = DoReMi().step(DoReMi().start(HALVES), signals([0, 0, 1], [3.0, 0.0, 1.0], [1.0, 4.0, 2.0]))
    assert state["excess"] == pytest.approx([1.0, 0.0])


def test_an_absent_source_keeps_its_last_excess() -> None:
    state = DoReMi().step(DoReMi().start(HALVES), signals([0, 1], [2.0, 1.5], [1.0, 1.0]))
    before = state["log_w"]
    state = DoReMi(smoothing=0.0).step(state, signals([0], [1.0], [1.0]))
    assert state["excess"] == pytest.approx([0.0, 0.5])
    assert (state["log_w"][1] - state["log_w"][0]) - (before[1] - before[0]) == pytest.approx(0.5)


def test_what_comes_of_it_is_the_mean_over_the_steps() -> None:
    state, path = DoReMi().start(HALVES), []
    for loss in (2.0, 3.0, 1.0):
        state = DoReMi().step(state, signals([0, 1], [loss, 1.0], [1.0, 1.0]))
        path.append(DoReMi().weights(state))
    assert state["mean"] == pytest.approx(np.mean(path, axis=0))


def test_a_source_without_weight_gets_none_by_smoothing() -> None:
    state = DoReMi().start(np.array([0.5, 0.5, 0.0]))
    for _ in range(50):
        state = DoReMi().step(state, signals([0, 1], [9.0, 1.0], [1.0, 1.0]))
    assert DoReMi().weights(state)[2] == 0 and np.isfinite(state["log_w"]).all()
    assert DoReMi().weights(state)[1] == pytest.approx(1e-3 / 2, rel=1e-2)


def test_examples_weigh_their_sources_weight_over_its_probability_of_being_drawn() -> None:
    state = DoReMi().start(np.array([0.75, 0.25, 0.0]))
    assert DoReMi().example_weights(state, np.array([0, 1, 0, 0])) == pytest.approx(np.array([1.5, 0.5, 1.5, 1.5]) / 4)


def test_a_chain_of_rounds_is_one_long_run_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    steps = [StepSignals(rng.integers(0, 5, 8), rng.random(8), rng.random(8)) for _ in range(12)]
    once = chained = DoReMi().start(np.full(5, 0.2))
    for index, step in enumerate(steps):
        if index % 5 == 0:
            chained = state_of(DoReMi(), json.loads(json.dumps(stored(chained))))
        once, chained = DoReMi().step(once, step), DoReMi().step(chained, step)
    assert stored(once) == stored(chained)
