"""The mixture of the clusters that the targets' queries fall into."""

from dataclasses import dataclass
from typing import ClassVar

from mixtune.measurement import Measurement
from mixtune.searchers.surveyed import Shares, Surveyed


@dataclass(frozen=True, slots=True)
class CRISP(Surveyed):
    """CRISP in its plain cluster form: clusters of the training data count as often as the targets' queries hit them.

    Grangier et al., "Task-Adaptive Pretrained Language Models via Clustered-Importance Sampling", arXiv 2410.03735:
    the training data are clustered, and each cluster is drawn from as often as its share of the target's examples says.
    The survey clusters training queries of all sources; a source's weight is the sum over clusters of the cluster's
    share of a target's dev queries times the source's part of the cluster, averaged over targets by their weights.
    Here a mixture draws whole sources, where the paper draws from the clusters themselves; the number of clusters and
    that sources count alike whatever their size are ours. One fresh full-length run within the study's space, then
    exhausted. Like `neighbours` it picks what looks like the targets, with a coarser eye.
    """

    name: ClassVar[str] = "crisp"
    needs: ClassVar[frozenset[str]] = frozenset({"clusters"})

    def shares(self, survey: Measurement) -> Shares:
        """Shares of the clusters that the target's dev queries fall into."""
        return survey.clusters
