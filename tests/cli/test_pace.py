from dataclasses import replace

import pytest

from mixtune.cli.pace import Lap, Left, Pace, left_of, remaining
from mixtune.measurement import Cost, Measurement
from mixtune.preparation import Preparation
from mixtune.proposal import CHARGED, Proposal, Role
from mixtune.proxy import Final
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

Trace = list[tuple[str, float, float, int, float]]
"""Role, start, finish, worker and own seconds of each trial by number, as a real study left them in its database."""

# The quickstart: a budget in runs, a chain of rounds, anchors beside it, two workers.
GUIDED: Trace = [
    ("survey", 0.0, 5.01, 0, 0.15),
    ("anchor", 0.01, 5.55, 1, 0.5),
    ("anchor", 5.55, 5.98, 1, 0.4),
    ("anchor", 5.98, 6.37, 1, 0.36),
    ("anchor", 6.38, 6.75, 1, 0.35),
    ("anchor", 6.75, 7.15, 1, 0.38),
    ("anchor", 7.14, 7.51, 0, 0.36),
    ("round", 5.02, 5.18, 0, 0.14),
    ("round", 5.19, 5.35, 0, 0.15),
    ("round", 5.36, 5.52, 0, 0.15),
    ("round", 5.53, 5.72, 0, 0.16),
    ("round", 5.72, 5.9, 0, 0.15),
    ("round", 5.9, 6.08, 0, 0.15),
    ("round", 6.09, 6.26, 0, 0.15),
    ("round", 6.27, 6.43, 0, 0.14),
    ("round", 6.44, 6.61, 0, 0.15),
    ("round", 6.61, 6.78, 0, 0.15),
    ("round", 6.79, 6.96, 0, 0.15),
    ("round", 6.96, 7.13, 0, 0.14),
    ("rerun", 7.16, 7.54, 1, 0.36),
    ("rerun", 7.52, 7.91, 0, 0.37),
    ("rerun", 7.55, 7.93, 1, 0.36),
]

# TPE with one worker, on runs of 0.6 s: anchors, 12 trials, three finalists on two seeds, then the best recipe.
TPE: Trace = [
    ("survey", 0.0, 6.61, 0, 0.6),
    ("anchor", 6.62, 7.26, 0, 0.6),
    ("anchor", 7.26, 7.91, 0, 0.6),
    ("anchor", 7.92, 8.55, 0, 0.6),
    ("anchor", 8.56, 9.18, 0, 0.6),
    ("search", 9.19, 9.82, 0, 0.6),
    ("search", 9.82, 10.45, 0, 0.6),
    ("search", 10.46, 11.09, 0, 0.6),
    ("search", 11.1, 11.76, 0, 0.6),
    ("search", 11.77, 12.42, 0, 0.6),
    ("search", 12.42, 13.06, 0, 0.6),
    ("search", 13.07, 13.71, 0, 0.6),
    ("search", 13.72, 14.36, 0, 0.6),
    ("search", 14.37, 15.0, 0, 0.6),
    ("search", 15.0, 15.65, 0, 0.6),
    ("search", 15.66, 16.29, 0, 0.6),
    ("search", 16.31, 16.95, 0, 0.6),
    ("finalist", 16.95, 17.58, 0, 0.6),
    ("finalist", 17.59, 18.23, 0, 0.6),
    ("finalist", 18.23, 18.87, 0, 0.6),
    ("finalist", 18.88, 19.51, 0, 0.6),
    ("finalist", 19.51, 20.14, 0, 0.6),
    ("finalist", 20.15, 20.78, 0, 0.6),
    ("rerun", 20.79, 21.41, 0, 0.6),
    ("rerun", 21.41, 22.05, 0, 0.6),
]

SHOWN = 0.1
"""Seconds below which a difference cannot be seen."""


