"""The replay arena: every searcher, hundreds of times, on surfaces that were fitted to finished studies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from multiprocessing import get_context

import numpy as np
from pydantic import JsonValue as Json
from threadpoolctl import threadpool_limits

from mixtune.errors import ConfigError
from mixtune.measurement import Measurement
from mixtune.proposal import Role
from mixtune.recipe import FloatArray, Recipe
from mixtune.report.fresh import fresh_runs
from mixtune.report.replaying import Arena, Grounds, Played, arena_of
from mixtune.search import Budget, Search
from mixtune.searchers import SEARCHERS, make, nearest
from mixtune.searchers.baselines import baseline_recipes
from mixtune.store.recording import Recorded
from mixtune.study import Study
from mixtune.trial import TrialState
from mixtune.tuning.fitting import SURFACES, fit_surrogate
from mixtune.tuning.inprocess import TOLERANCE, drive, within_budget
from mixtune.tuning.recalled import Prices, Recalled, prices_of, recalled, rounds_of
from mixtune.tuning.standins import SLACK, comparable, recommended, searched, stood_in
from mixtune.tuning.surrogate import Surrogate
from mixtune.tuning.surrogatetrainer import SurrogateTrainer

CHUNK = 10
"""Repeats that a process plays before it says so."""

Told = Callable[[int, int], None]
"""Called with how many repeats are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Replayer:
    """Finished studies made ready for replays of `runs` fresh runs.

    real holds what real searches with that compute came to, algorithm -> dev scores, and searched these searches,
    algorithm -> studies.
    """

    surrogate: Surrogate
    prices: Prices
    recalled: Recalled | None
    survey: Measurement | None
    real: Mapping[str, Sequence[float]]
    searched: Mapping[str, Sequence[Recorded]]
    runs: float

    def trainer(self, repeat: int) -> SurrogateTrainer:
        """The trainer of a repeat: repeats take the surfaces in turn, each in a world of its own."""
        surface = repeat % len(self.surrogate.surfaces)
        return SurrogateTrainer(self.surrogate, self.prices, self.recalled, self.survey, surface, repeat)


def replayer(studies: Sequence[Recorded], runs: float, surfaces: int = SURFACES) -> Replayer:
    """Fit so many surfaces, and gather what else replays of so many fresh runs need.

    Raises:
        ConfigError: see fit_surrogate.
    """
    surrogate = fit_surrogate(studies, surfaces)
    rounds = rounds_of(surrogate.study, studies)
    surveys = [
        trial.measurement
        for each in studies
        for trial in each.trials
        if trial.role is Role.SURVEY and trial.state is TrialState.COMPLETE
    ]
    return Replayer(
        surrogate=surrogate,
        prices=prices_of(surrogate.study, studies, rounds),
        recalled=recalled(surrogate, rounds),
        survey=next((survey for survey in surveys if survey is not None), None),
        real=real_scores(studies, runs),
        searched=searched(studies, runs),
        runs=runs,
    )


