import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from planted import World, explore, finish, planted_study, with_last
from searcher_contract import FoldSearcherContract

from mixtune.batching import Batching
from mixtune.pruning import Schedule
from mixtune.recipe import Recipe
from mixtune.report.options import chosen
from mixtune.searchers import FoldSearcher, InfDDS, Scout
from mixtune.searchers.choice import Choice, choices_of, options_drawn, residuals
from mixtune.space import Space
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

ONE = np.ones(1)
TOPICS = Space(choices={"topics": (0, 4, 200)})
SWITCH = Space(schedule=Schedule(), choices={"dynamic": (0, 1), "query_end": (5, 2, 8)})
BATCHES = Space(choices={"topics": (0, 200), "margin_bins": (1, 10)})
GUIDED = [InfDDS(), Scout(), InfDDS(policy="exponential", probes=3), InfDDS(policy="reinforce_sum")]


class TestInfDDSWithOpenChoices(FoldSearcherContract):
    @pytest.fixture
    def searcher(self) -> InfDDS:
        return InfDDS()

    @pytest.fixture(params=[1, 2, 25, 200])
    def study(self, request: pytest.FixtureRequest) -> Study:
        return planted_study(request.param, targets=min(2, request.param), space=SWITCH)


class TestScoutWithOpenChoices(FoldSearcherContract):
    @pytest.fixture
    def searcher(self) -> Scout:
        return Scout()

    @pytest.fixture(params=[1, 2, 25, 200])
    def study(self, request: pytest.FixtureRequest) -> Study:
        return planted_study(request.param, targets=min(2, request.param), space=BATCHES)


def recommended(searcher: FoldSearcher[Any], world: World, proposals: int) -> tuple[Recipe, dict[str, float]]:
    recipe = searcher.recommend(world.study, explore(searcher, world, proposals))
    return recipe, chosen(world.study.space, recipe)


def chained(searcher: FoldSearcher[Any], world: World, rounds: int) -> list[Trial]:
    """That many rounds, each trial folded once."""
    state, trials = searcher.start(world.study), list[Trial]()
    for number in range(rounds):
        trials.append(finish(world, searcher.propose(state, world.study, world.study.rng(number)), number))
        state = searcher.update(state, world.study, trials[-1])
    return trials


def tried(trials: list[Trial]) -> list[dict[str, float]]:
    """The options of all probes, each with its arm as `arm`."""
    return [
        {"arm": name, **options}
        for trial in trials
        if trial.proposal.probe
        for name, options in trial.proposal.probe.tried.items()
    ]


def choice(name: str = "topics", values: tuple[float, ...] = (0.0, 4.0), targets: int = 1) -> Choice:
    (found,) = choices_of(planted_study(4, targets=targets, space=Space(choices={name: values})))
    return found


def told(start: Choice, values: list[float], residual: list[float], error: list[float]) -> Choice:
    options = [{start.name: value} for value in values]
    return start.heard(options, np.array(residual)[:, None], np.array(error)[:, None])


@pytest.mark.parametrize("searcher", GUIDED)
@pytest.mark.parametrize("best", [0, 4, 200])
def test_the_planted_value_is_chosen_by_rounds_and_recommendation(searcher: FoldSearcher[Any], best: int) -> None:
    world = World(planted_study(8, space=TOPICS), noise=0.005, best_options={"topics": best})
    trials = explore(searcher, world, 16)
    assert trials[-1].proposal.recipe.batching == searcher.recommend(world.study, trials).batching == Batching(best)


@pytest.mark.parametrize("searcher", [InfDDS(), Scout()])
@pytest.mark.parametrize("best", [{"dynamic": 1.0, "query_end": 2.0}, {"dynamic": 1.0, "query_end": 8.0}])
def test_the_schedule_is_switched_on_and_its_end_chosen_where_probes_are_worth_more(
    searcher: FoldSearcher[Any], best: dict[str, float]
) -> None:
    world = World(planted_study(8, targets=4, space=SWITCH), noise=0.005, best_options=best)
    recipe, options = recommended(searcher, world, 24)
    assert options == best
    assert recipe.pruning.schedule == Schedule(query_end=best["query_end"])


@pytest.mark.parametrize("searcher", [InfDDS(), Scout()])
def test_two_choices_are_told_apart(searcher: FoldSearcher[Any]) -> None:
    best = {"topics": 200.0, "margin_bins": 1.0}
    world = World(planted_study(8, space=BATCHES), noise=0.005, best_options=best)
    assert recommended(searcher, world, 20)[1] == best


@pytest.mark.parametrize("searcher", [InfDDS(), Scout()])
@pytest.mark.parametrize("sources", [1, 2, 25])
def test_a_single_source_or_more_than_are_probed_suffice(searcher: FoldSearcher[Any], sources: int) -> None:
    study = planted_study(sources, targets=min(2, sources), space=Space(choices={"topics": (0, 4)}))
    world = World(study, noise=0.001, best_options={"topics": 4})
    assert recommended(searcher, world, 24)[1] == {"topics": 4}


