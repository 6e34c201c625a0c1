"""Whether a guided search overfits dev: the queries that it learns from beside those that it does not."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import JsonValue as Json

from mixtune.proposal import Role
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

FEWEST = 2
"""Scored rounds below which nothing is said."""

FALL = 0.01
"""A score that fell by less than this share of itself is called level (ours)."""


@dataclass(frozen=True, slots=True)
class Overfitting:
    """Progress of a chain of rounds on both parts of dev, each as the means over its first and its last half.

    loss is the dev loss on the queries that influence is measured on, averaged over targets by importance, over
    `rounds` rounds; score the objective on the dev queries that take no part in influence, over `scored` rounds.
    """

    loss: tuple[float, float]
    score: tuple[float, float]
    rounds: int
    scored: int

    @property
    def shows(self) -> bool:
        """The queries that the search learns from got better and the others worse."""
        return self.loss[1] < self.loss[0] and self.score[1] < (1 - FALL) * self.score[0]

    @property
    def sentence(self) -> str:
        """What it says, in one line."""
        fall = self.loss[1] / self.loss[0] - 1 if self.loss[0] > 0 else 0.0
        return (
            f"{'Dev overfitting shows' if self.shows else 'No sign of dev overfitting'}: from the first to the last "
            f"half of the rounds dev loss on the queries that influence is measured on went {fall:+.1%}, the score on "
            f"the other dev queries from {self.score[0]:.4f} to {self.score[1]:.4f} ({self.scored} scored rounds)."
        )


def overfitting(study: Study, trials: Sequence[Trial]) -> Overfitting | None:
    """Compare over all complete rounds that probe; None while fewer than FEWEST of them are scored."""
    names = [target.name for target in study.targets]
    rounds = [
        found
        for trial in trials
        if trial.role is Role.ROUND and trial.state is TrialState.COMPLETE and trial.proposal.probe is not None
        if (found := trial.measurement) is not None and all(name in found.dev_loss for name in names)
    ]
    losses = [float(study.target_weights() @ [found.dev_loss[name] for name in names]) for found in rounds]
    scores = [found.score for found in rounds if found.score is not None]
    if len(scores) < FEWEST:
        return None
    return Overfitting(_halves(losses), _halves(scores), len(losses), len(scores))


def overfitting_document(found: Overfitting) -> dict[str, Json]:
    """The finding as JSON."""
    return {**asdict(found), "shows": found.shows, "sentence": found.sentence}


def _halves(values: Sequence[float]) -> tuple[float, float]:
    """Means of the first and the last half; a middle one counts for neither."""
    half = len(values) // 2
    return float(np.mean(values[:half])), float(np.mean(values[-half:]))
