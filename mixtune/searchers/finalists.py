"""Choosing among what a search found: its best recipes run again on new seeds before one of them is crowned."""

from collections.abc import Sequence

import numpy as np

from mixtune.alike import one_each
from mixtune.proposal import VISIBLE, Role
from mixtune.recipe import Recipe
from mixtune.searchers.base import Searcher
from mixtune.searchers.blackbox import score_of
from mixtune.study import Study
from mixtune.trial import Trial

SEARCHED = 4
"""Search trials for each finalist: a short search has fewer finalists than Final.finalists, or none (ours)."""


def places(study: Study, searcher: Searcher, searches: int) -> int:
    """How many finalists a search of so many trials has at most; 1 means that nothing runs again.

    The best of many noisy scores is partly luck, so a search by scores has Final.finalists of them, but no more than
    one for every SEARCHED trials.
    """
    return max(1, min(study.final.finalists, searches // SEARCHED)) if searcher.contested else 1


def choosing_runs(study: Study, searcher: Searcher, searches: int) -> int:
    """How many runs it takes to choose after a search of so many trials."""
    most = places(study, searcher, searches)
    return most * study.final.finalist_seeds if most > 1 else 0


def finalists(study: Study, searcher: Searcher, trials: Sequence[Trial]) -> tuple[Recipe, ...]:
    """The recipes to choose from, as the searcher ranks them; of those that no run tells apart the first.

    Raises:
        SearchExhausted: no trial has finished well enough to recommend anything.
    """
    shown = [trial for trial in trials if trial.role in VISIBLE and trial.state.finished]
    most = places(study, searcher, sum(trial.role is Role.SEARCH for trial in shown))
    if most == 1:
        return (searcher.recommend(study, shown),)
    return tuple(dict.fromkeys(one_each(searcher.finalists(study, shown, len(shown))).values()))[:most]


def crowned(study: Study, searcher: Searcher, trials: Sequence[Trial]) -> Recipe:
    """The recipe that a study recommends: `chosen` among the finalists of its search.

    Raises:
        SearchExhausted: no trial has finished well enough to recommend anything.
    """
    return chosen(study, finalists(study, searcher, trials), trials)


def chosen(study: Study, candidates: Sequence[Recipe], trials: Sequence[Trial]) -> Recipe:
    """The recipe with the best mean dev score over the finalists' seeds; what it scored in the search does not count.

    All recipes that were ever finalists take part, on the same seeds, those from before an extension too. One of which
    a run failed is out. The first candidate stands for the choice while runs are missing, and where every one is out.
    """
    runs: dict[Recipe, dict[int, float | None]] = {}
    for trial in trials:
        if trial.role is Role.FINALIST and trial.state.finished:
            runs.setdefault(trial.proposal.recipe, {})[trial.proposal.replicate] = score_of(trial)
    seeds = range(study.final.finalist_seeds)
    if len(candidates) == 1 or any(seed not in runs.get(recipe, {}) for recipe in candidates for seed in seeds):
        return candidates[0]
    scores = {recipe: [found.get(seed) for seed in seeds] for recipe, found in runs.items()}
    means = {
        recipe: float(np.mean([value for value in values if value is not None]))
        for recipe, values in scores.items()
        if None not in values
    }
    return max(means, key=lambda recipe: means[recipe]) if means else candidates[0]
