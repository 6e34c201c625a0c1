"""Judged runs: a recipe trained fresh on seeds that no search uses, and its scores on test per query."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from results import Line, Preparable, driver_of

from mixtune.measurement import Drawn
from mixtune.recipe import Recipe
from mixtune.report.intervals import Interval, interval
from mixtune.search import Search
from mixtune.store.codec import to_text

NDCG, RECALL = "ndcg@10", "recall@20"
METRICS = (NDCG, RECALL)


@dataclass(frozen=True)
class Judging:
    """A recipe on the judging seeds of one search seed: equal recipes are judged once, whoever recommends them."""

    setting: Preparable
    recipe: Recipe
    seed: int
    judges: int

    @property
    def key(self) -> str:
        """What its line is found by."""
        recipe = hashlib.sha256(to_text(self.recipe).encode()).hexdigest()[:20]
        return json.dumps(["judged", self.setting.key, recipe, self.seed, self.judges])

    def run(self) -> Line:
        """Train and score; the values of a query are means over the judging seeds."""
        driver = driver_of(self.setting)
        study = driver.study(Search("uniform"), runs=1.0, seed=self.seed)
        done = [driver.judge(study, self.recipe, replicate) for replicate in range(self.judges)]
        receipts = [one.measurement.receipt for one in done]
        return {
            "dev": float(np.mean([study.score(one.measurement.dev) for one in done])),
            "seconds": float(np.mean([one.measurement.cost.seconds for one in done])),
            "train": float(np.mean([one.measurement.cost.train for one in done])),
            "epochs": {
                name: float(np.mean([epochs(receipt.get(name, Drawn())) for receipt in receipts]))
                for name, weight in self.recipe.mixture.items()
                if weight > 0
            },
            "remarks": list(done[0].measurement.remarks),
            "test": {
                target: {
                    metric: np.mean([one.scores[target][metric] for one in done], axis=0).round(4).tolist()
                    for metric in METRICS
                }
                for target in done[0].scores
            },
        }


def epochs(drawn: Drawn) -> float:
    """Passes over a source: those that a pruning schedule ended, or of all kept pairs where there is none."""
    return drawn.epochs if drawn.completed is None else float(drawn.completed)


@dataclass(frozen=True)
class Judged:
    """One recommended recipe as its judged runs showed it: target -> metric -> one value per test query."""

    test: Mapping[str, Mapping[str, Sequence[float]]]
    dev: float

    @classmethod
    def of(cls, line: Line) -> "Judged":
        """Read a line of Judging."""
        return cls(line["test"], line["dev"])

    def mean(self, metric: str = NDCG) -> float:
        """Mean over queries, then over targets."""
        return float(np.mean([np.mean(values[metric]) for values in self.test.values()]))


Runs = Sequence[Judged]
"""One recipe per seed, in the order of the seeds."""


def overall(mine: Sequence[Runs], other: Sequence[Runs] | None = None, metric: str = NDCG) -> Interval:
    """Mean over scenarios and their targets, or the difference to other recipes on the same seeds, with its interval.

    mine and other hold one scenario each; all have the same number of seeds.
    """
    parts = []
    for index, runs in enumerate(mine):
        for target in runs[0].test:
            values = np.array([one.test[target][metric] for one in runs])
            if other is not None:
                values = values - np.array([one.test[target][metric] for one in other[index]])
            parts.append(values / (len(mine) * len(runs[0].test)))
    return interval(parts)


def said(found: Interval, scale: float = 1e3) -> str:
    """A difference with its interval, in thousandths."""
    return f"{found.value * scale:+.1f} [{found.low * scale:+.1f}, {found.high * scale:+.1f}]"


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown."""
    print(f"\n| {' | '.join(heads)} |\n{'| --- ' * len(heads)}|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)
