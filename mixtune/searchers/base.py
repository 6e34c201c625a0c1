"""What a search algorithm is: a pure function of the trials so far."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

import numpy as np

from mixtune.errors import NotReady
from mixtune.proposal import Proposal
from mixtune.recipe import Recipe
from mixtune.study import Study
from mixtune.trial import Trial

State = TypeVar("State")


class Searcher(ABC):
    """A search algorithm. Subclasses are frozen dataclasses whose fields are the algorithm's settings.

    The tuner asks `suggest` for proposal n with the trials that proposal n may see, and a generator that depends on
    the study's seed and n. It shows only roles survey, reference, round and search, in number order; all trials up to
    `seen` are finished, and later ones are shown as running whatever has become of them since, so that timing decides
    nothing (a black-box searcher reads their proposals, never their measurements). There is no other memory, so a
    restart, a replay and an extension are the same call again. A searcher never reads `study.budget`.

    chain: proposals continue each other, so the recommendation is run fresh before it is judged.
    needs: names of the Measurement fields that it reads; checked against what the trainer provides.
    stoppable: its proposals are fresh runs that compete, and it knows what to make of one that was ended early.
    mixes: its runs mix sources in every batch, whatever batching the study asks for.
    chooses_options: it chooses among what Space.choices leaves open; others hold the first value of each.
    contested: it recommends the best of many noisy scores, so that several finalists run again before one is crowned.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset({"score"})
    stoppable: ClassVar[bool] = False
    mixes: ClassVar[bool] = False
    chooses_options: ClassVar[bool] = False
    contested: ClassVar[bool] = False

    @abstractmethod
    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        """Propose the next trial.

        Raises:
            NotReady: the answer of a trial that is not finished is needed first.
            SearchExhausted: there is nothing left to propose.
        """

    def most(self, study: Study) -> int | None:
        """Trials after which the search is exhausted if none fails; None where only a budget ends it."""
        return None

    @abstractmethod
    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """Name the best recipe, from finished trials.

        Raises:
            SearchExhausted: no trial has finished well enough to recommend anything.
        """

    def finalists(self, study: Study, trials: Sequence[Trial], count: int) -> tuple[Recipe, ...]:
        """Name up to `count` distinct recipes that may turn out the best one; the first is what it recommends.

        Raises:
            SearchExhausted: no trial has finished well enough to recommend anything.
        """
        return (self.recommend(study, trials),)


class FoldSearcher(Searcher, Generic[State]):
    """A guided searcher written as a fold over the finished trials.

    `update` is called once per finished trial in number order; a State is a value that is never changed in place, so
    that the State of the longest prefix seen may be kept (see Remembering). `suggest` is that fold from the start.
    """

    @abstractmethod
    def start(self, study: Study) -> State:
        """State before any trial."""

    @abstractmethod
    def update(self, state: State, study: Study, trial: Trial) -> State:
        """State after one more finished trial (complete, pruned or failed)."""

    @abstractmethod
    def propose(self, state: State, study: Study, rng: np.random.Generator) -> Proposal:
        """Propose the next trial from the state alone."""

    def fold(self, study: Study, trials: Sequence[Trial]) -> State:
        """State after all trials given, which must be finished."""
        state = self.start(study)
        for trial in trials:
            state = self.update(state, study, trial)
        return state

    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        """Fold and propose.

        Raises:
            NotReady: a trial shown is not finished.
            SearchExhausted: there is nothing left to propose.
        """
        self.require_finished(trials)
        return self.propose(self.fold(study, trials), study, rng)

    def require_finished(self, trials: Sequence[Trial]) -> None:
        """See that there is an answer to fold from every trial.

        Raises:
            NotReady: a trial is not finished.
        """
        open_trials = [trial.number for trial in trials if not trial.state.finished]
        if open_trials:
            raise NotReady(f"{self.name} needs the answer of trial {open_trials[0]} first")
