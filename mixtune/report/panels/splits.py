"""Whether choosing by dev overfits its queries: recipes chosen by some parts of dev, looked at on the part left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue as Json

from mixtune.proposal import Role
from mixtune.recipe import FloatArray, Recipe
from mixtune.trial import Trial, TrialState

FEWEST = 5
"""Recipes below which nothing is said."""


@dataclass(frozen=True, slots=True)
class Splits:
    """Lead of the best of `recipes` recipes over their average, part by part of the dev queries.

    chosen[k] is its lead on all parts but k, by which it is chosen, held[k] the lead of the same recipe on part k. Both
    are of the same trained models, so training seeds play no role: what is lost fits the queries alone.
    """

    recipes: int
    chosen: tuple[float, ...]
    held: tuple[float, ...]

    @property
    def lost(self) -> tuple[float, ...]:
        """What did not carry over to the part left out, part by part."""
        return tuple(mine - theirs for mine, theirs in zip(self.chosen, self.held, strict=True))

    @property
    def sentence(self) -> str:
        """What it says, in one line."""
        lost = self.lost
        return (
            f"Dev overfitting: the best of {self.recipes} on all but one of {len(lost)} parts of the dev queries"
            f" leads the average by {np.mean(self.chosen):.4f} there and by {np.mean(self.held):.4f} on the part left "
            f"out; {np.mean(lost):+.4f} did not carry over (from {min(lost):+.4f} to {max(lost):+.4f} by part)."
        )


def splits(trials: Sequence[Trial]) -> Splits | None:
    """Choose among the complete search trials part by part; equal recipes count with their mean.

    None while fewer than FEWEST recipes were scored on parts. Parts hold a share of the queries, so choosing by all of
    dev overfits a little less.
    """
    runs: dict[Recipe, list[tuple[float, ...]]] = {}
    for trial in trials:
        found = trial.measurement
        if trial.role is Role.SEARCH and trial.state is TrialState.COMPLETE and found is not None and found.dev_parts:
            runs.setdefault(trial.proposal.recipe, []).append(found.dev_parts)
    if len(runs) < FEWEST:
        return None
    scores: FloatArray = np.array([np.mean(parts, axis=0) for parts in runs.values()])
    leads = scores - scores.mean(axis=0)
    chosen, held = [], []
    for part in range(leads.shape[1]):
        others = np.delete(leads, part, axis=1).mean(axis=1)
        best = int(others.argmax())
        chosen.append(float(others[best]))
        held.append(float(leads[best, part]))
    return Splits(len(runs), tuple(chosen), tuple(held))


def splits_document(found: Splits) -> dict[str, Json]:
    """The finding as JSON."""
    parts: dict[str, Json] = {"chosen": list(found.chosen), "held": list(found.held), "lost": list(found.lost)}
    return {"recipes": found.recipes, **parts, "sentence": found.sentence}
