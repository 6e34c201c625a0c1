"""The parameters of another run, which take turns with those of the run in one module."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from mixtune.errors import TrainingError
from mixtune.training.checkpoint import load_checkpoint
from mixtune.training.proxy import ProxyModel


class Reference:
    """A reference model: a checkpoint's parameters beside the proxy's own, one more copy of what is trainable.

    Raises:
        TrainingError: the checkpoint is missing, torn, or not of this proxy.
    """

    def __init__(self, model: ProxyModel, path: Path) -> None:
        self._model = model
        held = load_checkpoint(path).parameters
        wrong = [
            name
            for name, parameter in model.parameters.items()
            if name not in held or held[name].shape != parameter.shape
        ]
        if wrong:
            raise TrainingError(f"checkpoint {path} of the reference is not of this proxy ({wrong[0]}): run it again")
        self._parameters: dict[str, Tensor] = {
            name: held[name].to(parameter) for name, parameter in model.parameters.items()
        }

    @contextmanager
    def in_turn(self) -> Iterator[ProxyModel]:
        """The proxy as the reference inside the block, and as it was outside; nothing is copied."""
        self._swap()
        try:
            yield self._model
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, parameter in self._model.parameters.items():
            parameter.data, self._parameters[name] = self._parameters[name], parameter.data
