"""A sphere of ten dimensions whose best point is known, explored by a searcher and by Optuna's own live sampler."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import optuna
from planted import World, finish, planted_study

from mixtune.measurement import Measurement
from mixtune.searchers import Searcher
from mixtune.searchers.blackbox import Point
from mixtune.trial import Trial, TrialState

CENTRE = np.linspace(-2, 2, 10)


def sphere(coordinates: Sequence[float]) -> float:
    return -float(((np.array(coordinates) - CENTRE) ** 2).sum())


def history(searcher: Searcher, seed: int, trials: int = 150, *, workers: int = 1) -> list[Trial]:
    """A search on the sphere; each proposal sees what had finished with that many workers."""
    study, found = planted_study(10, seed=seed), list[Trial]()
    world = World(study)
    for number in range(trials):
        shown = [
            trial if trial.number <= number - workers else replace(trial, state=TrialState.RUNNING, measurement=None)
            for trial in found
        ]
        trial = finish(world, searcher.suggest(study, shown, study.rng(number)), number)
        found.append(replace(trial, measurement=Measurement(score=sphere(Point.of(trial).coordinates))))
    return found


def best(trials: Sequence[Trial]) -> float:
    return max(scores(trials))


def scores(trials: Sequence[Trial]) -> list[float]:
    return [float(t.measurement.score) for t in trials if t.measurement and t.measurement.score is not None]


def live_best(sampler: Callable[[int], optuna.samplers.BaseSampler], seed: int, trials: int = 150) -> float:
    """The best that Optuna finds with a sampler that stays alive."""
    return max(live_scores(sampler, seed, trials))


def live_scores(sampler: Callable[[int], optuna.samplers.BaseSampler], seed: int, trials: int = 150) -> list[float]:
    """What Optuna finds, trial by trial, with a sampler that stays alive."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(direction="maximize", sampler=sampler(seed))
        study.optimize(lambda t: sphere([t.suggest_float(f"x{i}", -4, 4) for i in range(10)]), n_trials=trials)
    optuna.logging.set_verbosity(verbosity)
    return [trial.value for trial in study.trials if trial.value is not None]


def reached(scores: Sequence[float], level: float) -> int:
    """Trials until a score is as good as a level; one more than there are if none is."""
    return next((number for number, score in enumerate(scores, 1) if score >= level), len(scores) + 1)


def distinct(histories: Sequence[Sequence[Trial]]) -> bool:
    """Whether no point comes twice."""
    points = [Point.of(trial).coordinates for trials in histories for trial in trials]
    return len(set(points)) == len(points)
