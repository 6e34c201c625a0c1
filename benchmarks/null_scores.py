"""Scores of real runs as they lie in null.npz: which recipes ran, on how many seeds, and what each test query got."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mixtune.recipe import FloatArray

ARMS: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]] = {
    "identical": ({"a": 0.55, "b": 0.25, "c": 0.15, "d": 0.05}, {"a": 0.05, "b": 0.15, "c": 0.25, "d": 0.55}),
    "different": ({"a": 0.5, "b": 0.5}, {"a": 0.5, "e": 0.5}),
}
"""Pairs of mixtures that ran on the same seeds. a to d are copies of the same rows, e holds other rows.

identical: the second mixture is the first with its sources in reverse, and all four hold the same rows. The sampler
walks each source in an order of its own, by (seed, position); so renaming the sources turns one side into the other,
and the two have the same law on every query, with the same repetition of rows. Their difference is zero exactly, not
only on average as with random parts of a pool. different: really two sources, whose effect differs by query.
"""


@dataclass(frozen=True)
class Arm:
    """Runs of a pair of mixtures: target -> scores per query, shape (2 sides, R seeds, Q queries)."""

    scores: Mapping[str, FloatArray]

    @property
    def seeds(self) -> int:
        """How many seeds ran on both sides."""
        return int(next(iter(self.scores.values())).shape[1])

    @property
    def queries(self) -> int:
        """How many queries there are, of all targets."""
        return sum(values.shape[2] for values in self.scores.values())


@dataclass(frozen=True)
class Recorded:
    """All arms, by the names in ARMS, with the versions that ran them and the command that did."""

    arms: Mapping[str, Arm]
    versions: Mapping[str, str]
    command: str = ""

    @property
    def runs(self) -> int:
        """Real runs on identical sources."""
        return 2 * self.arms["identical"].seeds

    def save(self, path: Path) -> None:
        """Write the file."""
        about = json.dumps({"versions": dict(self.versions), "command": self.command, "arms": ARMS})
        arrays = {
            f"{name}/{target}": values.astype(np.float32)
            for name, arm in self.arms.items()
            for target, values in arm.scores.items()
        }
        with path.open("wb") as file:
            np.savez_compressed(file, about=np.array(about), **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> "Recorded":
        """Read the file.

        Raises:
            FileNotFoundError: there is none.
        """
        with np.load(path) as kept:
            about = json.loads(str(kept["about"]))
            arms: dict[str, dict[str, FloatArray]] = {}
            for key in kept.files:
                name, _, target = key.partition("/")
                if target:
                    arms.setdefault(name, {})[target] = kept[key].astype(np.float64)
        return cls({name: Arm(scores) for name, scores in arms.items()}, about["versions"], about["command"])
