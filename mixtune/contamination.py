"""How much of what a study trains on is also what it is measured with: source by source, target by target."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

WIDTH = 5
"""Characters of a shingle: near-duplicates are told from the sets of these (ours)."""

THRESHOLD = 0.8
"""Jaccard similarity of two texts' shingles from which on they are near-duplicates (ours)."""


class Decontaminate(StrEnum):
    """Which rows are taken out before anything is trained on."""

    NONE = "none"
    """None; they are counted all the same."""
    QUERIES = "queries"
    """Rows whose query or positive is a dev or test query of some target."""
    ALL = "all"
    """Rows of which any text, hard negatives included, is a dev or test query or a judged document."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Rows that hold a held-out text: exact ones, and others that hold a near-duplicate of one."""

    exact: int = 0
    near: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return self.exact + self.near


@dataclass(frozen=True, slots=True)
class Overlap:
    """Rows of one source that share a text with one target; a row may count in several places.

    The first four are rows whose query or positive is a dev or test query, or a document judged for one. A source that
    is the target's own training split shares its documents: they have one corpus, and that alone is no leak. negatives
    are rows with a hard negative that is any of the four.
    """

    dev_queries: Shared = Shared()
    test_queries: Shared = Shared()
    dev_documents: Shared = Shared()
    test_documents: Shared = Shared()
    negatives: Shared = Shared()

    @property
    def queries(self) -> int:
        """Rows that hold a dev query and rows that hold a test query, added up: what makes a result doubtful."""
        return self.dev_queries.rows + self.test_queries.rows

    @property
    def found(self) -> bool:
        """Whether anything is shared."""
        return any(getattr(self, part).rows for part in PARTS)


PARTS = tuple(each.name for each in fields(Overlap))
"""The fields of an Overlap."""


@dataclass(frozen=True, slots=True)
class Contamination:
    """What the sources of a study share with its targets: source -> target -> Overlap, every pair of them.

    Counted on the rows as they were read. removed says how many of each source's rows were then taken out, as
    `decontaminate` asks; width and threshold say what a near-duplicate is (see mixtune.training.preparing.heldout).
    """

    overlaps: Mapping[str, Mapping[str, Overlap]]
    removed: Mapping[str, int] = field(default_factory=dict)
    decontaminate: Decontaminate = Decontaminate.NONE
    width: int = WIDTH
    threshold: float = THRESHOLD
