"""The recipe of a training run: how much of each source, which of its pairs are used, and how batches are composed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mixtune.batching import Batching
from mixtune.pruning import Pruning

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mixture(Mapping[str, float]):
    """Weights over sources: non-negative, summing to 1, read-only and hashable.

    A weight is the probability that a batch comes from the source (the unit is batches, not rows).

    Raises:
        ValueError: a weight is negative or not finite, or the weights do not sum to 1 within 1e-6.
    """

    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        weights = {name: float(weight) for name, weight in sorted(self.weights.items())}
        wrong = {name: weight for name, weight in weights.items() if not 0 <= weight < float("inf")}
        if wrong:
            raise ValueError(f"mixture weights must be finite and at least 0, got {wrong}")
        if abs(sum(weights.values()) - 1) > 1e-6:
            raise ValueError(f"mixture weights must sum to 1, got {sum(weights.values())!r} for {weights}")
        object.__setattr__(self, "weights", weights)

    def __getitem__(self, name: str) -> float:
        return self.weights[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.weights)

    def __len__(self) -> int:
        return len(self.weights)

    def __hash__(self) -> int:
        return hash(tuple(self.weights.items()))

    @classmethod
    def normalised(cls, weights: Mapping[str, float]) -> "Mixture":
        """Scale weights to sum 1.

        Raises:
            ValueError: a weight is negative or not finite, or all are 0.
        """
        total = float(sum(weights.values()))
        if not 0 < total < float("inf"):
            raise ValueError(f"mixture weights must be finite with a positive sum, got {dict(weights)}")
        return cls({name: weight / total for name, weight in weights.items()})

    @classmethod
    def from_array(cls, names: Sequence[str], values: npt.ArrayLike) -> "Mixture":
        """Pair names with an array of shape (len(names),), scaled to sum 1."""
        array = np.asarray(values, dtype=np.float64)
        return cls.normalised(dict(zip(names, array.tolist(), strict=True)))

    @classmethod
    def uniform(cls, names: Sequence[str]) -> "Mixture":
        """Give every source the same weight."""
        return cls.from_array(names, np.ones(len(names)))

    def array(self, names: Sequence[str]) -> FloatArray:
        """Weights in the order of names, shape (len(names),); a source not named in the mixture has weight 0."""
        return np.array([self.weights.get(name, 0.0) for name in names], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run trains on. Hashable, so that equal recipes are found again."""

    mixture: Mixture
    pruning: Pruning = field(default_factory=Pruning)
    batching: Batching = field(default_factory=Batching)