@pytest.mark.parametrize("searcher", GUIDED)
def test_values_without_an_effect_stay_at_the_first(searcher: FoldSearcher[Any]) -> None:
    for space in (TOPICS, SWITCH, BATCHES):
        world = World(planted_study(10, space=space))
        first = {name: float(values[0]) for name, values in space.choices.items()}
        expected = {name: value for name, value in first.items() if name != "query_end"}  # off: it has none
        assert recommended(searcher, world, 12)[1] == expected


def test_noise_seldom_moves_a_choice_from_its_first_value() -> None:
    found: Counter[float] = Counter()
    for seed in range(30):
        world = World(planted_study(10, space=Space(choices={"topics": (0, 4)}), seed=seed), noise=0.05)
        found[recommended(InfDDS(), world, 10)[1]["topics"]] += 1
    assert found[0] >= 23  # beyond one standard error by chance: 16 %


@pytest.mark.parametrize(("sources", "probes"), [(25, 8), (8, 8), (7, 5), (1, 1)])
def test_every_value_of_every_choice_comes_equally_often(sources: int, probes: int) -> None:
    study = planted_study(sources, targets=1, space=Space(choices={"topics": (0, 4, 200), "margin_bins": (1, 10)}))
    trials = explore(InfDDS(probes=probes), World(study), 30)
    for length in range(2, 31, 4):
        for name, values in study.space.choices.items():
            seen = Counter(dict.fromkeys(values, 0))
            seen.update(options[name] for options in tried(trials[:length]))
            assert max(seen.values()) - min(seen.values()) <= 1


def test_choices_are_drawn_independently_of_each_other_and_of_the_sources() -> None:
    study = planted_study(4, space=Space(choices={"topics": (0, 4), "margin_bins": (1, 10)}))
    found = tried(chained(InfDDS(probes=2), World(study), 200))
    for pair in (("topics", "margin_bins"), ("arm", "topics"), ("arm", "margin_bins")):
        table = Counter(tuple(options[name] for name in pair) for options in found)
        expected = 400 / (4 if "arm" not in pair else 8)
        assert len(table) == 400 / expected
        # Pearson's statistic: 13.8 is passed by chance once in 1,000 at 2 degrees of freedom, and here are 1 and 3
        assert sum((count - expected) ** 2 / expected for count in table.values()) < 16.3


def test_a_failed_round_has_had_its_values_and_is_not_heard() -> None:
    study = planted_study(8, space=TOPICS)
    trials = explore(InfDDS(), World(study), 3)
    before, after = (
        InfDDS().fold(study, [*trials[:-1], *last]).choices[0]
        for last in ([], with_last(trials, TrialState.FAILED)[-1:])
    )
    assert after.drawn.sum() == before.drawn.sum() + 8
    assert (after.sums == before.sums).all() and (after.visits == before.visits).all()


def test_without_open_choices_nothing_is_drawn_or_noted() -> None:
    study = planted_study(8, space=Space(choices={"topics": (4,)}))
    rng = np.random.default_rng(0)
    assert options_drawn(choices_of(study), 8, rng) == () and rng.random() == np.random.default_rng(0).random()
    proposal = InfDDS().suggest(study, [], study.rng(0))
    plain = InfDDS().suggest(replace(study, space=Space()), [], study.rng(0))
    assert proposal.recipe.batching == Batching(4) and "options" not in proposal.notes
    assert replace(proposal, recipe=plain.recipe) == plain


def test_notes_tell_how_every_value_stands() -> None:
    study = planted_study(2, targets=1, space=Space(choices={"topics": (0, 4)}))
    trials = explore(InfDDS(), World(study, best_options={"topics": 4}), 12)
    notes = json.loads(json.dumps(trials[-1].proposal.notes["options"]))["topics"]
    assert (notes["chosen"], notes["values"], sum(notes["visits"])) == (4.0, [0.0, 4.0], 22)
    low, high = notes["effect"]
    assert low < 0 < high and min(notes["error"]) > 0
    first = json.loads(json.dumps(trials[1].proposal.notes["options"]))["topics"]
    assert (first["chosen"], first["effect"], first["error"]) == (0.0, [None, None], [None, None])


def test_a_residual_is_the_gain_less_what_the_arm_had_shown() -> None:
    gain, noise = np.array([[0.3], [0.5]]), np.array([[0.03], [0.04]])
    left, error = residuals(gain, noise, np.array([[0.1], [0.6]]), np.array([[0.04], [0.03]]), np.array([1, 2]))
    assert left.ravel() == pytest.approx([0.2, -0.1])
    assert error.ravel() == pytest.approx([0.05, 0.05])


