"""What preparing a study showed."""

from collections.abc import Mapping
from dataclasses import dataclass

from mixtune.contamination import Contamination
from mixtune.source import SourceFacts
from mixtune.target import TargetFacts


@dataclass(frozen=True, slots=True)
class MixedCost:
    """Expected floating-point operations of steps on batches that mix all sources alike (see Batching.mixed).

    pairs is what training on the queries and positives of a batch costs, negatives what one own negative of each query
    adds, forward the share of both that embedding the same texts without a gradient costs.
    """

    pairs: float
    negatives: float
    forward: float

    def step(self, negatives: int, *, reference: bool = False) -> float:
        """A step with so many own negatives per query; with reference, the losses of another model are read too."""
        return (self.pairs + negatives * self.negatives) * (1 + self.forward * reference)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What preparing a study showed. Everything here follows from the study, the data and the model.

    run_flops is the cost of one fresh full-length run at proportional weights, its dev evaluation included: the unit
    of Budget.runs. encoded and tokenised count the texts that went through the model and the tokeniser this time,
    reused those that were found in the cache. key names the prepared arrays in the cache. contamination is what
    sources share with dev and test, None in studies from before it was counted. dev_flops is the cost of a dev
    evaluation alone, mixed that of steps on mixed batches: 0 and None in studies from before they were counted.
    """

    key: str
    sources: Mapping[str, SourceFacts]
    targets: Mapping[str, TargetFacts]
    run_flops: float
    model: str = ""
    encoded: int = 0
    tokenised: int = 0
    reused: int = 0
    seconds: float = 0.0
    flops: float = 0.0
    notes: tuple[str, ...] = ()
    contamination: Contamination | None = None
    dev_flops: float = 0.0
    mixed: MixedCost | None = None
