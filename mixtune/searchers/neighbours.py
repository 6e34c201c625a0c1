"""The mixture of the nearest training queries: no learning at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mixtune.errors import NotReady, SearchExhausted
from mixtune.recipe import Mixture, Recipe
from mixtune.searchers.base import Searcher
from mixtune.searchers.keep import pruning_at
from mixtune.study import Study
from mixtune.trial import Proposal, Role, Trial, TrialState


@dataclass(frozen=True, slots=True)
class Neighbours(Searcher):
    """Weights by how many of the targets' nearest training queries a source has.

    In the manner of CRISP, which weighs a cluster of the pool by its share of the target set; ours in form. The
    survey finds the nearest training queries of each dev query; a source's weight is its share among them, averaged
    over targets by their weights. One fresh full-length run within the study's space, then exhausted. It picks what
    looks like the targets, so it is strong where topics decide and blind where the form of the task does.
    """

    name: ClassVar[str] = "neighbours"
    needs: ClassVar[frozenset[str]] = frozenset({"neighbours"})

    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        """Propose the mixture, once.

        Raises:
            NotReady: the survey is not finished.
            SearchExhausted: the mixture was proposed, or the survey failed.
        """
        if any(trial.role is Role.SEARCH for trial in trials):
            raise SearchExhausted("neighbours has one mixture, and it was proposed")
        if not any(trial.role is Role.SURVEY and trial.state.finished for trial in trials):
            raise NotReady("neighbours needs the survey first")
        return Proposal(self.recommend(study, trials), study.proxy.steps, Role.SEARCH, horizon=study.proxy.steps)

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """Name the mixture.

        Raises:
            SearchExhausted: there is no complete survey, or it did not look for neighbours.
        """
        surveys = [t.measurement for t in trials if t.role is Role.SURVEY and t.state is TrialState.COMPLETE]
        found = next((survey.neighbours for survey in surveys if survey is not None), {})
        shares = np.array([[found.get(target.name, {}).get(n, 0.0) for n in study.names] for target in study.targets])
        weights = study.target_weights() @ shares
        if not weights.sum() > 0:
            raise SearchExhausted("neighbours has no survey that found any: let the survey finish, in a new study")
        return study.recipe(Mixture.from_array(study.names, weights), pruning_at(study))
