"""Torch's generator of a device: dropout draws from it, and nothing offers an argument instead."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def own_randomness(device: torch.device, seed: int) -> Iterator[None]:
    """Let torch draw from a seed inside the block, and go on outside as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def rng_state(device: torch.device) -> Tensor:
    """State of the generator that dropout on the device draws from."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_rng_state(device: torch.device, state: Tensor) -> None:
    """Put the device's generator to a state of `rng_state`."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
