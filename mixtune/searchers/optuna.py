"""Optuna's samplers as searchers."""

import copy
import datetime
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from pydantic import Field
from threadpoolctl import threadpool_limits

from mixtune.searchers.blackbox import BlackBox, Point, completed, score_of
from mixtune.searchers.keep import options
from mixtune.space import coordinate_bounds
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

_SOME_DAY = datetime.datetime(2000, 1, 1)
"""When every trial started and ended as far as Optuna's samplers are told; they do not ask."""


@dataclass(frozen=True, slots=True)
class TPE(BlackBox):
    """Optuna's tree-structured Parzen estimator.

    The Optuna study is rebuilt in memory from the trials each time, running ones included (they count as bad, which
    keeps parallel proposals apart), and the sampler is seeded from the trial's number, so nothing is kept between
    calls. A trial that was ended early ranks behind every complete one, by its last rung and the score there, as Optuna
    has it.

    prior is proposed first (ours; `none` leaves the start to chance). The first n_startup_trials are random (10 is
    Optuna's default: with a small budget most of the search is then random, so give about a third of it).
    multivariate models the coordinates together (ours: Optuna's default is off).
    """

    name: ClassVar[str] = "tpe"
    prior: Literal["proportional", "uniform", "expert", "none"] = "proportional"
    n_startup_trials: Annotated[int, Field(ge=1)] = 10
    multivariate: bool = True

    def point(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Point:
        """Ask a sampler that has been told everything."""
        with quiet_optuna():
            sampler = optuna.samplers.TPESampler(
                n_startup_trials=self.n_startup_trials,
                multivariate=self.multivariate,
                constant_liar=True,
                seed=int(rng.integers(2**32)),
            )
            return asked(sampler, study, trials)


@dataclass(frozen=True, slots=True)
class GP(BlackBox):
    """Optuna's Gaussian process, which takes the point of the highest expected improvement.

    Rebuilt each time as for TPE; running trials are averaged over in the expected improvement, which keeps parallel
    proposals apart. Its time grows with the cube of the trials, so it is told 200 of them at most: see `told_of`. It
    computes on one thread, which is the fastest for matrices of that size on a busy machine, and the same on any.
    Optuna's sampler passes over trials that were ended early, so it is told of them as `completed` has it.

    prior is proposed first (ours; `none` leaves the start to chance). The first n_startup_trials are random (10 is
    Optuna's default).
    """

    name: ClassVar[str] = "gp"
    prior: Literal["proportional", "uniform", "expert", "none"] = "proportional"
    n_startup_trials: Annotated[int, Field(ge=1)] = 10

    def point(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Point:
        """Ask a sampler that has been told of the best and the newest trials."""
        with quiet_optuna(), threadpool_limits(1):
            sampler = optuna.samplers.GPSampler(
                n_startup_trials=self.n_startup_trials, seed=int(rng.integers(2**32)), warn_independent_sampling=False
            )
            return asked(sampler, study, told_of(completed(trials)))


def told_of(trials: Sequence[Trial], best: int = 100, newest: int = 100) -> list[Trial]:
    """The trials with the `best` highest scores and the `newest` of the others, in number order (numbers are ours)."""
    scored = [(score, trial) for trial in trials if (score := score_of(trial)) is not None]
    ranked = sorted(scored, key=lambda each: (-each[0], each[1].number))
    chosen = {trial.number for _, trial in ranked[:best]}
    others = [trial.number for trial in trials if trial.number not in chosen]
    chosen.update(others[-newest:])
    return [trial for trial in trials if trial.number in chosen]


def asked(sampler: optuna.samplers.BaseSampler, study: Study, trials: Sequence[Trial]) -> Point:
    """The point that a sampler suggests once it has been told of the trials."""
    space = distributions(study)
    told = optuna.create_study(direction="maximize", sampler=sampler)
    told.add_trials([frozen_trial(study, trial, space) for trial in trials])
    params = told.ask(space).params
    return Point(
        tuple(float(params[name]) for name in space if name.startswith("x")),
        {name: float(params[name]) for name in options(study)},
    )


def distributions(study: Study) -> dict[str, BaseDistribution]:
    """Optuna's view of the space: `x0`, `x1`, ... for the mapping's coordinates, and options by their names."""
    bounds = coordinate_bounds(study.space.mapping, len(study.names))
    space: dict[str, BaseDistribution] = {
        f"x{index}": FloatDistribution(low, high) for index, (low, high) in enumerate(bounds)
    }
    return space | {name: CategoricalDistribution(values) for name, values in options(study).items()}


def frozen_trial(study: Study, trial: Trial, space: dict[str, BaseDistribution]) -> optuna.trial.FrozenTrial:
    """A trial as Optuna knows it. A complete one without a finite score counts as failed, a queued one as running.

    Its parameters are the point that it was trained at (Point.trained), not the one that was asked for.
    """
    point = Point.trained(study, trial)
    params: dict[str, float] = {f"x{index}": value for index, value in enumerate(point.coordinates)}
    params |= dict(point.options)
    score, found = score_of(trial), trial.measurement
    rungs = dict(found.rungs) if found is not None and trial.state.finished else {}
    if score is not None:
        state = optuna.trial.TrialState.COMPLETE
    elif trial.state is TrialState.PRUNED and found is not None and found.score is not None:
        state = optuna.trial.TrialState.PRUNED
        rungs[found.step] = found.score
    elif trial.state.finished:
        state = optuna.trial.TrialState.FAIL
    else:
        state = optuna.trial.TrialState.RUNNING
    return ToldTrial(
        number=-1,
        trial_id=-1,
        state=state,
        value=score,
        datetime_start=_SOME_DAY,
        datetime_complete=_SOME_DAY if state.is_finished() else None,
        params=params,
        distributions=space,
        user_attrs={},
        system_attrs={},
        intermediate_values=rungs,
    )


class ToldTrial(optuna.trial.FrozenTrial):
    """A trial that a storage may keep as it is.

    Optuna's storage in memory copies every trial it is given down to the last distribution, which takes longer than
    all the rest of a proposal. Here nobody else holds or changes the parts, and the storage numbers its own shell.
    """

    def __deepcopy__(self, memo: dict[int, object]) -> "ToldTrial":
        """A new shell around the same parts."""
        return copy.copy(self)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silence Optuna's log and its notes on experimental features, and leave both as they were."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
