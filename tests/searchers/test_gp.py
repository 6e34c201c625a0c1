from dataclasses import replace

import numpy as np
import optuna
import pytest
from planted import World, explore, finish, planted_study, recommended, with_last
from sphere import best, distinct, history, live_scores, reached, scores

from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role
from mixtune.searchers.optuna import GP, told_of
from mixtune.space import Space
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


def live(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.GPSampler(seed=seed)


def scored(study: Study, values: list[float | None]) -> list[Trial]:
    """Trials with these scores; None has failed."""
    proposal = Proposal(study.recipe(study.proportional()), 1, Role.SEARCH)
    return [
        Trial(number, proposal, 0, state=TrialState.FAILED)
        if score is None
        else Trial(number, proposal, 0, state=TrialState.COMPLETE, measurement=Measurement(score=score))
        for number, score in enumerate(values)
    ]


@pytest.mark.slow
def test_rebuilding_finds_the_centre_of_a_sphere_as_soon_as_a_live_sampler_and_repeats_no_point() -> None:
    # A score of -0.5 is a distance of 0.7 on sides of 8: reached after 39 to 54 trials, where random points have -20.
    # How much nearer either gets afterwards is decided by its last few points, and is chance.
    histories = [history(GP(prior="none"), seed, 60) for seed in range(5)]
    assert distinct(histories)
    alive = np.median([reached(live_scores(live, seed, 60), -0.5) for seed in range(5)])
    assert np.median([reached(scores(trials), -0.5) for trials in histories]) <= 1.2 * alive <= 1.2 * 60


def test_a_sphere_is_nearly_solved_in_sixty_trials_and_no_point_repeats() -> None:
    # Live samplers reach -0.02 to -0.3 with seeds 0 to 4; sixty random points about -20.
    trials = history(GP(prior="none"), 0, 60)
    assert distinct([trials])
    assert best(trials) > -0.5


def test_the_homes_of_the_targets_are_found() -> None:
    mixture = recommended(GP(), World(planted_study(4)), 25)
    assert mixture["s0"] + mixture["s1"] > 0.8
    assert mixture["s0"] > 0.25 and mixture["s1"] > 0.25


def test_a_run_that_was_ended_is_told_as_what_it_would_probably_have_become() -> None:
    study, searcher = planted_study(3), GP(n_startup_trials=3)
    trials = explore(searcher, World(study), 6)[1:]
    whole = [Measurement(step=9, score=s, rungs={3: s - 0.25}) for s in (0.5, 0.75, 1.0, 0.25, 0.5, 0.625)]
    scored = [replace(t, measurement=m) for t, m in zip(trials, whole, strict=True)]
    ended = with_last(scored, TrialState.PRUNED, Measurement(step=3, score=0.375, rungs={3: 0.375}))
    assert searcher.point(study, ended, study.rng(9)) == searcher.point(study, scored, study.rng(9))
    assert searcher.point(study, scored[:-1], study.rng(9)) != searcher.point(study, scored, study.rng(9))


def test_few_trials_are_all_told() -> None:
    trials = scored(planted_study(2), [0.1, None, 0.3])
    assert told_of(trials) == trials


def test_of_many_trials_the_best_and_the_newest_of_the_others_are_told() -> None:
    trials = scored(planted_study(2), [0.9, 0.1, 0.8, 0.8, None, 0.2, 0.7, 0.1])
    # The best three are 0, 2 and 3; of the others 6 and 7 are the newest.
    assert [trial.number for trial in told_of(trials, best=3, newest=2)] == [0, 2, 3, 6, 7]


def test_running_trials_are_among_the_newest() -> None:
    trials = with_last(scored(planted_study(2), [0.1 * n for n in range(300)]), TrialState.RUNNING)
    told = told_of(trials)
    assert len(told) == 200 and told[-1].state is TrialState.RUNNING
    assert [trial.number for trial in told] == [*range(100, 300)]


def test_a_running_trial_is_kept_away_from() -> None:
    study, searcher = planted_study(3), GP(n_startup_trials=3)
    trials = explore(searcher, World(study), 8)[1:]
    running, failed = (with_last(trials, state) for state in (TrialState.RUNNING, TrialState.FAILED))
    assert searcher.point(study, running, np.random.default_rng(0)) != searcher.point(
        study, failed, np.random.default_rng(0)
    )


def test_a_better_keep_level_is_preferred() -> None:
    study = planted_study(2, space=Space(levels={"s1": (0.25, 0.5, 1.0)}))
    searcher, world, trials = GP(n_startup_trials=6), World(study), list[Trial]()
    for number in range(20):
        trial = finish(world, searcher.suggest(study, trials, study.rng(number)), number)
        score = float(trial.proposal.recipe.pruning.share("s1") == 0.5)
        trials.append(replace(trial, measurement=Measurement(score=score)))
    assert sum(trial.proposal.recipe.pruning.share("s1") == 0.5 for trial in trials[-10:]) > 6


def test_it_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    explore(GP(n_startup_trials=2), World(planted_study(3)), 5)
    assert capfd.readouterr() == ("", "")
