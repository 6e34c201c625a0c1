"""Weighted Reptile: what several short runs from the same parameters have learnt, put together."""

import math
from abc import ABC, abstractmethod

import numpy as np
from torch import Tensor

from mixtune.proposal import Probe


class Merge(ABC):
    """A weighted mean of parameter changes, of the sources with a positive influence (arXiv 2601.21759).

    Every finite influence is added once; `weights` sum to 1, and are empty where no influence was positive.
    """

    @abstractmethod
    def add(self, source: str, influence: float, error: float, change: Tensor) -> None:
        """Take in one source: its influence, the standard error of that, and its change, a float32 vector."""

    @abstractmethod
    def result(self) -> tuple[dict[str, float], Tensor | None]:
        """Weight per source with positive influence, and the weighted mean of their changes (None: there is none)."""


class LinearMerge(Merge):
    """a_i = I_i / sum I, in one accumulator."""

    def __init__(self) -> None:
        self._influences: dict[str, float] = {}
        self._sum: Tensor | None = None

    def add(self, source: str, influence: float, error: float, change: Tensor) -> None:
        """Add I_i * change to the accumulator."""
        if influence > 0:
            self._influences[source] = influence
            self._sum = change * influence if self._sum is None else self._sum.add_(change, alpha=influence)

    def result(self) -> tuple[dict[str, float], Tensor | None]:
        """Divide by the sum of the influences."""
        total = sum(self._influences.values())
        weights = {source: influence / total for source, influence in self._influences.items()}
        return weights, None if self._sum is None else self._sum / total


class SoftmaxMerge(Merge):
    """a_i proportional to exp(I_i / T) at a given temperature, in one pass with one accumulator (online softmax)."""

    def __init__(self, temperature: float) -> None:
        self._temperature = temperature
        self._influences: dict[str, float] = {}
        self._top = -math.inf
        self._sum: Tensor | None = None

    def add(self, source: str, influence: float, error: float, change: Tensor) -> None:
        """Add exp((I_i - top) / T) * change, rescaling what is there when the top moves."""
        if influence <= 0:
            return
        self._influences[source] = influence
        if self._sum is None:
            self._top, self._sum = influence, change.clone()
            return
        if influence > self._top:
            self._sum.mul_(math.exp((self._top - influence) / self._temperature))
            self._top = influence
        self._sum.add_(change, alpha=math.exp((influence - self._top) / self._temperature))

    def result(self) -> tuple[dict[str, float], Tensor | None]:
        """Divide by the sum of the exponentials."""
        raw = {source: math.exp((i - self._top) / self._temperature) for source, i in self._influences.items()}
        total = sum(raw.values())
        weights = {source: value / total for source, value in raw.items()}
        return weights, None if self._sum is None else self._sum / total


class KeptSoftmaxMerge(Merge):
    """The softmax with the round's own temperature: the larger of the influences' spread and their mean error.

    Keeps every change until the end: memory grows with the number of candidates. (The temperature is ours.)
    """

    def __init__(self) -> None:
        self._kept: list[tuple[str, float, float, Tensor | None]] = []

    def add(self, source: str, influence: float, error: float, change: Tensor) -> None:
        """Keep the change of a candidate; the influence of others counts for the temperature."""
        self._kept.append((source, influence, error, change if influence > 0 else None))

    def result(self) -> tuple[dict[str, float], Tensor | None]:
        """Merge at max(population std of I, mean standard error)."""
        spread = float(np.std([influence for _, influence, _, _ in self._kept])) if self._kept else 0.0
        noise = float(np.mean([error for _, _, error, _ in self._kept])) if self._kept else 0.0
        merge = SoftmaxMerge(max(spread, noise, 1e-12))
        for source, influence, error, change in self._kept:
            if change is not None:
                merge.add(source, influence, error, change)
        return merge.result()


REPTILE = ("linear", "softmax")
"""Weightings that a probe may ask for."""


def merge_for(probe: Probe) -> Merge:
    """The merge that a probe asks for.

    Raises:
        ValueError: its weighting is not one of REPTILE.
    """
    if probe.reptile == "linear":
        return LinearMerge()
    if probe.reptile == "softmax":
        return KeptSoftmaxMerge() if probe.temperature is None else SoftmaxMerge(probe.temperature)
    raise ValueError(f"reptile is {probe.reptile!r}: use {' or '.join(map(repr, REPTILE))}")
