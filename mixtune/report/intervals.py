"""Intervals of means over queries and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtridf, stdtrit

from mixtune.recipe import FloatArray

LEVEL = 0.95
"""Coverage of every interval that mixtune reports."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval, and how many training seeds and queries it rests on.

    freedom is the degrees of freedom of Student's t that gave the width. With one seed the interval holds queries
    only: it says nothing about another training run.
    """

    value: float
    low: float
    high: float
    seeds: int
    queries: int
    freedom: float = float("inf")

    @property
    def half(self) -> float:
        """Half the width."""
        return (self.high - self.low) / 2

    @property
    def above_zero(self) -> float:
        """How sure it is that the truth lies above zero: the share of the same t distribution around value that does.

        Above .975 exactly where low is above zero, below .025 where high is below it. A frequentist's confidence: it
        is the probability that the truth is positive only for somebody who knew nothing before.
        """
        if self.half == 0:
            return float(np.heaviside(self.value, 0.5))
        return float(stdtr(self.freedom, self.value / self.half * _quantile(self.freedom)))


def interval(parts: Sequence[FloatArray]) -> Interval:
    """95 % interval of the sum over parts of the mean of each part.

    A part has shape (R seeds, Q queries): the per-query values of one target, already multiplied by the weight of
    the target (the targets themselves are fixed). All parts come from the same R training runs. For a difference of
    two recipes on the same seeds, hand in the paired differences.

    The truth that it covers is the mean over all training seeds and over all queries of the population that the test
    queries are a sample of. Two-way random effects: a query is easy or hard whatever the seed, a run is good or bad on
    all queries, and the rest belongs to the pair. The variance of the mean is the sum of

    - var_s(sum of the means over queries) / R, with R - 1 degrees of freedom. It holds the rest, divided by R Q, too;
    - per part what queries add to that: (var_q(mean over seeds) - MS / R) / Q, or 0 where that is negative, with Q - 1
      degrees of freedom. MS, the mean square of the rest, is taken off, so that the rest counts once.

    The quantile of t is the mean of the terms' own, weighted by the terms (Cochran's; Cochran and Cox 1957 for two
    means of unequal variance), not that of Satterthwaite's degrees of freedom: three seeds that happen to lie close
    together would make the seeds' term small and its degrees of freedom forgotten at once. The choice is ours: whatever
    the mixture of effects, benchmarks/null.py finds coverage of 94 to 98 % with two seeds, 95 to 97.5 % with three, and
    95 to 97 % with five or ten. One seed leaves the first term and MS out.

    Raises:
        ValueError: no part, different numbers of seeds, or fewer than two queries in a part.
    """
    shapes = [part.shape for part in parts]
    if not parts or len({shape[0] for shape in shapes}) != 1 or any(shape[1] < 2 for shape in shapes):
        raise ValueError(f"an interval needs parts of shape (R, Q) with equal R and Q of at least 2, got {shapes}")
    seeds = shapes[0][0]
    runs = np.sum([part.mean(axis=1) for part in parts], axis=0)
    terms = [(_of_queries(part), part.shape[1] - 1) for part in parts]
    if seeds > 1:
        terms.append((float(runs.var(ddof=1)) / seeds, seeds - 1))
    variance = sum(term for term, _ in terms)
    value = float(runs.mean())
    # Sums of equal numbers differ in their last bits: a variance that small is none.
    if variance <= (1e-12 * max(1.0, abs(value))) ** 2:
        half, freedom = 0.0, float("inf")
    else:
        quantile = sum(term * _quantile(free) for term, free in terms) / variance
        half = quantile * variance**0.5
        freedom = float(stdtridf((1 + LEVEL) / 2, quantile))
    return Interval(value, value - half, value + half, seeds, sum(shape[1] for shape in shapes), freedom)


def _of_queries(part: FloatArray) -> float:
    """The queries' share of the variance of the part's mean, apart from what differs by run and query."""
    seeds, queries = len(part), len(part[0])
    means = part.mean(axis=0)
    spread = float(means.var(ddof=1))
    if seeds == 1:
        return spread / queries
    rest = part - means - part.mean(axis=1, keepdims=True) + part.mean()
    noise = float(np.square(rest).sum()) / ((seeds - 1) * (queries - 1))
    return max(0.0, spread - noise / seeds) / queries


def _quantile(freedom: float) -> float:
    """Where the upper tail of Student's t begins that an interval leaves out."""
    return float(stdtrit(freedom, (1 + LEVEL) / 2))
