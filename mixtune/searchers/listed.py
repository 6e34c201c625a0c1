"""Runs the recipes of a list, each on the same seeds: no search, but what audits are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field, TypeAdapter
from pydantic import JsonValue as Json

from mixtune.errors import ConfigError, SearchExhausted
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Recipe
from mixtune.searchers.base import Searcher
from mixtune.searchers.blackbox import score_of
from mixtune.study import Study
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class Entry:
    """One recipe of a list under a label of its own. notes go with each of its proposals."""

    label: str
    recipe: Recipe
    notes: Mapping[str, Json] = field(default_factory=dict)


_ENTRIES = TypeAdapter(tuple[Entry, ...])

Entries = Annotated[tuple[Entry, ...], BeforeValidator(_ENTRIES.validate_python)]


@dataclass(frozen=True, slots=True)
class Listed(Searcher):
    """Each recipe of a list on each of the first judging seeds, fresh, full length and scored on dev; then exhausted.

    All recipes run on one seed before the next begins, so that what has finished at any time compares like with like.
    They are run as they stand, whether or not they lie in the study's space, and each once: one that fails is not
    repeated. The recommendation is the recipe with the best mean score over its complete runs.
    """

    name: ClassVar[str] = "listed"
    recipes: Entries = ()
    replicates: Annotated[int, Field(ge=1)] = 1

    @classmethod
    def settings(cls, entries: Sequence[Entry], replicates: int) -> dict[str, Json]:
        """What Search.settings holds for a list of entries: plain JSON."""
        return {"recipes": _ENTRIES.dump_python(tuple(entries), mode="json"), "replicates": replicates}

    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        """Propose the next recipe of the list on the next seed.

        Raises:
            SearchExhausted: all were proposed.
            ConfigError: two entries share a label, or one has a source that the study does not use.
        """
        self._check(study)
        turn = sum(trial.role is Role.AUDIT for trial in trials)
        if turn >= self.most(study):
            raise SearchExhausted(f"the {len(self.recipes)} recipes of the list were proposed on every seed")
        replicate, place = divmod(turn, len(self.recipes))
        entry, steps = self.recipes[place], study.proxy.steps
        return Proposal(
            recipe=entry.recipe,
            steps=steps,
            role=Role.AUDIT,
            horizon=steps,
            label=entry.label,
            replicate=replicate,
            notes=entry.notes,
        )

    def most(self, study: Study) -> int:
        """Recipes times seeds."""
        return len(self.recipes) * self.replicates

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """Name the recipe with the best mean score.

        Raises:
            SearchExhausted: no trial is complete with a score.
        """
        scores: dict[Recipe, list[float]] = {}
        for trial in trials:
            score = score_of(trial)
            if trial.role is Role.AUDIT and score is not None:
                scores.setdefault(trial.proposal.recipe, []).append(score)
        if not scores:
            raise SearchExhausted(f"{self.name} has no complete trial with a score yet: let at least one finish")
        return max(scores, key=lambda recipe: float(np.mean(scores[recipe])))

    def _check(self, study: Study) -> None:
        labels = [entry.label for entry in self.recipes]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ConfigError(f"listed: {twice[0]!r} labels two recipes; give each a label of its own")
        for entry in self.recipes:
            unknown = [name for name in entry.recipe.mixture if name not in study.names]
            if unknown:
                raise ConfigError(
                    f"listed: recipe {entry.label!r} has {unknown[0]!r}, which is no source that the study uses: "
                    f"{', '.join(study.names)}"
                )
