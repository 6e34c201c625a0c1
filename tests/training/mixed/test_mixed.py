from dataclasses import replace

import numpy as np
import pytest
import torch
from small_study import bench_of, synthetic

from mixtune.training.mixed.step import MixedStep, mixed_step, weighted_mean
from mixtune.training.walks.walk import Taken

TABLE, PREPARED = synthetic()
GOOD, OTHER = PREPARED.sources["good"], PREPARED.sources["other"]


def step_of_three() -> MixedStep:
    """Two examples of `good` with two negatives and one, and one of `other` with none."""
    negatives = np.array([[GOOD.documents[0], GOOD.documents[1]], [GOOD.documents[2], -1], [-1, -1]])
    return mixed_step({0: Taken(np.array([3, 8])), 2: Taken(np.array([5]))}, [GOOD, GOOD, OTHER], negatives)


def losses(step: MixedStep, temperature: float = 0.1) -> torch.Tensor:
    return step.losses(torch.from_numpy(TABLE.embeddings[step.texts()]), temperature)[0]


def test_an_example_is_told_from_its_own_negatives_alone() -> None:
    e, step = TABLE.embeddings.astype(np.float64), step_of_three()

    def expected(pair: int, negatives: list[int]) -> float:
        q = e[GOOD.queries[pair]]
        scores = np.array([q @ e[GOOD.documents[d]] for d in [pair, *negatives]]) / 0.1
        return float(np.log(np.exp(scores).sum()) - scores[0])

    assert losses(step).tolist() == pytest.approx([expected(3, [0, 1]), expected(8, [2]), 0.0], rel=1e-5)
    assert step.sources.tolist() == [0, 0, 2]


def test_cosines_are_those_of_query_and_positive() -> None:
    step = step_of_three()
    _, cosine = step.losses(torch.from_numpy(TABLE.embeddings[step.texts()]), 0.1)
    e = TABLE.embeddings
    assert cosine.tolist() == pytest.approx((e[step.queries] * e[step.documents]).sum(axis=1).tolist(), abs=1e-6)


def test_an_example_without_negatives_has_no_gradient() -> None:
    model, step = bench_of(TABLE, PREPARED).model, step_of_three()
    found, _ = step.losses(model.embed(step.texts()), 0.1)
    (alone,) = torch.autograd.grad(found[2], list(model.parameters.values()), retain_graph=True)
    (both,) = torch.autograd.grad(found.sum(), list(model.parameters.values()))
    assert not alone.any() and both.isfinite().all() and both.any()


def test_a_step_goes_down_the_mean_by_the_weights_of_sources() -> None:
    weights = np.array([0.2, 0.2, 0.6])
    values = torch.tensor([1.0, 2.0, 4.0])
    assert weighted_mean(step_of_three(), values, weights).item() == pytest.approx(0.2 + 0.4 + 2.4)


def test_row_weights_multiply_those_of_sources_and_leave_their_sum() -> None:
    step = replace(step_of_three(), weights=np.array([1.0, 3.0, 0.5]))
    values, w = torch.tensor([1.0, 2.0, 4.0]), np.array([0.2, 0.2, 0.6])
    expected = (0.2 * 1 + 0.6 * 2 + 0.3 * 4) / (0.2 + 0.6 + 0.3)
    assert weighted_mean(step, values, w).item() == pytest.approx(expected)
    assert weighted_mean(step, values, 2 * w).item() == pytest.approx(2 * expected)
    assert weighted_mean(replace(step, weights=np.zeros(3)), values, w).item() == 0.0


def test_the_factors_of_a_pruning_walk_multiply_the_losses() -> None:
    step = replace(step_of_three(), scale=np.array([1.0, 2.0, 1.0]))
    assert weighted_mean(step, torch.ones(3), np.full(3, 1 / 3)).item() == pytest.approx(4 / 3)


def test_row_weights_and_factors_stay_with_their_examples() -> None:
    rows = replace(GOOD, weights=np.arange(200, dtype=np.float32))
    taken = {1: Taken(np.array([4]), weights=np.array([7.0], dtype=np.float32)), 0: Taken(np.array([9, 2]))}
    step = mixed_step(taken, [rows, OTHER], np.full((3, 2), -1))
    assert (step.weights.tolist(), step.scale.tolist()) == ([1.0, 9.0, 2.0], [7.0, 1.0, 1.0])
    assert step.texts().tolist() == [
        *(OTHER.queries[4], GOOD.queries[9], GOOD.queries[2]),
        *(OTHER.documents[4], GOOD.documents[9], GOOD.documents[2]),
    ]


def test_the_parts_of_a_step_have_its_losses() -> None:
    step = step_of_three()
    assert [place for place, _ in step.blocks()] == [0, 2]
    apart = torch.cat([losses(step.part(own)) for _, own in step.blocks()])
    torch.testing.assert_close(apart, losses(step))
