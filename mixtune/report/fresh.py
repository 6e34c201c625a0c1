"""The runs of a study that can be compared with each other: fresh, of full length, complete, and scored on dev."""

from collections.abc import Sequence

import numpy as np

from mixtune.measurement import Measurement
from mixtune.proposal import FRESH
from mixtune.recipe import Recipe
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


def fresh_runs(study: Study, trials: Sequence[Trial]) -> list[tuple[Trial, Measurement, float]]:
    """Those trials with what they measured and their score; a recipe on a seed counts once."""
    found: dict[tuple[Recipe, int], tuple[Trial, Measurement, float]] = {}
    for trial in trials:
        proposal, measurement = trial.proposal, trial.measurement
        if trial.state is not TrialState.COMPLETE or measurement is None or trial.role not in FRESH:
            continue
        whole = proposal.parent is None and proposal.rule is None and proposal.steps == study.proxy.steps
        if whole and measurement.score is not None and np.isfinite(measurement.score):
            found.setdefault((proposal.recipe, trial.seed), (trial, measurement, measurement.score))
    return list(found.values())