def contestants(names: Sequence[str] | None, runs: float) -> dict[str, Search]:
    """Searches by name, all that there are for None, with the settings that go with so few runs.

    `tpe` and `gp` draw a third of the runs at random, at most their default of 10, and `regmix` fits after 70 %.

    Raises:
        ConfigError: no such searcher, or a name twice.
    """
    chosen = list(SEARCHERS if names is None else names)
    for name in chosen:
        if name not in SEARCHERS:
            raise ConfigError(f"no search algorithm {name!r}: {nearest(name, list(SEARCHERS))}")
    startup: dict[str, Json] = {"n_startup_trials": max(1, min(10, int(runs) // 3))}
    settings: dict[str, dict[str, Json]] = {
        "gp": startup,
        "tpe": startup,
        "regmix": {"n_fit": max(2, round(0.7 * runs))},
    }
    return {name: Search(name, settings.get(name, {})) for name in dict.fromkeys(chosen)}


def left_out(found: Replayer, searches: Mapping[str, Search]) -> dict[str, str]:
    """Searches that cannot be replayed, with the reason."""
    provides, reasons = found.trainer(0).provides, {}
    for label, search in searches.items():
        missing = sorted(make(search).needs - provides)
        if stand_ins(found, search):
            continue
        if missing and found.recalled is None and set(missing) <= {"checkpoint", "influence"}:
            reasons[label] = "no recorded round to take influences from: record a study of infdds or scout too"
        elif missing:
            low, high = ((1 + sign * SLACK) * found.runs for sign in (-1, 1))
            reasons[label] = (
                f"it reads {', '.join(missing)}, which no surrogate knows, and no study of it with {low:g} to "
                f"{high:g} fresh runs was recorded"
            )
        elif search.algorithm == "expert" and found.surrogate.study.expert() is None:
            reasons[label] = "the recorded study has no expert weights"
    return reasons


def stand_ins(found: Replayer, search: Search) -> Sequence[Recorded]:
    """Real searches that stand in for replays of one that reads what no surrogate knows: losses or gradients.

    Empty where it can be replayed, or where no such study was recorded.
    """
    if make(search).needs <= found.trainer(0).provides:
        return ()
    return found.searched.get(search.algorithm, ())


def replay(
    found: Replayer,
    searches: Mapping[str, Search],
    *,
    repeats: int,
    runs: float,
    seed: int = 0,
    processes: int = 1,
    told: Told = lambda done, total: None,
) -> Arena:
    """Play every search that can be replayed so often, and rank them by the true scores of what they recommend.

    Repeat r has the same surface, world and study seed for all of them. Deterministic, whatever the processes. Of a
    search that has stand-ins, repeat r takes what one of these recommended, in turn: NaN before it recommended any.

    Raises:
        ConfigError: none of the searches can be replayed.
        ValueError: `found` was made ready for another number of runs.
    """
    if runs != found.runs:
        raise ValueError(
            f"replays of {runs:g} fresh runs of what is ready for {found.runs:g}: call replayer with {runs:g}"
        )
    reasons = left_out(found, searches)
    able = {label: search for label, search in searches.items() if label not in reasons}
    if not able:
        raise ConfigError(f"nothing can be replayed: {'; '.join(f'{name}: {why}' for name, why in reasons.items())}")
    points = tuple(sorted({min(1.0, runs), min(runs, max(1.0, float(round(runs**0.5)))), runs}))
    jobs = [
        Job(label, search, range(first, min(first + CHUNK, repeats)), points, seed)
        for label, search in able.items()
        for first in range(0, repeats, CHUNK)
    ]
    scores = {label: np.empty((repeats, len(points))) for label in able}
    done = 0
    for job, part in zip(jobs, _all_played(found, jobs, processes), strict=True):
        scores[job.label][job.repeats.start : job.repeats.stop] = part
        done += len(job.repeats)
        told(done, repeats * len(able))
    surrogate = found.surrogate
    surfaces = min(repeats, len(surrogate.surfaces))
    optima = np.array([surrogate.best(surface)[1] for surface in range(surfaces)])
    played = [
        Played(label, each, found.real.get(label, ()), len(stand_ins(found, able[label])))
        for label, each in scores.items()
    ]
    return arena_of(points, optima, played, reasons, grounds_of(found))


@dataclass(frozen=True, slots=True)
class Job:
    """Some repeats of one search."""

    label: str
    search: Search
    repeats: range
    points: tuple[float, ...]
    seed: int


def _all_played(found: Replayer, jobs: Sequence[Job], processes: int) -> Iterator[FloatArray]:
    if processes == 1:
        yield from map(played, repeat(found), jobs)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_begin, initargs=(found,)) as pool:
        yield from pool.map(_played, jobs)


_HELD: list[Replayer] = []
"""What a process of the pool replays on: sent once, not with every job."""


def _begin(found: Replayer) -> None:
    _HELD[:] = [found]
    threadpool_limits(1)


def _played(job: Job) -> FloatArray:
    return played(_HELD[0], job)


def played(found: Replayer, job: Job) -> FloatArray:
    """True scores of what a search recommends after each amount of compute, shape (repeats, points); NaN for nothing.

    Only stand-ins may have recommended nothing: a replay that has not yet counts as proportional sampling.
    """
    real = stand_ins(found, job.search)
    if not real:
        return np.array([_replayed(found, job, number) for number in job.repeats])
    recipes = [stood_in(each, job.points) for each in real]
    return np.array([_scores(found, number, recipes[number % len(recipes)]) for number in job.repeats])


def _replayed(found: Replayer, job: Job, number: int) -> list[float]:
    """One replay."""
    seed = int(np.random.SeedSequence([job.seed, number]).generate_state(1)[0])
    budget = Budget(runs=max(job.points), workers=1)
    study = replace(_without_judging(found.surrogate.study), search=job.search, budget=budget, seed=seed)
    trials = drive(study, found.trainer(number))
    unit = study.prepared.run_flops * TOLERANCE
    counts = [len(within_budget(trials, point * unit)) for point in job.points]
    proportional = baseline_recipes(study)["proportional"]
    named = {count: recommended(study, trials[:count]) or proportional for count in dict.fromkeys(counts)}
    return _scores(found, number, [named[count] for count in counts])


def _scores(found: Replayer, number: int, recipes: Sequence[Recipe | None]) -> list[float]:
    """True scores of recipes on the surface of a repeat, one by one; NaN for None."""
    surrogate = found.surrogate
    surface = number % len(surrogate.surfaces)
    scores: dict[Recipe | None, float] = {None: float("nan")}
    for recipe in recipes:
        if recipe is not None and recipe not in scores:
            weights = recipe.mixture.array(surrogate.study.names)[None]
            scores[recipe] = float(surrogate.scores(surface, weights)[0])
    return [scores[recipe] for recipe in recipes]


def _without_judging(study: Study) -> Study:
    """The study as a replay drives it: nothing is judged, and nobody is crowned."""
    return replace(study, final=replace(study.final, seeds=0, finalists=0), stopping=None)


def real_scores(studies: Sequence[Recorded], runs: float) -> dict[str, list[float]]:
    """Mean dev score of the judged runs of each recorded recommendation, algorithm -> one score a study.

    Searches that were given another amount of compute (by more than a tenth, unless they name a single recipe) are left
    out. Baselines count by their anchors.
    """
    found: dict[str, list[float]] = {}
    for each in studies:
        fresh = fresh_runs(each.study, each.trials)
        reruns = [score for trial, _, score in fresh if trial.role is Role.RERUN]
        if reruns and comparable(each, runs):
            found.setdefault(each.study.search.algorithm, []).append(float(np.mean(reruns)))
        for label in dict.fromkeys(trial.proposal.label for trial, _, _ in fresh if trial.role is Role.ANCHOR):
            anchors = [s for trial, _, s in fresh if trial.role is Role.ANCHOR and trial.proposal.label == label]
            found.setdefault(label, []).append(float(np.mean(anchors)))
    return found


def grounds_of(found: Replayer) -> Grounds:
    """How well the surfaces tell real runs."""
    surrogate, told = found.surrogate, found.recalled
    return Grounds(
        metric=surrogate.study.objective.metric,
        runs=surrogate.runs,
        mixtures=surrogate.mixtures,
        reruns=surrogate.reruns,
        surfaces=len(surrogate.surfaces),
        rmse=surrogate.quality.rmse,
        spearman=surrogate.quality.spearman,
        covered=surrogate.covered,
        seed_sd=surrogate.seed_sd,
        misfit_sd=surrogate.misfit_sd,
        columns=tuple(
            (each.target, each.measure, each.model, {name: error.rmse for name, error in each.errors.items()})
            for each in surrogate.fitted
        ),
        rounds=0 if told is None else told.rounds,
        influence=None if told is None else told.agreement,
    )
