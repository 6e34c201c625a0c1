import pytest
import torch
from torch import nn

from mixtune.proxy import Proxy
from mixtune.training.optimiser import Optimiser


def optimiser(horizon: int | None = None, **settings: object) -> Optimiser:
    torch.manual_seed(0)
    return Optimiser(dict(nn.Linear(3, 2).named_parameters()), Proxy(**settings), horizon)  # type: ignore[arg-type]


def rates(one: Optimiser, steps: int) -> list[float]:
    found = []
    for one.position in range(steps):
        found.append(one.rate)
    return found


def step(one: Optimiser) -> None:
    one.step(sum((p**2).sum() for p in one.parameters.values()))


def test_the_rate_is_constant_without_warm_up() -> None:
    assert rates(optimiser(learning_rate=0.1), 3) == [0.1, 0.1, 0.1]


def test_the_rate_warms_up_and_falls_to_zero_behind_the_horizon() -> None:
    one = optimiser(10, learning_rate=1.0, warmup=0.2, schedule="linear")
    assert rates(one, 11) == pytest.approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0])


def test_a_linear_schedule_without_horizon_stays_constant() -> None:
    assert rates(optimiser(learning_rate=1.0, schedule="linear"), 400)[-1] == 1.0


def test_steps_equal_those_of_torchs_adam() -> None:
    one, layer = optimiser(learning_rate=0.01), nn.Linear(3, 2)
    layer.load_state_dict({name: value.detach() for name, value in one.parameters.items()})
    adam = torch.optim.Adam(layer.parameters(), lr=0.01)
    for _ in range(5):
        step(one)
        adam.zero_grad()
        sum((p**2).sum() for p in layer.parameters()).backward()
        adam.step()
    torch.testing.assert_close(one.parameters["weight"], layer.weight, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("before", [0, 3])
def test_a_restored_snapshot_goes_on_bit_for_bit(before: int) -> None:
    one = optimiser(learning_rate=0.01)
    for _ in range(before):
        step(one)
    kept = one.snapshot()
    step(one)
    expected = one.snapshot()
    step(one)
    one.restore(kept)
    step(one)
    again = one.snapshot()
    assert all(torch.equal(a, b) for a, b in zip(expected.parameters, again.parameters, strict=True))
    for a, b in zip(expected.state, again.state, strict=True):
        assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_loaded_state_goes_on_bit_for_bit() -> None:
    one = optimiser(learning_rate=0.01)
    step(one)
    other = optimiser(learning_rate=0.01)
    other.load(one.tensors())
    with torch.no_grad():
        for name, parameter in other.parameters.items():
            parameter.copy_(one.parameters[name])
    step(one)
    step(other)
    assert torch.equal(one.parameters["weight"], other.parameters["weight"])
