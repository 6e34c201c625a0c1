"""Choosing among what a search found, from trials written by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from planted import planted_study

from mixtune.errors import SearchExhausted
from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.searchers.base import Searcher
from mixtune.searchers.blackbox import Random
from mixtune.searchers.finalists import choosing_runs, crowned, finalists, places
from mixtune.searchers.infdds import InfDDS
from mixtune.searchers.regmix import RegMix
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

STUDY = planted_study(3)


def recipe(share: float) -> Recipe:
    return Recipe(Mixture({"s0": round(share, 2), "s1": round(1 - share, 2), "s2": 0.0}))


def ran(
    role: Role, share: float, score: float | None, *, replicate: int = 0, model: str = "", number: int = 0
) -> Trial:
    """A finished trial; without a score it failed, with a model RegMix predicted it."""
    notes = {"coordinates": [0.0, 0.0, 0.0], "options": {}} | ({"model": model} if model else {})
    proposal = Proposal(recipe(share), 10, role, replicate=replicate, notes=notes)
    state = TrialState.FAILED if score is None else TrialState.COMPLETE
    return Trial(number, proposal, 0, state=state, measurement=None if score is None else Measurement(score=score))


def searched(*scores: float) -> list[Trial]:
    """Search trials of the shares 0.10, 0.11, ... with these scores."""
    return [ran(Role.SEARCH, 0.1 + 0.01 * place, score) for place, score in enumerate(scores)]


def again(share: float, *scores: float | None) -> list[Trial]:
    return [ran(Role.FINALIST, share, score, replicate=replicate) for replicate, score in enumerate(scores)]


def test_finalists_are_recipes_that_runs_tell_apart() -> None:
    """RegMix predicts nearly the same recipe again and again; copies would decide nothing."""
    near = [
        replace(trial, proposal=replace(trial.proposal, recipe=Recipe(Mixture({"s0": w, "s1": 1 - w, "s2": 0.0}))))
        for trial, w in zip(searched(0.9, 0.89, 0.88, 0.5, 0.4, *[0.3] * 7), [0.3, 0.30002, 0.303, 0.5, 0.7] + [
            0.1 + 0.02 * place for place in range(7)], strict=True)
    ]  # fmt: skip
    found = finalists(STUDY, Random(), near)
    assert [each.mixture["s0"] for each in found] == [0.3, 0.5, 0.7]


TWELVE = searched(0.5, 0.9, 0.8, 0.7, *[0.4] * 8)


def test_finalists_are_the_best_distinct_recipes_of_the_search() -> None:
    assert finalists(STUDY, Random(), TWELVE) == (recipe(0.11), recipe(0.12), recipe(0.13))
    # The winner's second run halves its mean: equal recipes count once, with their mean.
    assert finalists(STUDY, Random(), [*TWELVE, ran(Role.SEARCH, 0.11, 0.1)])[0] == recipe(0.12)


def test_there_is_one_finalist_for_every_four_trials_and_none_for_a_guided_search() -> None:
    assert [places(STUDY, Random(), searches) for searches in (0, 3, 7, 8, 12, 99)] == [1, 1, 1, 2, 3, 3]
    assert [choosing_runs(STUDY, Random(), searches) for searches in (7, 8, 12, 99)] == [0, 4, 6, 6]
    assert (places(STUDY, InfDDS(), 99), choosing_runs(STUDY, InfDDS(), 99)) == (1, 0)
    off = replace(STUDY, final=replace(STUDY.final, finalists=1))
    assert choosing_runs(off, Random(), 99) == 0


def test_the_mean_on_new_seeds_decides_and_the_score_in_the_search_does_not() -> None:
    new = [*again(0.11, 0.3, 0.5), *again(0.12, 0.45, 0.45), *again(0.13, 0.3, 0.4)]
    assert crowned(STUDY, Random(), [*TWELVE, *new]) == recipe(0.12)


def test_the_best_of_the_search_stands_for_the_choice_while_runs_are_missing() -> None:
    new = [*again(0.11, 0.1, 0.1), *again(0.12, 0.9, 0.9), *again(0.13, 0.2)]
    assert crowned(STUDY, Random(), [*TWELVE, *new]) == recipe(0.11)
    running = replace(new[-1], state=TrialState.RUNNING, measurement=None)
    assert crowned(
        STUDY, Random(), [*TWELVE, *new, replace(running, proposal=replace(running.proposal, replicate=1))]
    ) == (recipe(0.11))


def test_a_finalist_with_a_failed_run_is_out_and_if_all_are_the_search_decides() -> None:
    new = [*again(0.11, 0.1, 0.1), *again(0.12, 0.9, None), *again(0.13, 0.2, 0.2)]
    assert crowned(STUDY, Random(), [*TWELVE, *new]) == recipe(0.13)
    none = [*again(0.11, None, 0.1), *again(0.12, 0.9, None), *again(0.13, None, None)]
    assert crowned(STUDY, Random(), [*TWELVE, *none]) == recipe(0.11)


def test_nothing_finished_crowns_nothing() -> None:
    with pytest.raises(SearchExhausted):
        crowned(STUDY, Random(), [])


def test_regmix_enters_its_last_prediction_and_its_re_runs_but_no_lucky_draw() -> None:
    searcher: Searcher = RegMix(n_fit=4)
    trials = [*TWELVE, ran(Role.SEARCH, 0.3, 0.5, model="law"), ran(Role.SEARCH, 0.31, 0.6, model="law")]
    found = finalists(STUDY, searcher, trials)
    assert found == (searcher.recommend(STUDY, trials), recipe(0.31), recipe(0.3))
    assert finalists(STUDY, RegMix(n_fit=99), trials)[0] == recipe(0.11)


def best_of(rng: np.random.Generator, study: Study) -> tuple[float, float]:
    """True values of the luckiest and of the crowned recipe: 20 recipes of SD 1 in truth, seen with noise of SD 1."""
    truth = {recipe(0.1 + 0.01 * place): value for place, value in enumerate(rng.normal(size=20).tolist())}
    trials: Sequence[Trial] = [
        replace(ran(Role.SEARCH, 0.1, value + float(rng.normal())), proposal=Proposal(each, 10, Role.SEARCH))
        for each, value in truth.items()
    ]
    candidates = finalists(study, Random(), trials)
    new = [
        replace(
            ran(Role.FINALIST, 0.1, truth[each] + float(rng.normal())),
            proposal=Proposal(each, 10, Role.FINALIST, replicate=seed),
        )
        for each in candidates
        for seed in range(study.final.finalist_seeds)
    ]
    return truth[candidates[0]], truth[crowned(study, Random(), [*trials, *new])]


def test_in_noise_as_large_as_the_differences_finalists_find_better_recipes_than_luck_does() -> None:
    rng = np.random.default_rng(0)
    found = np.array([best_of(rng, STUDY) for _ in range(400)])
    # Expected highest of 20 draws is 1.87; half of what the luckiest shows is noise.
    assert found[:, 0].mean() == pytest.approx(1.87 / 2**0.5, abs=0.15)
    gain = found[:, 1] - found[:, 0]
    assert gain.mean() - 3 * gain.std(ddof=1) / 20 > 0
