"""What a guided search will propose, as far as that can be told before any trial has run."""

from collections.abc import Iterator

from mixtune.errors import SearchExhausted
from mixtune.measurement import Measurement
from mixtune.proposal import Proposal
from mixtune.searchers.base import FoldSearcher, State
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


def rehearsed(study: Study, searcher: FoldSearcher[State]) -> Iterator[Proposal]:
    """The proposals of a search whose trials all complete and say nothing, until it has nothing left to propose.

    Weights stay where they start; roles, steps, probes and the length of a chain are those of a real search.
    """
    state, number = searcher.start(study), 0
    nothing = Measurement(rule={"log_w": (0.0,) * len(study.names)})
    while True:
        try:
            proposal = searcher.propose(state, study, study.rng(number))
        except SearchExhausted:
            return
        yield proposal
        trial = Trial(number, proposal, study.trial_seed(number), state=TrialState.COMPLETE, measurement=nothing)
        state, number = searcher.update(state, study, trial), number + 1
