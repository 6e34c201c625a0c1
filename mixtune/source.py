"""A training source as the study names it, and what reading it showed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """Where the (query, positive) training pairs of one source come from.

    kind names a reader (`docstrings`, `beir`); location is what that reader opens (an installed package, a folder).
    limit keeps a seeded sample of that many rows. corrupt is the share of rows whose positives are permuted, for
    controlled experiments. weight is the user's expert weight, unnormalised: None where nothing was said, and 0
    takes the source out of every mixture.
    """

    name: str
    kind: str
    location: str
    split: str = "train"
    limit: int | None = None
    corrupt: float = 0.0
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What reading a source showed: pairs (rows), distinct queries, mean tokens per pair, and its content hash."""

    rows: int
    unique_queries: int
    tokens_per_pair: float
    sha256: str
