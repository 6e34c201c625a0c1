from dataclasses import replace

import pytest
from planted import World, explore, planted_study, recommended, survey

from mixtune.errors import NotReady, SearchExhausted
from mixtune.measurement import Measurement
from mixtune.proposal import Role
from mixtune.searchers.neighbours import Neighbours
from mixtune.space import Space
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

FOUND = {"t0": {"s0": 0.5, "s1": 0.5, "s2": 0.0}, "t1": {"s0": 0.1, "s1": 0.0, "s2": 0.9}}


def surveyed(study: Study) -> list[Trial]:
    return [replace(survey(study), measurement=Measurement(score=0.1, neighbours=FOUND))]


def test_weights_are_the_shares_averaged_over_targets_by_their_weights() -> None:
    study = planted_study(3, space=Space(floor=dict.fromkeys(("s0", "s1", "s2"), 0.0)))
    study = replace(study, targets=(replace(study.targets[0], weight=3.0), study.targets[1]))
    mixture = Neighbours().recommend(study, surveyed(study)).mixture
    # t0 weighs 3/4, t1 1/4: s0 .375 + .025, s1 .375, s2 .225
    assert mixture.array(study.names) == pytest.approx([0.4, 0.375, 0.225])


def test_a_source_without_any_neighbour_keeps_its_floor() -> None:
    study = planted_study(3, space=Space(floor={"s2": 0.05}))
    mixture = recommended(Neighbours(), World(study), 1)
    assert mixture["s2"] == pytest.approx(0.05)


def test_the_homes_of_the_targets_are_found_at_once() -> None:
    mixture = recommended(Neighbours(), World(planted_study(6)), 1)
    assert mixture["s0"] == pytest.approx(0.5, abs=0.01) and mixture["s1"] == pytest.approx(0.5, abs=0.01)


def test_the_share_of_a_removed_source_goes_to_the_others() -> None:
    study = planted_study(3, space=Space(floor=dict.fromkeys(("s0", "s1", "s2"), 0.0)))
    study = replace(study, sources=(study.sources[0], replace(study.sources[1], weight=0.0), study.sources[2]))
    mixture = Neighbours().recommend(study, surveyed(study)).mixture
    # s0 .3 and s2 .45 of what is left
    assert dict(mixture) == pytest.approx({"s0": 0.4, "s2": 0.6})


def test_it_runs_once_fresh_and_in_full_at_the_levels_that_the_study_fixes() -> None:
    study = planted_study(3, space=Space(levels={"s1": (0.25,)}))
    trials = explore(Neighbours(), World(study), 5)
    assert len(trials) == 2
    proposal = trials[1].proposal
    assert (proposal.role, proposal.steps, proposal.parent) == (Role.SEARCH, study.proxy.steps, None)
    assert proposal.recipe.pruning.share("s1") == 0.25
    assert proposal.recipe == Neighbours().recommend(study, trials)


@pytest.mark.parametrize("state", [TrialState.QUEUED, TrialState.RUNNING])
def test_it_waits_for_the_survey(state: TrialState) -> None:
    study = planted_study(3)
    waiting = [replace(survey(study), state=state)]
    for trials in ([], waiting):
        with pytest.raises(NotReady, match="the survey first"):
            Neighbours().suggest(study, trials, study.rng(1))
    with pytest.raises(SearchExhausted):
        Neighbours().recommend(study, waiting)


def test_a_survey_that_failed_or_did_not_look_ends_the_search() -> None:
    study = planted_study(3)
    for broken in (
        replace(survey(study), state=TrialState.FAILED),
        replace(survey(study), measurement=Measurement(score=0.1)),
    ):
        with pytest.raises(SearchExhausted, match="no survey that found any"):
            Neighbours().suggest(study, [broken], study.rng(1))
