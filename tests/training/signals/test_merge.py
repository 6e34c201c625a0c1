import math

import pytest
import torch

from mixtune.proposal import Probe
from mixtune.training.signals.merge import KeptSoftmaxMerge, LinearMerge, Merge, SoftmaxMerge, merge_for

CHANGES = {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([0.0, 1.0]), "c": torch.tensor([5.0, 5.0])}


def merged(merge: Merge, **influences: float) -> tuple[dict[str, float], list[float]]:
    for source, influence in influences.items():
        merge.add(source, influence, 0.1, CHANGES[source].clone())
    weights, change = merge.result()
    return weights, [] if change is None else change.tolist()


def test_linear_weights_are_shares_of_the_positive_influence() -> None:
    weights, change = merged(LinearMerge(), a=0.3, c=-0.4, b=0.1)
    assert weights == pytest.approx({"a": 0.75, "b": 0.25})
    assert change == pytest.approx([0.75, 0.25])


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_softmax_weights_do_not_depend_on_the_order_of_the_probes(order: tuple[str, str]) -> None:
    influences = {"a": 0.3, "b": 0.1}
    weights, change = merged(SoftmaxMerge(0.2), **{source: influences[source] for source in order})
    share = 1 / (1 + math.exp(-1))
    assert weights == pytest.approx({"a": share, "b": 1 - share})
    assert change == pytest.approx([share, 1 - share])


def test_a_tiny_temperature_takes_the_best_change_without_overflow() -> None:
    weights, change = merged(SoftmaxMerge(1e-6), b=0.1, a=0.3)
    assert weights["a"] == pytest.approx(1)
    assert change == pytest.approx([1, 0])


def test_a_rounds_own_temperature_is_the_spread_of_all_influences() -> None:
    # Population std of .3, .1, -.4 is .2944, above the mean error .1; the harmful source counts for it.
    weights, _ = merged(KeptSoftmaxMerge(), a=0.3, b=0.1, c=-0.4)
    spread = math.sqrt((0.3**2 + 0.1**2 + 0.4**2) / 3)
    assert weights["a"] / weights["b"] == pytest.approx(math.exp(0.2 / spread))
    assert "c" not in weights


def test_a_rounds_own_temperature_is_at_least_the_noise() -> None:
    weights, _ = merged(KeptSoftmaxMerge(), a=0.03, b=0.01)
    assert weights["a"] / weights["b"] == pytest.approx(math.exp(0.02 / 0.1))


@pytest.mark.parametrize("merge", [LinearMerge, KeptSoftmaxMerge, lambda: SoftmaxMerge(1.0)])
def test_nothing_is_merged_when_no_probe_helped(merge: type[Merge]) -> None:
    assert merged(merge(), a=-0.1, b=0.0) == ({}, [])


@pytest.mark.parametrize("merge", [LinearMerge, lambda: SoftmaxMerge(1.0)])
def test_one_accumulator_is_all_that_is_kept(merge: type[Merge]) -> None:
    one = merge()
    for index in range(5):
        one.add(str(index), 0.1 + index, 0.1, torch.ones(1000))
    held = sum(value.numel() for value in vars(one).values() if isinstance(value, torch.Tensor))
    assert held == 1000


def test_a_strange_weighting_is_refused() -> None:
    with pytest.raises(ValueError, match="reptile is 'cubic': use 'linear' or 'softmax'"):
        merge_for(Probe(("a",), 1, reptile="cubic"))