def replayed(trace: Trace, now: float, *, workers: int, seeds: int, choosing: int) -> float | None:
    """The seconds that were foreseen at a moment of a trace."""
    laps = {
        number: Lap(Role(role), start, end if end <= now else None, worker, own if end <= now else None)
        for number, (role, start, end, worker, own) in enumerate(trace)
        if start <= now
    }
    opening = [number for number, (role, *_) in enumerate(trace) if role in ("survey", "anchor")]
    left = left_of(laps, opening=opening, planned=len(trace), seeds=seeds, choosing=lambda searches: choosing)
    return remaining(laps.values(), left, workers=workers, now=now)


@pytest.mark.parametrize(
    "trace, workers, seeds, choosing",
    [(GUIDED, 2, 3, 0), (TPE, 1, 2, 6)],
    ids=["chain and anchors on two workers", "tpe and its finalists on one"],
)
def test_after_a_third_of_a_run_the_time_left_is_right_within_30_percent(
    trace: Trace, workers: int, seeds: int, choosing: int
) -> None:
    # The clock starts when the first worker is up, which says nothing about how long trials take.
    begin, end = min(end for _, _, end, _, _ in trace), max(end for _, _, end, _, _ in trace)
    for step in range(334, 1000):
        now = begin + (end - begin) * step / 1000
        foreseen = replayed(trace, now, workers=workers, seeds=seeds, choosing=choosing)
        assert foreseen is not None
        assert foreseen == pytest.approx(end - now, rel=0.3, abs=SHOWN), f"{now - begin:.2f} s after the start"


def laps(role: Role, *spans: tuple[float, float | None]) -> list[Lap]:
    """Laps of one worker that is warm, from start to finish."""
    warm = Lap(Role.SURVEY, -1.0, 0.0, worker=1, own=1.0)
    return [warm, *(Lap(role, start, end, worker=1, own=end and end - start) for start, end in spans)]


def test_rounds_of_a_chain_follow_each_other_whatever_the_workers() -> None:
    done = [*laps(Role.ROUND, (0, 2), (2, 4)), Lap(Role.ANCHOR, 0, 3, worker=1, own=3)]
    assert remaining(done, Left(searches=5, anchors=0, reruns=0), workers=2, now=4) == pytest.approx(10)
    # Two anchors of 3 s fit beside five rounds of 2 s; the runs of the recommendation begin after the last round.
    assert remaining(done, Left(searches=5, anchors=2, reruns=2), workers=2, now=4) == pytest.approx(13)


def test_fresh_runs_share_the_workers() -> None:
    done = laps(Role.SEARCH, (0, 2), (2, 4))
    assert remaining(done, Left(searches=5, anchors=0, reruns=0), workers=2, now=4) == pytest.approx(6)


def test_what_a_running_trial_has_behind_it_is_taken_off() -> None:
    running = laps(Role.SEARCH, (0, 2), (2, 4), (4, None))
    assert remaining(running, Left(1, 0, 0), workers=1, now=5.5) == pytest.approx(0.5 + 2)
    assert remaining(running, Left(1, 0, 0), workers=1, now=9) == pytest.approx(2)


def test_a_workers_start_does_not_count() -> None:
    cold = [Lap(Role.SEARCH, 0, 30, worker=7, own=2)]
    assert remaining(cold, Left(3, 0, 0), workers=1, now=30) == pytest.approx(6)


def test_nothing_is_foreseen_before_a_trial_of_the_kind_has_finished() -> None:
    assert remaining([], Left(3, 2, 1), workers=2, now=0) is None
    assert remaining(laps(Role.ROUND, (0, 2)), Left(3, 2, 1), workers=2, now=2) is None


def test_what_is_left_follows_from_the_numbers_that_have_started() -> None:
    begun = {0: Lap(Role.SURVEY, 0), 1: Lap(Role.ANCHOR, 0), 5: Lap(Role.SEARCH, 0), 6: Lap(Role.SEARCH, 0)}
    assert left_of(begun, opening=range(5), planned=12, seeds=2) == Left(searches=3, anchors=3, reruns=2)
    over = begun | {number: Lap(Role.SEARCH, 0) for number in (7, 8, 9)} | {10: Lap(Role.RERUN, 0)}
    assert left_of(over, opening=range(5), planned=12, seeds=2) == Left(searches=0, anchors=3, reruns=1)


