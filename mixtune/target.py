"""A retrieval task that the model should become good at."""

from dataclasses import dataclass, field

from mixtune.prompts import Prompts


@dataclass(frozen=True, slots=True)
class Target:
    """Queries, corpus and judgements of one task, split into dev (search and choice) and test (report).

    kind and location as in Source: `docstrings`, `beir`, or `hub` at a revision. weight is the importance of the
    target in the objective, unnormalised.
    pool is the number of corpus documents that dev is evaluated against (all judged documents, the base model's top
    hits and a random rest); 0 means the full corpus. test always uses the full corpus.
    """

    name: str
    kind: str
    location: str
    dev: str = "dev"
    test: str = "test"
    weight: float = 1.0
    pool: int = 2000
    revision: str | None = None
    prompts: Prompts = field(default_factory=Prompts)


SIGNAL_SHARE = 0.7
"""Share of the dev queries that influence is measured on; the others report progress (ours)."""


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What reading a target showed. Counts of queries with at least one positive judgement, and of documents."""

    dev_queries: int
    test_queries: int
    documents: int
    dev_pool: int
    sha256: str

    @property
    def signal_queries(self) -> int:
        """Dev queries that influence is measured on: SIGNAL_SHARE of them, at least 2 and at least 2 others."""
        return signal_queries(self.dev_queries)


def signal_queries(dev_queries: int) -> int:
    """How many of so many dev queries influence is measured on."""
    return min(max(round(SIGNAL_SHARE * dev_queries), 2), dev_queries - 2)
