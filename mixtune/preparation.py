"""What preparing a study showed."""

from collections.abc import Mapping
from dataclasses import dataclass

from mixtune.contamination import Contamination
from mixtune.source import SourceFacts
from mixtune.target import TargetFacts


@dataclass(frozen=True, slots=True)
class Preparation:
    """What preparing a study showed. Everything here follows from the study, the data and the model.

    run_flops is the cost of one fresh full-length run at proportional weights, its dev evaluation included: the unit
    of Budget.runs. encoded and tokenised count the texts that went through the model and the tokeniser this time,
    reused those that were found in the cache. key names the prepared arrays in the cache. contamination is what
    sources share with dev and test, None in studies from before it was counted.
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
