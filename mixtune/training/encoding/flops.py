"""Floating-point operations of an encoder, counted from its shapes: two for every multiply-add."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True, slots=True)
class Flops:
    """What one encoder costs, per unit of work; padded tokens count, since they are computed.

    token and sequence are forward operations of the linear layers per padded token and per sequence; token_backward
    and sequence_backward those of the backward pass, which is twice the forward pass less the gradients that nobody
    needs (of inputs that come from something frozen). attention is the forward cost per sequence and squared padded
    length, 4 x width x layers; attention_backward is twice that for the layers that a gradient reaches. dim is the size
    of an embedding.
    Element-wise work, look-ups and the optimiser's update are not counted, as torch.utils.flop_counter does not.
    """

    dim: int
    token: float = 0.0
    sequence: float = 0.0
    token_backward: float = 0.0
    sequence_backward: float = 0.0
    attention: float = 0.0
    attention_backward: float = 0.0

    def encode(self, sequences: int, length: int) -> float:
        """Forward pass of a batch padded to that many tokens."""
        return sequences * (length * self.token + self.sequence + length * length * self.attention)

    def train(self, sequences: int, length: int) -> float:
        """Forward and backward pass of a batch padded to that many tokens."""
        return self.encode(sequences, length) + self.backward(sequences, length)

    def backward(self, sequences: int, length: int) -> float:
        """Backward pass of a batch padded to that many tokens."""
        attention = length * length * self.attention_backward
        return sequences * (length * self.token_backward + self.sequence_backward + attention)

    def similarity(self, queries: int, documents: int) -> float:
        """All dot products between that many queries and documents."""
        return 2.0 * queries * documents * self.dim


SEQUENCES, LENGTH = 2, 3
"""Shape of the batch that `measure` sends through a module."""


def measure(
    module: nn.Module,
    forward: Callable[[], torch.Tensor],
    *,
    dim: int,
    attention: float = 0.0,
    attention_backward: float = 0.0,
) -> Flops:
    """Read an encoder's linear layers off one small forward pass.

    Args:
        module: holds every layer that runs.
        forward: sends SEQUENCES texts of LENGTH tokens through it, as in a training step.
        dim: size of an embedding.
        attention: forward operations per sequence and squared length, which no linear layer shows.
        attention_backward: those of the backward pass.
    """
    forwards = {False: 0.0, True: 0.0}
    backwards = {False: 0.0, True: 0.0}

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if not isinstance(layer, nn.Linear):
            return
        per_token = inputs[0].numel() // inputs[0].shape[-1] == SEQUENCES * LENGTH
        operations = 2.0 * layer.in_features * layer.out_features
        forwards[per_token] += operations
        backwards[per_token] += operations * (int(inputs[0].requires_grad) + int(layer.weight.requires_grad))

    hooks = [layer.register_forward_pre_hook(count) for layer in module.modules() if isinstance(layer, nn.Linear)]
    training = module.training
    module.train()
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            forward()
    finally:
        module.train(training)
        for hook in hooks:
            hook.remove()
    return Flops(
        dim=dim,
        token=forwards[True],
        sequence=forwards[False],
        token_backward=backwards[True],
        sequence_backward=backwards[False],
        attention=attention,
        attention_backward=attention_backward,
    )
