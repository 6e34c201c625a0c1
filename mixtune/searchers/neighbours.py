"""The mixture of the nearest training queries."""

from dataclasses import dataclass
from typing import ClassVar

from mixtune.measurement import Measurement
from mixtune.searchers.surveyed import Shares, Surveyed


@dataclass(frozen=True, slots=True)
class Neighbours(Surveyed):
    """Weights by how many of the targets' nearest training queries a source has.

    In the manner of CRISP, which weighs a cluster of the pool by its share of the target set; ours in form. The
    survey finds the nearest training queries of each dev query; a source's weight is its share among them, averaged
    over targets by their weights. One fresh full-length run within the study's space, then exhausted. It picks what
    looks like the targets, so it is strong where topics decide and blind where the form of the task does.
    """

    name: ClassVar[str] = "neighbours"
    needs: ClassVar[frozenset[str]] = frozenset({"neighbours"})

    def shares(self, survey: Measurement) -> Shares:
        """Shares of the nearest training queries."""
        return survey.neighbours
