"""Intervals of means over queries and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from mixtune.recipe import FloatArray

LEVEL = 0.95
"""Coverage of every interval that mixtune reports."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval, and how many training seeds and queries it rests on.

    With one seed the interval holds queries only: it says nothing about another training run.
    """

    value: float
    low: float
    high: float
    seeds: int
    queries: int

    @property
    def half(self) -> float:
        """Half the width."""
        return (self.high - self.low) / 2


def interval(parts: Sequence[FloatArray]) -> Interval:
    """95 % interval of the sum over parts of the mean of each part.

    A part has shape (R seeds, Q queries): the per-query values of one target, already multiplied by the weight of
    the target (the targets themselves are fixed). All parts come from the same R training runs. For a difference of
    two recipes on the same seeds, hand in the paired differences.

    Two-way random effects: a query is easy or hard whatever the seed, and a run is good or bad on all queries. So
    the variance is the sum over parts of var_q(mean over seeds) / Q, plus var_s(sum of the means over queries) / R;
    both terms hold the interaction once, which errs towards wide. Its quantile is Student's t with the degrees of
    freedom of Welch and Satterthwaite. One seed leaves the second term out. Choice of the estimator is ours.

    Raises:
        ValueError: no part, different numbers of seeds, or fewer than two queries in a part.
    """
    shapes = [part.shape for part in parts]
    if not parts or len({shape[0] for shape in shapes}) != 1 or any(shape[1] < 2 for shape in shapes):
        raise ValueError(f"an interval needs parts of shape (R, Q) with equal R and Q of at least 2, got {shapes}")
    seeds = shapes[0][0]
    runs = np.sum([part.mean(axis=1) for part in parts], axis=0)
    terms = [(part.mean(axis=0).var(ddof=1) / part.shape[1], part.shape[1] - 1) for part in parts]
    if seeds > 1:
        terms.append((runs.var(ddof=1) / seeds, seeds - 1))
    variance = float(sum(term for term, _ in terms))
    value = float(runs.mean())
    # Sums of equal numbers differ in their last bits: a variance that small is none.
    if variance <= (1e-12 * max(1.0, abs(value))) ** 2:
        half = 0.0
    else:
        freedom = variance**2 / sum(float(term) ** 2 / free for term, free in terms)
        half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * variance**0.5
    return Interval(value, value - half, value + half, seeds, sum(shape[1] for shape in shapes))
