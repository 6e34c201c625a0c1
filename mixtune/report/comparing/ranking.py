"""Ranks over the replicates of a comparison, and how far mean ranks must lie apart to mean something."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc
from scipy.stats import rankdata, studentized_range

from mixtune.report.intervals import LEVEL

FEW = 5
"""Replicates below which the critical difference is called wide."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Mean ranks over replicates, 1 the best, ties shared (Demsar 2006, JMLR 7).

    p is that of Friedman's test, corrected for ties, that all entrants are alike (chi-square with k - 1 degrees of
    freedom: rough below a dozen replicates); None with one replicate or two entrants. critical is Nemenyi's critical
    difference at 95 %: two mean ranks that lie further apart differ, whichever of the pairs one looks at.
    """

    ranks: Mapping[str, tuple[float, ...]]
    replicates: tuple[int, ...]
    p: float | None
    critical: float | None

    @property
    def means(self) -> dict[str, float]:
        """Mean rank of each entrant, the best first."""
        found = {label: float(np.mean(each)) for label, each in self.ranks.items()}
        return dict(sorted(found.items(), key=lambda each: each[1]))

    def apart(self, first: str, second: str) -> bool:
        """Whether the mean ranks of two entrants differ by more than the critical difference."""
        return self.critical is not None and abs(self.means[first] - self.means[second]) > self.critical


def ranking(scores: Mapping[str, Mapping[int, float]]) -> Ranking | None:
    """Rank entrants by their scores in each replicate; replicates that somebody lacks are left out.

    Args:
        scores: entrant -> replicate -> the higher the better.

    Returns:
        None where there are not two entrants, or no replicate that all have.
    """
    if len(scores) < 2:
        return None
    replicates = sorted(set.intersection(*(set(each) for each in scores.values())))
    if not replicates:
        return None
    table = np.array([[-scores[label][each] for label in scores] for each in replicates])
    ranks = rankdata(table, axis=1)
    n, k = ranks.shape
    ranked = {label: tuple(column) for label, column in zip(scores, ranks.T.tolist(), strict=True)}
    if n < 2:
        return Ranking(ranked, tuple(replicates), None, None)
    spread = float(np.square(ranks - (k + 1) / 2).sum())
    between = n**2 * float(np.square(ranks.mean(axis=0) - (k + 1) / 2).sum())
    p = None if k < 3 else 1.0 if spread == 0 else float(chdtrc(k - 1, (k - 1) * between / spread))
    quantile = float(studentized_range.ppf(LEVEL, k, np.inf)) / np.sqrt(2)
    return Ranking(ranked, tuple(replicates), p, float(quantile * np.sqrt(k * (k + 1) / (6 * n))))
