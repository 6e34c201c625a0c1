"""A guided searcher that remembers how far it has read."""

from collections.abc import Sequence
from operator import is_
from typing import ClassVar, Generic

import numpy as np

from mixtune.proposal import Proposal
from mixtune.recipe import Recipe
from mixtune.searchers.base import FoldSearcher, Searcher, State
from mixtune.study import Study
from mixtune.trial import Trial


class Remembering(Searcher, Generic[State]):
    """A FoldSearcher with the State of the history that it folded last, so that a longer one costs only the rest.

    It proposes and recommends exactly what the searcher inside does, whose name, needs and stoppable it bears. What it
    keeps belongs to one process, is held by nobody else, and lost without loss. A history counts as longer if it
    starts with the very same trial objects, of an equal study; any other is folded from the start.
    """

    name: ClassVar[str] = "remembering"

    def __init__(self, searcher: FoldSearcher[State]) -> None:
        self.searcher = searcher
        # What is a fact of the class for other searchers is one of the instance here.
        self.name = searcher.name  # type: ignore[misc]
        self.needs = searcher.needs  # type: ignore[misc]
        self.stoppable = searcher.stoppable  # type: ignore[misc]
        self._study: Study | None = None
        self._trials: list[Trial] = []
        self._state: State | None = None

    def __repr__(self) -> str:
        """As the searcher inside."""
        return repr(self.searcher)

    def fold(self, study: Study, trials: Sequence[Trial]) -> State:
        """State after all trials given, which must be finished."""
        known, state = len(self._trials), self._state
        same = self._study is study or self._study == study
        if state is None or not same or len(trials) < known or not all(map(is_, self._trials, trials)):
            known, state = 0, self.searcher.start(study)
        for trial in trials[known:]:
            state = self.searcher.update(state, study, trial)
        self._study, self._trials, self._state = study, list(trials), state
        return state

    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        """Propose the next trial.

        Raises:
            NotReady: a trial shown is not finished.
            SearchExhausted: there is nothing left to propose.
        """
        self.searcher.require_finished(trials)
        return self.searcher.propose(self.fold(study, trials), study, rng)

    def most(self, study: Study) -> int | None:
        """As the searcher inside."""
        return self.searcher.most(study)

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """Name the best recipe, from a whole fold.

        Raises:
            SearchExhausted: no trial has finished well enough to recommend anything.
        """
        return self.searcher.recommend(study, trials)


def remembering(searcher: Searcher) -> Searcher:
    """The searcher for a process that asks again and again: a FoldSearcher remembers, any other is as it was."""
    return Remembering(searcher) if isinstance(searcher, FoldSearcher) else searcher
