"""Early stopping: which fresh runs of a search are ended at a rung, as a pure function of the trials so far.

A scheduler that watches runs from outside decides by whatever has been reported when it looks, so its decisions depend
on which worker was quick, and after a restart it has forgotten its rungs. Here a run is compared with the trials that
its proposal was allowed to see, those numbered `seen` and below, all of them finished: what it needs at each rung is
known when it starts. So the thresholds travel with the task, the run ends itself, nobody waits for anybody, and a
restart, a replay or a new attempt decides the same.
"""

import math
from collections.abc import Sequence

from mixtune.errors import ConfigError
from mixtune.proposal import Role
from mixtune.proxy import Proxy
from mixtune.search import Stopping
from mixtune.searchers.base import Searcher
from mixtune.study import Study
from mixtune.trial import Trial


def thresholds(study: Study, trials: Sequence[Trial], trial: Trial) -> dict[int, float]:
    """The score that a trial needs at each of its rungs to go on, in optimiser steps; -inf where any will do.

    ASHA (arXiv 1810.05934, algorithm 2) keeps of the n values recorded at a rung the best floor(n / reduction), this
    trial's own included: to be among them, it has to reach the k-th best of the earlier values, k = floor(n /
    reduction). Equal values go on. With fewer than `reduction` earlier values nothing is stopped (ours). As in the
    variant of ASHA that stops runs, one that was ended is not taken up again when the rung fills.

    Empty where early stopping is off, and for whatever is not a fresh run of the search over its full length: rounds,
    references and judging runs go to their end.

    Args:
        study: the study.
        trials: its trials, of which those numbered trial.seen and below are finished.
        trial: the trial that is about to start.
    """
    if study.stopping is None or not _subject(study, trial):
        return {}
    earlier = [each for each in trials if each.number <= trial.seen and _subject(study, each)]
    return {
        rung: _threshold(recorded(earlier, rung), study.stopping.reduction)
        for rung in study.stopping.rungs(trial.proposal.steps)
    }


def stop(study: Study, trials: Sequence[Trial], trial: Trial, step: int, score: float) -> bool:
    """Whether a trial that has this score after so many optimiser steps is ended there."""
    return score < thresholds(study, trials, trial).get(step, -math.inf)


def recorded(trials: Sequence[Trial], rung: int) -> list[float]:
    """The scores that finished trials had at a rung, also those that ended there, in number order."""
    return [
        trial.measurement.rungs[rung]
        for trial in trials
        if trial.state.finished and trial.measurement is not None and rung in trial.measurement.rungs
    ]


def require_useful(stopping: Stopping, proxy: Proxy, searcher: type[Searcher]) -> None:
    """Refuse a rule that could stop nothing, or that would judge a run while its learning rate still rises.

    Raises:
        ConfigError: says which, and what is allowed.
    """
    warm = round(proxy.warmup * proxy.steps)
    if not searcher.stoppable:
        raise ConfigError(
            f"stopping ends fresh runs that compete with each other, and {searcher.name} has none (it proposes a chain "
            f"of rounds or a single mixture): remove stopping, or choose another search algorithm, such as tpe"
        )
    if stopping.reduction < 2:
        raise ConfigError(f"stopping.reduction is {stopping.reduction}; allowed: 2 or more (3 keeps the best third)")
    if not max(1, warm) <= stopping.first < proxy.steps:
        during = f", whose first {warm} steps are warm-up (proxy.warmup {proxy.warmup:g})" if warm else ""
        raise ConfigError(
            f"stopping.first is {stopping.first}, in runs of {proxy.steps} steps{during}; allowed: {max(1, warm)} to "
            f"{proxy.steps - 1}, such as {max(warm, proxy.steps // 3, 1)}"
        )


def _subject(study: Study, trial: Trial) -> bool:
    """Whether the rule is for a trial: a fresh run of the search over its full length."""
    proposal = trial.proposal
    return trial.role is Role.SEARCH and proposal.parent is None and proposal.steps == study.proxy.steps


def _threshold(earlier: Sequence[float], reduction: int) -> float:
    kept = (len(earlier) + 1) // reduction
    return -math.inf if len(earlier) < reduction else sorted(earlier, reverse=True)[kept - 1]
