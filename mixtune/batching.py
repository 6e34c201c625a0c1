"""How the batches of a run are composed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Batching:
    """How batches are composed; the default is one source a batch, its rows in random order.

    topics above 0 composes a source's batches by topic (TAS-B, arXiv 2104.06967): its training queries are clustered,
    about so many a cluster (the paper: 200), and a batch takes queries of `clusters` clusters (the paper: 1).
    margin_bins above 1 draws the pairs of a query evenly over so many bins of the teacher's margin (the paper: 10).
    mixed draws each row of a batch from a source of its own, all alike likely, and the mixture weighs their losses: the
    weights are then weights of the loss, not of sampling (tDRO, DoReMi and DoGE train so).

    Raises:
        ValueError: a number is out of range, or mixed stands beside topics.
    """

    topics: int = 0
    clusters: int = 1
    margin_bins: int = 1
    mixed: bool = False

    def __post_init__(self) -> None:
        if self.topics < 0 or self.clusters < 1 or self.margin_bins < 1:
            raise ValueError(f"topics must be at least 0, clusters and margin_bins at least 1, got {self}")
        if self.mixed and (self.topics or self.margin_bins > 1):
            raise ValueError("a mixed batch has no topic and no margin bins: use one or the other")
