"""How long the rest of a study will take, from when its trials started and finished."""

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from mixtune.proposal import ASKED, Role
from mixtune.searchers import baseline_recipes, make
from mixtune.searchers.finalists import choosing_runs
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

SIMILAR = (Role.ANCHOR, Role.FINALIST, Role.RERUN, Role.SEARCH, Role.REFERENCE)
"""Roles of full-length fresh runs: one that was never timed takes as long as the others."""

RECENT = 4
"""Newest trials of a role whose times are averaged: a machine's other work comes and goes."""


@dataclass(frozen=True, slots=True)
class Lap:
    """When a trial ran, in seconds of any clock; finished is None while it runs.

    own are the seconds of the run itself, without what a worker needs to start. worker tells processes apart.
    """

    role: Role
    started: float
    finished: float | None = None
    worker: int | None = None
    own: float | None = None

    @classmethod
    def of(cls, trial: Trial) -> "Lap | None":
        """The lap of a trial; None while it waits."""
        if trial.started is None or trial.state is TrialState.QUEUED:
            return None
        own = trial.measurement.cost.seconds if trial.measurement is not None else None
        started = trial.started
        if trial.reused and trial.finished is not None and own is not None:
            started = trial.finished - own  # as long as it would have taken: the next run of its kind may have no twin
        return cls(trial.role, started, trial.finished if trial.state.finished else None, trial.pid, own)


@dataclass(frozen=True, slots=True)
class Left:
    """Trials that have not started: anchors, the searcher's, finalists, and runs of the recommendation."""

    searches: int
    anchors: int
    reruns: int
    finalists: int = 0


def left_of(
    laps: Mapping[int, Lap],
    *,
    opening: Collection[int],
    planned: int,
    seeds: int,
    choosing: Callable[[int], int] = lambda searches: 0,
) -> Left:
    """What has not started yet.

    Args:
        laps: the trials that have started, by number.
        opening: numbers of the survey and the anchors.
        planned: trials expected in all.
        seeds: runs of a recommendation. Those of one before the search was extended do not count, nor its finalists.
        choosing: how many runs of finalists follow a search of so many trials.
    """
    asked = [number for number, lap in laps.items() if lap.role in ASKED]
    since = [lap.role for number, lap in laps.items() if number > max(asked, default=-1)]
    done, tried = since.count(Role.RERUN), since.count(Role.FINALIST)
    before = sum(lap.role in (Role.RERUN, Role.FINALIST) for lap in laps.values()) - done - tried
    rest = planned - len(opening) - before - max(done, seeds)

    def follow(searches: int) -> int:
        return tried if done else max(tried, choosing(searches))

    searched = max((count for count in range(rest + 1) if count + follow(count) <= rest), default=0)
    searches, anchors = max(0, searched - len(asked)), len(set(opening) - laps.keys())
    return Left(searches, anchors, seeds if searches else max(0, seeds - done), max(0, follow(searched) - tried))


def remaining(laps: Iterable[Lap], left: Left, *, workers: int, now: float) -> float | None:
    """Seconds until everything has finished, None while that cannot be told.

    Plays the rest through: anchors, the searcher's trials, its finalists once it is over, and runs of the
    recommendation after those. Rounds of a chain follow one another, and anchors run on workers that they leave idle.
    Each takes as long as those of its role did lately.
    """
    laps = list(laps)
    seconds = _seconds(laps)
    chained = Role.ROUND in seconds or any(lap.role is Role.ROUND for lap in laps)
    audited = any(lap.role is Role.AUDIT for lap in laps)
    search = Role.ROUND if chained else Role.AUDIT if audited else Role.SEARCH
    beside = chained and workers > 1
    wanted = {
        Role.ANCHOR: left.anchors,
        search: left.searches,
        Role.FINALIST: left.finalists,
        Role.RERUN: left.reruns,
    }
    running = [lap for lap in laps if lap.finished is None]
    needed = [role for role, count in wanted.items() if count] + [lap.role for lap in running]
    if any(role not in seconds for role in needed if role is not Role.SURVEY):
        return None
    ends = [max(0.0, lap.started + seconds.get(lap.role, 0.0) - now) for lap in running]

    def last_of(*roles: Role) -> float:
        return max((end for end, lap in zip(ends, running, strict=True) if lap.role in roles), default=0.0)

    searched, chosen = last_of(*ASKED), last_of(Role.FINALIST)
    free = [*ends, *[0.0] * (workers - len(ends))]
    heapq.heapify(free)
    last = max(free)
    while any(wanted.values()):
        moment = heapq.heappop(free)
        waits = chained and searched > moment
        if wanted[Role.ANCHOR] and not (beside and wanted[search] and not waits):
            role = Role.ANCHOR
        elif wanted[search]:
            role, moment = search, max(moment, searched if chained else 0.0)
        elif wanted[Role.FINALIST]:
            role, moment = Role.FINALIST, max(moment, searched)
        else:
            role, moment = Role.RERUN, max(moment, searched, chosen)
        wanted[role] -= 1
        end = moment + seconds[role]
        searched = max(searched, end) if role is search else searched
        chosen = max(chosen, end) if role is Role.FINALIST else chosen
        last = max(last, end)
        heapq.heappush(free, end)
    return last


class Pace:
    """Keeps the laps of a study's trials and the numbers of those that have finished, and foresees the rest.

    Args:
        held: trials that the study had before this run.
    """

    def __init__(self, held: Iterable[Trial] = ()) -> None:
        self.laps: dict[int, Lap] = {}
        self.finished: set[int] = set()
        for trial in held:
            self.changed(trial)

    def changed(self, trial: Trial) -> None:
        """Take in a trial's new state."""
        lap = Lap.of(trial)
        if lap is None:
            self.laps.pop(trial.number, None)
        else:
            self.laps[trial.number] = lap
        if trial.state.finished:
            self.finished.add(trial.number)
        else:
            self.finished.discard(trial.number)

    def remaining(self, study: Study, planned: int | None, now: float) -> float | None:
        """Seconds until the study has finished, None while that cannot be told; now as time.time()."""
        if planned is None or study.preparation is None:
            return None
        opening = 1 + study.final.seeds * len(baseline_recipes(study))
        searcher = make(study.search)
        left = left_of(
            self.laps,
            opening=range(opening),
            planned=planned,
            seeds=study.final.seeds,
            choosing=lambda searches: choosing_runs(study, searcher, searches),
        )
        return remaining(self.laps.values(), left, workers=study.budget.workers, now=now)


def _seconds(laps: Iterable[Lap]) -> dict[Role, float]:
    """How long a trial of each role takes; roles of which nothing can be told are left out.

    A worker's first trial waits for the worker to start: of it only the run itself counts.
    """
    taken: dict[Role, list[float]] = {}
    met: set[int | None] = set()
    for lap in sorted((lap for lap in laps if lap.finished is not None), key=lambda lap: lap.finished or 0.0):
        fresh = lap.worker not in met
        met.add(lap.worker)
        if lap.finished is not None and not (fresh and lap.own is None):
            taken.setdefault(lap.role, []).append(
                lap.own if fresh and lap.own is not None else lap.finished - lap.started
            )
    similar = [each for role in SIMILAR for each in taken.get(role, [])]
    found = {role: sum(times[-RECENT:]) / len(times[-RECENT:]) for role, times in taken.items()}
    return {role: sum(similar) / len(similar) for role in SIMILAR if similar} | found
