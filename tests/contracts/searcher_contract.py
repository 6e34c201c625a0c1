"""What every search algorithm promises. A new one subclasses SearcherContract and gives the fixture `searcher`."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from planted import World, explore, finish, planted_study, survey, with_last
from pydantic import TypeAdapter

from mixtune.errors import NotReady, SearchExhausted
from mixtune.measurement import Influence, Measurement
from mixtune.proposal import ASKED, Proposal, Role
from mixtune.recipe import Recipe
from mixtune.search import Budget
from mixtune.searchers import FoldSearcher, Searcher
from mixtune.space import Space
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

LENGTH = 6
"""Trials in the histories: enough for a few rounds or the first model of a black-box searcher that starts at 3."""


class SearcherContract:
    """Tests that hold for any searcher, at 1, 2, 25 and 200 sources.

    floored is False for baselines, which leave the default floor to the draw: their mixtures are what their name says
    where the study states no bound against it.
    """

    floored = True

    @pytest.fixture
    def searcher(self) -> Searcher:
        raise NotImplementedError("give the fixture `searcher`")

    @pytest.fixture(params=[1, 2, 25, 200])
    def study(self, request: pytest.FixtureRequest) -> Study:
        return planted_study(request.param, targets=min(2, request.param))

    @pytest.fixture
    def world(self, study: Study) -> World:
        return World(study, noise=0.01)

    def answer(self, searcher: Searcher, study: Study, trials: list[Trial]) -> Proposal | str:
        """The next proposal, or why there is none."""
        try:
            return searcher.suggest(study, trials, study.rng(len(trials)))
        except (NotReady, SearchExhausted) as reason:
            return type(reason).__name__

    def check(self, study: Study, recipe: Recipe) -> None:
        """The recipe lies in the study's space."""
        weights = recipe.mixture.array(study.names)
        assert set(recipe.mixture) <= set(study.names)
        assert np.isfinite(weights).all() and weights.sum() == pytest.approx(1)
        assert set(recipe.pruning.kept) <= set(study.names)
        assert study.broken_bounds(recipe) == ()
        if self.floored:
            low, _ = study.bounds(recipe.pruning)
            assert ((weights >= low - 1e-9) | (weights == 0)).all()
            assert (weights > 0).all() or study.space.at_most is not None

    def test_needs_are_fields_of_a_measurement(self, searcher: Searcher) -> None:
        assert searcher.needs <= {field.name for field in dataclasses.fields(Measurement)}

    def test_proposals_and_recommendation_stay_in_the_space(self, searcher: Searcher, world: World) -> None:
        trials = explore(searcher, world, LENGTH)
        assert len(trials) > 1
        for trial in trials[1:]:
            assert trial.role in ASKED
            self.check(world.study, trial.proposal.recipe)
        self.check(world.study, searcher.recommend(world.study, trials))

    def test_finalists_are_distinct_lie_in_the_space_and_begin_with_the_recommendation(
        self, searcher: Searcher, world: World
    ) -> None:
        trials = explore(searcher, world, LENGTH)
        found = searcher.finalists(world.study, trials, 3)
        assert found[0] == searcher.recommend(world.study, trials)
        assert 1 <= len(found) == len(set(found)) <= 3
        for recipe in found:
            self.check(world.study, recipe)

    def test_a_bounded_space_is_obeyed(self, searcher: Searcher) -> None:
        space = Space(floor={"s1": 0.05}, cap={"s0": 0.2, "s5": 0.3}, at_most=4, must_include=("s1",))
        world = World(planted_study(8, space=space))
        trials = explore(searcher, world, LENGTH)
        for recipe in (*(trial.proposal.recipe for trial in trials[1:]), searcher.recommend(world.study, trials)):
            weights = recipe.mixture.array(world.study.names)
            assert weights[1] >= 0.05 - 1e-9
            assert weights[0] <= 0.2 + 1e-9 and weights[5] <= 0.3 + 1e-9
            # Mixed batches show a rule every source; what it recommends of them is bounded.
            assert recipe.batching.mixed or (weights > 0).sum() <= 4

    def test_a_source_of_weight_zero_is_left_alone(self, searcher: Searcher) -> None:
        study = planted_study(4)
        sources = (study.sources[0], dataclasses.replace(study.sources[1], weight=0.0), *study.sources[2:])
        world = World(dataclasses.replace(study, sources=sources))
        for trial in explore(searcher, world, LENGTH)[1:]:
            assert trial.proposal.recipe.mixture.get("s1", 0.0) == 0
            assert trial.proposal.probe is None or "s1" not in trial.proposal.probe.sources

    def test_a_search_that_says_when_it_ends_does(self, searcher: Searcher) -> None:
        world = World(planted_study(4))
        most = searcher.most(world.study)
        longest = LENGTH if most is None else most + 2
        asked = [trial for trial in explore(searcher, world, longest) if trial.role is not Role.SURVEY]
        assert len(asked) == (LENGTH if most is None else most)

    def test_a_search_replays_identically_from_its_seed(self, searcher: Searcher, world: World) -> None:
        again = dataclasses.replace(searcher)  # type: ignore[type-var]
        assert explore(searcher, world, LENGTH) == explore(again, world, LENGTH)

    def test_neither_name_nor_budget_changes_a_proposal(self, searcher: Searcher, world: World) -> None:
        trials = explore(searcher, world, LENGTH)
        other = dataclasses.replace(world.study, name="other", budget=Budget(trials=1000))
        assert self.answer(searcher, world.study, trials) == self.answer(searcher, other, trials)

    @pytest.mark.parametrize("state", [TrialState.FAILED, TrialState.PRUNED])
    def test_a_failed_trial_does_not_stop_the_search(self, searcher: Searcher, world: World, state: TrialState) -> None:
        trials = explore(searcher, world, LENGTH)
        for history in (with_last(trials[:2], state), with_last(trials, state)):
            found = self.answer(searcher, world.study, history)
            assert found == "SearchExhausted" or isinstance(found, Proposal)
            if isinstance(found, Proposal):
                self.check(world.study, found.recipe)
                assert found.parent != history[-1].number

    def test_an_answer_that_is_not_finite_does_not_stop_the_search(self, searcher: Searcher, world: World) -> None:
        trials = explore(searcher, world, LENGTH)
        sources = trials[-1].proposal.probe.sources if trials[-1].proposal.probe else ()
        lost = dict.fromkeys(sources, Influence(None, None))
        empty = Measurement(score=math.nan, influence=lost, checkpoint="here")
        found = self.answer(searcher, world.study, with_last(trials, TrialState.COMPLETE, empty))
        assert found == "SearchExhausted" or isinstance(found, Proposal)

    def test_a_running_trial_gives_a_proposal_or_not_ready(self, searcher: Searcher, world: World) -> None:
        history = with_last(explore(searcher, world, LENGTH), TrialState.RUNNING)
        found = self.answer(searcher, world.study, history)
        assert found in ("NotReady", "SearchExhausted") or isinstance(found, Proposal)

    def test_measurements_of_unfinished_trials_are_not_read(self, searcher: Searcher, world: World) -> None:
        trials = explore(searcher, world, LENGTH)
        poison = Measurement(score=1e9, influence={"s0": Influence(1e9, 0.0)})
        for state in (TrialState.QUEUED, TrialState.RUNNING):
            plain = self.answer(searcher, world.study, with_last(trials, state))
            assert self.answer(searcher, world.study, with_last(trials, state, poison)) == plain

    def test_measurements_of_failed_trials_are_not_read(self, searcher: Searcher, world: World) -> None:
        trials = explore(searcher, world, LENGTH)
        plain = self.answer(searcher, world.study, with_last(trials, TrialState.FAILED))
        torn = with_last(trials, TrialState.FAILED, trials[-1].measurement)
        assert self.answer(searcher, world.study, torn) == plain

    def test_exhaustion_is_said_and_lasts(self, searcher: Searcher, world: World) -> None:
        trials = explore(searcher, world, 25)
        if len(trials) == 26:
            assert isinstance(self.answer(searcher, world.study, trials), Proposal)
        else:
            assert self.answer(searcher, world.study, trials) == "SearchExhausted"

    def test_a_recommendation_without_trials_is_a_recipe_or_exhausted(self, searcher: Searcher, study: Study) -> None:
        try:
            self.check(study, searcher.recommend(study, []))
        except SearchExhausted as reason:
            assert "finish" in str(reason)

    def test_a_proposal_survives_json(self, searcher: Searcher, world: World) -> None:
        adapter = TypeAdapter(Proposal)
        for trial in explore(searcher, world, LENGTH)[1:]:
            assert adapter.validate_json(adapter.dump_json(trial.proposal)) == trial.proposal

    def test_a_survey_alone_gives_the_first_proposal(self, searcher: Searcher, world: World) -> None:
        proposal = searcher.suggest(world.study, [survey(world.study)], world.study.rng(1))
        assert finish(world, proposal, 1).number == 1


class FoldSearcherContract(SearcherContract):
    """What a fold promises besides. The states kept are compared by what they propose, after later updates too."""

    def test_a_fold_kept_from_a_prefix_is_the_whole_fold(self, searcher: FoldSearcher[Any], world: World) -> None:
        trials, study = explore(searcher, world, LENGTH), world.study
        kept = [searcher.start(study)]
        for trial in trials:
            kept.append(searcher.update(kept[-1], study, trial))
        for length, state in enumerate(kept):
            whole = searcher.suggest(study, trials[:length], study.rng(length))
            assert searcher.propose(state, study, study.rng(length)) == whole

    def test_a_trial_that_is_not_finished_has_to_be_waited_for(self, searcher: FoldSearcher[Any], world: World) -> None:
        trials = explore(searcher, world, LENGTH)
        for state in (TrialState.QUEUED, TrialState.RUNNING):
            assert self.answer(searcher, world.study, with_last(trials, state)) == "NotReady"
