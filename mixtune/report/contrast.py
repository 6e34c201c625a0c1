"""One contender against another: the difference of their test values, and whether either has won."""

from collections.abc import Sequence
from dataclasses import dataclass

from mixtune.recipe import FloatArray
from mixtune.report.intervals import Interval, interval


@dataclass(frozen=True, slots=True)
class Contrast:
    """How much better mine is than the other, with the 95 % interval of it.

    Of every comparison that mixtune makes; benchmarks/null.py measures how far it can be believed.
    """

    difference: Interval

    @property
    def value(self) -> float:
        """Mean of mine less mean of the other."""
        return self.difference.value

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.difference.low

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.difference.high

    @property
    def probability(self) -> float:
        """That mine beats the other, by the t distribution of the interval: see Interval.above_zero."""
        return self.difference.above_zero

    @property
    def winner(self) -> int:
        """1 where mine has won, -1 where the other has, 0 where the interval holds zero."""
        return int(self.low > 0) - int(self.high < 0)

    @property
    def replicates(self) -> int:
        """Training seeds on which both were run."""
        return self.difference.seeds

    @property
    def queries(self) -> int:
        """Test queries, of all targets."""
        return self.difference.queries


def contrast(mine: Sequence[FloatArray], other: Sequence[FloatArray]) -> Contrast:
    """Compare two contenders that were run on the same seeds and tested on the same queries.

    Each holds one array per target, in the same order, of shape (R replicates, Q queries): the values per query, times
    what the target counts for. Values are paired by replicate and by query; `interval` says what the interval covers.

    Raises:
        ValueError: the two differ in targets or shapes, or are too small for an interval.
    """
    shapes = [part.shape for part in mine], [part.shape for part in other]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"a contrast needs equal replicates and queries on both sides, got {shapes[0]} and {shapes[1]}"
        )
    return Contrast(interval([left - right for left, right in zip(mine, other, strict=True)]))
