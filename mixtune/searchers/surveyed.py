"""Mixtures that the survey of the base model gives: no learning at all."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from mixtune.errors import NotReady, SearchExhausted
from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.searchers.base import Searcher
from mixtune.searchers.keep import pruning_at
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

Shares = Mapping[str, Mapping[str, float]]
"""Target -> source -> its share, summing to 1 per target; empty where nothing was looked for."""


class Surveyed(Searcher):
    """One mixture, read off the survey: a single fresh full-length run within the study's space, then exhausted.

    Subclasses say which shares of the survey's measurement a source's weight is made of.
    """

    @abstractmethod
    def shares(self, survey: Measurement) -> Shares:
        """The shares that the survey found."""

    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        """Propose the mixture, once.

        Raises:
            NotReady: the survey is not finished.
            SearchExhausted: the mixture was proposed, or the survey failed.
        """
        if any(trial.role is Role.SEARCH for trial in trials):
            raise SearchExhausted(f"{self.name} has one mixture, and it was proposed")
        if not any(trial.role is Role.SURVEY and trial.state.finished for trial in trials):
            raise NotReady(f"{self.name} needs the survey first")
        return Proposal(self.recommend(study, trials), study.proxy.steps, Role.SEARCH, horizon=study.proxy.steps)

    def most(self, study: Study) -> int | None:
        """One trial."""
        return 1

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """Name the mixture.

        Raises:
            SearchExhausted: there is no complete survey, or it did not look for what this search reads.
        """
        survey = complete_survey(trials)
        mixture = None if survey is None else mixture_of(study, self.shares(survey))
        if mixture is None:
            raise SearchExhausted(f"{self.name} has no survey that found any: let the survey finish, in a new study")
        return study.recipe(mixture, pruning_at(study))


def complete_survey(trials: Sequence[Trial]) -> Measurement | None:
    """What the first complete survey measured, None where there is none."""
    surveys = (t.measurement for t in trials if t.role is Role.SURVEY and t.state is TrialState.COMPLETE)
    return next((survey for survey in surveys if survey is not None), None)


def mixture_of(study: Study, shares: Shares) -> Mixture | None:
    """Each source's share averaged over targets by their weights, None where no usable source has any."""
    of_target = [[shares.get(target.name, {}).get(name, 0.0) for name in study.names] for target in study.targets]
    weights = study.target_weights() @ np.array(of_target)
    return Mixture.from_array(study.names, weights) if weights.sum() > 0 else None
