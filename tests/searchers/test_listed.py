from dataclasses import replace

import pytest
from planted import World, explore, planted_study
from searcher_contract import SearcherContract

from mixtune.errors import ConfigError, SearchExhausted
from mixtune.measurement import Measurement
from mixtune.proposal import Role
from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Search
from mixtune.searchers import SEARCHERS, Searcher, make
from mixtune.searchers.listed import Entry, Listed
from mixtune.space import Space
from mixtune.store.codec import from_json, to_json
from mixtune.study import Study
from mixtune.trial import Trial, TrialState
from mixtune.tuning import plan

FIRST = Entry("all of it", Recipe(Mixture({"s0": 1.0})), {"why": ["first", 1]})
SECOND = Entry("half of it", Recipe(Mixture({"s0": 1.0}), Pruning({"s0": 0.5})))
THIRD = Entry("a quarter", Recipe(Mixture({"s0": 1.0}), Pruning({"s0": 0.25})))


class TestListed(SearcherContract):
    floored = False

    @pytest.fixture
    def searcher(self) -> Searcher:
        return Listed((FIRST, SECOND, THIRD), replicates=2)

    def test_a_bounded_space_is_obeyed(self, searcher: Searcher) -> None:
        """Instead: a list is run as it stands, in the space or not."""
        world = World(planted_study(8, space=Space(cap={"s0": 0.2})))
        assert [t.proposal.recipe for t in explore(searcher, world, 2)[1:]] == [FIRST.recipe, SECOND.recipe]


def listing(*entries: Entry, replicates: int = 1) -> Study:
    return replace(planted_study(2), search=Search("listed", Listed.settings(entries, replicates)))


def scored(study: Study, *scores: float | None) -> list[Trial]:
    """The first trials of a list, with these scores; None is a failure."""
    trials: list[Trial] = []
    for score in scores:
        trial = plan.propose(study, make(study.search), trials)
        if score is None:
            trials.append(replace(trial, state=TrialState.FAILED))
        else:
            trials.append(replace(trial, state=TrialState.COMPLETE, measurement=Measurement(score=score)))
    return trials


def test_each_recipe_runs_on_one_judging_seed_before_the_next_begins() -> None:
    study = listing(FIRST, SECOND, replicates=2)
    trials = scored(study, 0.1, 0.2, 0.3, 0.4)
    assert [(t.proposal.label, t.proposal.replicate) for t in trials] == [
        ("all of it", 0),
        ("half of it", 0),
        ("all of it", 1),
        ("half of it", 1),
    ]
    assert [t.seed for t in trials] == [study.judging_seed(r) for r in (0, 0, 1, 1)]
    assert {(t.role, t.proposal.steps, t.proposal.horizon, t.proposal.parent) for t in trials} == {
        (Role.AUDIT, study.proxy.steps, study.proxy.steps, None)
    }


def test_what_was_noted_of_a_recipe_stands_in_its_proposals() -> None:
    assert scored(listing(FIRST), 0.1)[0].proposal.notes == {"why": ["first", 1]}


def test_a_failed_run_is_not_repeated() -> None:
    study = listing(FIRST, SECOND)
    trials = scored(study, None, 0.2)
    with pytest.raises(SearchExhausted, match="2 recipes"):
        plan.propose(study, make(study.search), trials)


def test_the_best_mean_is_recommended() -> None:
    study = listing(FIRST, SECOND, replicates=2)
    trials = scored(study, 0.5, 0.4, 0.1, 0.4)
    assert make(study.search).recommend(study, trials) == SECOND.recipe


def test_a_list_survives_the_store() -> None:
    study = listing(FIRST, SECOND, THIRD, replicates=3)
    back = from_json(Study, to_json(study))
    assert back == study
    assert make(back.search) == Listed((FIRST, SECOND, THIRD), replicates=3)


def test_a_list_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="listed: setting recipes"):
        make(Search("listed", {"recipes": [{"label": "no recipe"}]}))


def test_two_recipes_of_one_label_are_refused() -> None:
    study = listing(FIRST, replace(SECOND, label=FIRST.label))
    with pytest.raises(ConfigError, match="'all of it' labels two recipes"):
        make(study.search).suggest(study, [], study.rng(0))


def test_a_source_that_the_study_lacks_is_refused() -> None:
    study = listing(Entry("other", Recipe(Mixture({"elsewhere": 1.0}))))
    with pytest.raises(ConfigError, match=r"'other' has 'elsewhere'.*s0, s1"):
        make(study.search).suggest(study, [], study.rng(0))


def test_no_study_file_may_name_it() -> None:
    assert "listed" not in SEARCHERS


def test_its_trials_are_foreseen() -> None:
    study = replace(listing(FIRST, SECOND, replicates=2), final=replace(planted_study(2).final, seeds=0))
    study = replace(study, budget=replace(study.budget, trials=4))
    searcher = make(study.search)
    opening = plan.opening(study)
    assert [trial.role for trial in opening] == [Role.SURVEY]
    for done in range(5):
        assert plan.planned(study, searcher, [*opening, *scored(study, *[0.1] * done)]) == 5