def test_finalists_run_after_the_search_and_before_the_recommendation() -> None:
    begun = {0: Lap(Role.SURVEY, 0), **{number: Lap(Role.SEARCH, 0) for number in (1, 2, 3)}}
    # Of 11 trials 8 are searches with their finalists: one more search, then four runs of finalists for four searches.
    found = left_of(begun, opening=[0], planned=11, seeds=2, choosing=lambda searches: 4 if searches >= 4 else 0)
    assert found == Left(searches=1, anchors=0, reruns=2, finalists=4)
    over = begun | {4: Lap(Role.SEARCH, 0), 5: Lap(Role.FINALIST, 0)}
    found = left_of(over, opening=[0], planned=11, seeds=2, choosing=lambda searches: 4)
    assert found == Left(searches=0, anchors=0, reruns=2, finalists=3)
    # Two anchors of 2 s side by side, one search, two finalists side by side, one run of the recommendation.
    done = laps(Role.SEARCH, (0, 2), (2, 4))
    assert remaining(done, Left(1, 2, 1, 2), workers=2, now=4) == pytest.approx(2 + 2 + 2 + 2)


def test_an_extended_search_gets_new_runs_of_its_recommendation() -> None:
    begun = {0: Lap(Role.SURVEY, 0), 1: Lap(Role.SEARCH, 0), 2: Lap(Role.RERUN, 0), 3: Lap(Role.SEARCH, 0)}
    assert left_of(begun, opening=[0], planned=6, seeds=1) == Left(searches=1, anchors=0, reruns=1)
    assert left_of(begun, opening=[0], planned=5, seeds=1) == Left(searches=0, anchors=0, reruns=1)


STUDY = Study(
    "duo",
    (Source("alpha", "docstrings", "numpy"), Source("beta", "docstrings", "scipy")),
    (),
    Search("random"),
    Budget(trials=4, workers=1),
    final=Final(seeds=1),
    preparation=Preparation("k", {name: SourceFacts(10, 10, 5.0, "x") for name in ("alpha", "beta")}, {}, 1.0),
)


def trial(number: int, role: Role, started: float, finished: float | None) -> Trial:
    """A trial that waits (started is negative), runs (finished is None), or is over."""
    proposal = Proposal(Recipe(Mixture({"alpha": 0.5, "beta": 0.5})), 30, role)
    if started < 0:
        return Trial(number, proposal, 0)
    state = TrialState.RUNNING if finished is None else TrialState.COMPLETE
    found = None if finished is None else Measurement(cost=Cost(seconds=finished - started))
    return Trial(number, proposal, 0, state=state, measurement=found, started=started, finished=finished, pid=1)


def test_a_studys_rest_is_foreseen_from_the_trials_that_were_seen() -> None:
    # Survey, two anchors (uniform, proportional), four trials and one run of the recommendation; one worker.
    pace = Pace()
    assert pace.remaining(STUDY, 8, 0.0) is None
    for seen in (trial(0, Role.SURVEY, 0, 1), trial(3, Role.SEARCH, 1, 3), trial(4, Role.SEARCH, 3, 5)):
        pace.changed(seen)
    assert pace.remaining(STUDY, 8, 5.0) == pytest.approx((2 + 2 + 1) * 2)
    assert pace.remaining(STUDY, None, 5.0) is None
    assert pace.remaining(replace(STUDY, preparation=None), 8, 5.0) is None


def test_trials_of_an_earlier_run_of_the_study_are_not_run_again() -> None:
    held = [trial(number, role, number, number + 1) for number, role in enumerate([Role.SURVEY, *[Role.ANCHOR] * 2])]
    held += [trial(3, Role.SEARCH, 3, 4), trial(4, Role.SEARCH, 4, None)]
    pace = Pace(held)
    pace.changed(trial(4, Role.SEARCH, -1, None))
    assert held[4].role in CHARGED
    assert pace.remaining(STUDY, 8, 50.0) == pytest.approx(3 + 1)