def test_new_arms_are_held_against_each_other_and_as_sure_as_they_are_alike() -> None:
    gain, noise, nothing = np.array([[0.3], [0.5], [0.9]]), np.full((3, 1), 0.01), np.zeros((3, 1))
    left, error = residuals(gain, noise, nothing, nothing, np.array([0, 0, 4]))
    assert left.ravel() == pytest.approx([-0.1, 0.1, 0.9])
    assert error.ravel() == pytest.approx([np.sqrt(0.02), np.sqrt(0.02), 0.01])
    alone, _ = residuals(gain, noise, nothing, nothing, np.array([0, 1, 1]))
    assert np.isnan(alone[0]) and np.isfinite(alone[1:]).all()


def test_residuals_of_a_round_are_averaged_by_their_precision() -> None:
    found = told(choice(), [0, 0, 4], [1.0, 1.5, -1.0], [1.0, 2.0, 0.5])
    assert found.effect.ravel() == pytest.approx([(1.0 + 1.5 / 4) / 1.25, -1.0])
    assert found.error.ravel() == pytest.approx([1 / np.sqrt(1.25), 0.5])
    assert found.visits.tolist() == [2, 1]


def test_what_was_heard_before_counts_as_much_as_what_is_new() -> None:
    found = told(told(choice(), [0], [1.0], [1.0]), [0], [0.5], [1.0])
    assert (found.effect[0], found.error[0]) == (pytest.approx(0.75), pytest.approx(np.sqrt(0.5)))
    assert (found.effect[1], found.visits[1]) == (0.0, 0.0)


def test_residuals_further_apart_than_their_errors_say_make_the_mean_less_sure() -> None:
    found = told(choice(), [0, 0, 4, 4], [-3.0, 3.0, 1.0, 5.0], [1.0] * 4)
    # sum of squares 18 + 8 about the two means, over 4 - 2 to spare
    assert found.error.ravel() == pytest.approx([np.sqrt(13 / 2)] * 2)


def test_a_residual_that_is_missing_is_passed_over() -> None:
    assert told(choice(), [0, 4], [np.nan, 1.0], [1.0, 1.0]).visits.tolist() == [0, 1]


def test_an_end_of_the_schedule_is_not_heard_of_where_the_schedule_was_off() -> None:
    ends = choice("query_end", (2.0, 5.0))
    options = [{"query_end": 2.0, "dynamic": 0.0}, {"query_end": 5.0, "dynamic": 1.0}, {"query_end": 5.0}]
    assert ends.heard(options, np.ones((3, 1)), np.ones((3, 1))).visits.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ([0.0, 1.5], 4.0),  # the standard error of the difference is 1.41
        ([0.0, 1.4], 0.0),
        ([0.0, -3.0], 0.0),
    ],
)
def test_the_first_value_stays_until_another_is_better_by_more_than_a_standard_error(
    effects: list[float], expected: float
) -> None:
    assert told(choice(), [0, 4], effects, [1.0, 1.0]).chosen(ONE, 3.0) == expected


def test_a_number_is_the_mean_by_weight_rounded_to_the_list() -> None:
    numbers = choice("query_end", (2.0, 4.0, 5.0))
    # z = sqrt(1.5), 0, -sqrt(1.5) over 5, 4, 2; beta 1: weights .73, .21, .06, mean 4.63; beta .1: mean 3.9
    found = told(numbers, [2, 4, 5], [-1.0, 0.0, 1.0], [0.1, 0.1, 0.1])
    assert (found.chosen(ONE, 1.0), found.chosen(ONE, 0.1)) == (5.0, 4.0)


def test_a_switch_takes_the_heavier_value() -> None:
    switch = choice("dynamic", (1.0, 0.0))
    assert told(switch, [1, 0], [-1.0, 1.0], [0.1, 0.1]).chosen(ONE, 0.01) == 0.0
    assert told(switch, [1, 0], [1.0, -1.0], [0.1, 0.1]).chosen(ONE, 0.01) == 1.0


@pytest.mark.parametrize("values", [[4.0], [0.0], []])
def test_a_value_that_was_not_heard_of_is_not_chosen_and_beats_nothing(values: list[float]) -> None:
    found = told(choice(), values, [1.0] * len(values), [0.1] * len(values))
    assert found.chosen(ONE, 3.0) == 0.0


def test_targets_count_by_their_importance() -> None:
    found = choice(targets=2).heard(
        [{"topics": 0.0}, {"topics": 4.0}], np.array([[1.0, -1.0], [-1.0, 1.0]]), np.full((2, 2), 0.1)
    )
    assert found.chosen(np.array([0.9, 0.1]), 3.0) == 0.0
    assert found.chosen(np.array([0.1, 0.9]), 3.0) == 4.0
