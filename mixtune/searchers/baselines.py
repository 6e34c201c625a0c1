"""Mixtures that need no search: what every search has to beat."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from mixtune.errors import SearchExhausted
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.searchers.base import Searcher
from mixtune.searchers.keep import pruning_and_batching_at
from mixtune.searchers.prior import prior_mixture
from mixtune.study import Study
from mixtune.trial import Trial


class Baseline(Searcher):
    """One mixture, known beforehand: a single fresh full-length run, then exhausted.

    The mixture is used as it is where it breaks no bound of the space that the study states, otherwise it is brought
    into the space as every other proposal is. `plain` is the mixture whatever the bounds are. Sources of expert weight
    0 are left out, and keep levels that the study fixes are obeyed.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def mixture(self, study: Study) -> Mixture:
        """The weights. Raises ConfigError if the study lacks what they are made of."""

    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        """Propose the mixture, once."""
        if any(trial.role is Role.SEARCH for trial in trials):
            raise SearchExhausted(f"{self.name} has one mixture, and it was proposed")
        return Proposal(self.recommend(study, trials), study.proxy.steps, Role.SEARCH, horizon=study.proxy.steps)

    def most(self, study: Study) -> int | None:
        """One trial."""
        return 1

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """Name the mixture, within the study's bounds; no trial is needed for that.

        Raises:
            ValueError: the bounds leave no mixture.
        """
        plain = self.plain(study)
        return study.recipe(plain.mixture, plain.pruning, plain.batching) if study.broken_bounds(plain) else plain

    def plain(self, study: Study) -> Recipe:
        """The mixture as its name says, bounds or no bounds."""
        return Recipe(self.mixture(study), *pruning_and_batching_at(study, {}))


@dataclass(frozen=True, slots=True)
class Uniform(Baseline):
    """Every source alike."""

    name: ClassVar[str] = "uniform"

    def mixture(self, study: Study) -> Mixture:
        """Weight 1 / M each."""
        return prior_mixture(study, "uniform")


@dataclass(frozen=True, slots=True)
class Proportional(Baseline):
    """Sources by their rows, as if they were one heap."""

    name: ClassVar[str] = "proportional"

    def mixture(self, study: Study) -> Mixture:
        """Weights proportional to rows."""
        return prior_mixture(study, "proportional")


@dataclass(frozen=True, slots=True)
class Temperature(Baseline):
    """Weights proportional to rows ** alpha: between uniform (0) and proportional (1). Default 0.5 (ours)."""

    name: ClassVar[str] = "temperature"
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5

    def mixture(self, study: Study) -> Mixture:
        """Weights proportional to rows ** alpha."""
        return study.proportional(self.alpha)


@dataclass(frozen=True, slots=True)
class Expert(Baseline):
    """The user's own weights."""

    name: ClassVar[str] = "expert"

    def mixture(self, study: Study) -> Mixture:
        """Expert weights, scaled to sum 1."""
        return prior_mixture(study, "expert")


def baseline_recipes(study: Study) -> dict[str, Recipe]:
    """Recipes that a recommendation is compared with, by name: uniform, proportional, and expert where given.

    They are what their names say even where that breaks the space's bounds: what everyone would do without tuning.
    Study.broken_bounds says which.
    """
    baselines: list[Baseline] = [Uniform(), Proportional()]
    if study.expert() is not None:
        baselines.append(Expert())
    return {baseline.name: baseline.plain(study) for baseline in baselines}
