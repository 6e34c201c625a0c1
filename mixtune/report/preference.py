"""What one may prefer among recipes that are equally good as far as anybody can tell."""

from enum import StrEnum


class Preference(StrEnum):
    """Which recipe of a near-optimal set to take."""

    SPARSE = "sparse"
    """The fewest sources with 1 % of the batches or more, then the least even weights (entropy)."""
    PROPORTIONAL = "proportional"
    """The nearest to sampling in proportion to rows (total variation)."""
    CHEAP = "cheap"
    """The fewest tokens in a batch of the final training, on average."""
