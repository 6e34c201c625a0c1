"""The optimiser of a run: AdamW, its learning-rate schedule, and where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mixtune.proxy import Proxy


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Parameters and optimiser state at one moment, copied."""

    parameters: tuple[Tensor, ...]
    state: tuple[dict[str, Tensor], ...]


class Optimiser:
    """AdamW (Adam where the weight decay is 0) over named parameters, at the rate of the proxy's schedule.

    The rate rises linearly over the first `warmup` share of the horizon, then stays or falls linearly to 0. Without a
    horizon it stays, and the warm-up is a share of the proxy's own steps: then a run cut into pieces is the same run.
    position counts the steps that the schedule has advanced.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], proxy: Proxy, horizon: int | None) -> None:
        self.parameters = dict(parameters)
        self.position = 0
        self._proxy = proxy
        self._horizon = horizon
        self._adam = torch.optim.AdamW(
            list(self.parameters.values()), lr=proxy.rate, weight_decay=proxy.weight_decay, fused=True
        )

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        warm = round(self._proxy.warmup * (self._horizon or self._proxy.steps))
        if self.position < warm:
            return self._proxy.rate * (self.position + 1) / warm
        if self._proxy.schedule == "constant" or self._horizon is None:
            return self._proxy.rate
        left = max(0, self._horizon - self.position) / max(1, self._horizon - warm)
        return self._proxy.rate * left

    def step(self, loss: Tensor) -> None:
        """Go one step down the gradient of a loss; the schedule does not move."""
        for group in self._adam.param_groups:
            group["lr"] = self.rate
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()

    def snapshot(self) -> Snapshot:
        """Copy the parameters and the optimiser's state."""
        return Snapshot(
            tuple(parameter.detach().clone() for parameter in self.parameters.values()),
            tuple(
                {key: value.clone() for key, value in self._adam.state.get(parameter, {}).items()}
                for parameter in self.parameters.values()
            ),
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Put parameters and optimiser state back to a snapshot of this optimiser."""
        held = zip(self.parameters.values(), snapshot.parameters, snapshot.state, strict=True)
        with torch.no_grad():
            for parameter, value, state in held:
                parameter.copy_(value)
                if not state:
                    self._adam.state.pop(parameter, None)
                for key, tensor in state.items():
                    self._adam.state[parameter][key].copy_(tensor)

    def tensors(self) -> dict[str, Tensor]:
        """The optimiser's state as named tensors: what `load` takes."""
        return {
            f"{name}|{key}": value
            for name, parameter in self.parameters.items()
            for key, value in self._adam.state.get(parameter, {}).items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over the state of another optimiser over parameters of the same names and shapes."""
        self._adam.state.clear()
        for label, value in tensors.items():
            name, _, key = label.rpartition("|")
            self._adam.state[self.parameters[name]][key] = value.clone()
