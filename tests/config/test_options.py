from collections.abc import Callable
from pathlib import Path

import pytest

from mixtune.batching import Batching
from mixtune.config import load
from mixtune.errors import ConfigError
from mixtune.pruning import Pruning, Schedule
from mixtune.searchers.keep import options, pruning_and_batching_at
from mixtune.space import CHOICES, Space

Write = Callable[[str], Path]


TEACHER = "teacher: {model: m, kind: cross-encoder}"


@pytest.fixture
def good(good: str) -> str:
    """A study whose sources have hard negatives with a teacher's scores, so that margins can be balanced."""
    return good.replace("{kind: docstrings, package: numpy", "{kind: docstrings, mine: 5, package: numpy")


@pytest.fixture
def space_of(write: Write, good: str) -> Callable[[str], Space]:
    return lambda parts: load(write(good + parts)).study.space


def test_without_these_parts_nothing_is_pruned_and_batches_are_random(space_of: Callable[[str], Space]) -> None:
    space = space_of("")
    assert (space.schedule, space.batching, dict(space.choices), space.keep_least) == (None, Batching(), {}, 1)


def test_single_values_hold_for_every_recipe(space_of: Callable[[str], Space], write: Write, good: str) -> None:
    space = space_of("pruning: {method: dynamic, query_end: 4, cutoff_end: 0.4, strength: 3, refresh: 50, least: 32}\n")
    assert space.schedule == Schedule("dynamic", 4.0, 0.4, 3.0, 50)
    assert space.keep_least == 32 and not space.choices
    batching = f"batching: {{topics: 200, clusters: 2, margin_bins: 10}}\nproxy: {{{TEACHER}}}\n"
    assert load(write(good + batching)).study.space.batching == Batching(200, 2, 10)


def test_what_is_not_said_of_a_schedule_is_the_papers(space_of: Callable[[str], Space]) -> None:
    assert space_of("pruning: {method: dynamic}\n").schedule == Schedule()
    assert space_of("pruning: {method: infobatch}\n").schedule == Schedule("infobatch")


def test_a_list_is_a_choice_whose_first_value_is_held_where_nothing_is_chosen(write: Write, good: str) -> None:
    text = "pruning: {method: [none, dynamic], query_end: [2, 5, 8], cutoff_end: [0.3, 0.5], strength: [5, 1]}\n"
    study = load(write(good + text)).study
    assert dict(study.space.choices) == {
        "query_end": (2.0, 5.0, 8.0),
        "cutoff_end": (0.3, 0.5),
        "strength": (5.0, 1.0),
        "dynamic": (0.0, 1.0),
    }
    assert options(study) == dict(study.space.choices)
    assert pruning_and_batching_at(study, {}) == (Pruning(), Batching())
    chosen, _ = pruning_and_batching_at(study, {"dynamic": 1, "query_end": 8})
    assert chosen.schedule == Schedule("dynamic", 8.0, 0.3, 5.0)


def test_topics_and_margin_bins_are_choices_too(write: Write, good: str) -> None:
    batching = f"proxy: {{{TEACHER}}}\nbatching: {{topics: [0, 100, 200], clusters: 2, margin_bins: [1, 10]}}\n"
    study = load(write(good + batching)).study
    assert options(study) == {"topics": (0.0, 100.0, 200.0), "margin_bins": (1.0, 10.0)}
    assert pruning_and_batching_at(study, {})[1] == Batching(0, 2, 1)
    assert pruning_and_batching_at(study, {"topics": 200, "margin_bins": 10})[1] == Batching(200, 2, 10)


def test_a_list_of_one_value_is_that_value(space_of: Callable[[str], Space]) -> None:
    space = space_of("pruning: {method: [dynamic], query_end: [8]}\n")
    assert space.schedule == Schedule(query_end=8.0) and not space.choices


def test_every_choice_that_a_space_knows_can_be_left_open(
    space_of: Callable[[str], Space], write: Write, good: str
) -> None:
    open_ = "pruning: {method: [dynamic, none], query_end: [2, 5], cutoff_end: [0.3, 0.5], strength: [1, 5]}\n"
    batching = f"proxy: {{{TEACHER}}}\nbatching: {{topics: [0, 200], margin_bins: [1, 10]}}\n"
    topical = load(write(good + batching)).study.space
    assert {*space_of(open_).choices, *topical.choices} == set(CHOICES)


BAD = {
    "no such method": ("pruning: {method: opera}\n", "pruning.method is 'opera'; allowed: 'none', 'dynamic' or"),
    "truth for a method": ("pruning: {method: true}\n", "pruning.method is True; allowed: 'none', 'dynamic' or"),
    "no such method in a list": ("pruning: {method: [none, dp]}\n", "pruning.method[1] is 'dp'; allowed: 'none'"),
    "unknown key": ("pruning: {x_end: 3}\n", "unknown key 'x_end' in pruning; did you mean"),
    "unknown key of batching": ("batching: {topic: 3}\n", "unknown key 'topic' in batching; did you mean 'topics'?"),
    "query end": ("pruning: {method: dynamic, query_end: 1.5}\n", "query_end is 1.5; allowed: a number of at least 2"),
    "query end in a list": (
        "pruning: {method: dynamic, query_end: [5, 1]}\n",
        "pruning.query_end[1] is 1; allowed: a number of at least 2",
    ),
    "query end of nothing": ("pruning: {query_end: []}\n", "pruning.query_end is []; allowed: at least one item"),
    "endless strength": (
        "pruning: {method: dynamic, strength: .inf}\n",
        "pruning.strength is inf; allowed: a finite number",
    ),
    "cut-off of everything": (
        "pruning: {method: dynamic, cutoff_end: 1}\n",
        "pruning.cutoff_end is 1; allowed: a number below 1",
    ),
    "negative refresh": ("pruning: {refresh: -1}\n", "pruning.refresh is -1; allowed: a number of at least 0"),
    "least of none": ("pruning: {least: 0}\n", "pruning.least is 0; allowed: a number above 0"),
    "a value twice": ("pruning: {method: dynamic, query_end: [5, 5]}\n", "pruning.query_end lists 5 twice; list each"),
    "a method twice": ("pruning: {method: [none, none]}\n", "pruning.method lists none twice"),
    "a size twice": ("batching: {topics: [200, 0, 200]}\n", "batching.topics lists 200 twice"),
    "two schedules": (
        "pruning: {method: [dynamic, infobatch]}\n",
        "pruning.method lists dynamic and infobatch, and a study has one schedule; `none` beside it switches it off",
    ),
    "a number that infobatch does not read": (
        "pruning: {method: infobatch, query_end: 5}\n",
        "pruning.query_end means nothing to pruning.method infobatch, only to method dynamic",
    ),
    "a number without a schedule": (
        "pruning: {strength: 5}\n",
        "pruning.strength means nothing to a study without a schedule, only to method dynamic",
    ),
    "a guard against nothing": ("pruning: {least: 32}\n", "pruning.least guards small sources from pruning, and the"),
    "clusters without topics": ("batching: {clusters: 2}\n", "batching.clusters means nothing without batching.topics"),
    "half a topic": ("batching: {topics: 0.5}\n", "batching.topics is 0.5; allowed: a whole number"),
    "no bin": ("batching: {margin_bins: [0, 10]}\n", "batching.margin_bins[0] is 0; allowed: a number above 0"),
    "bins without negatives": (
        f"proxy: {{negatives: 0, {TEACHER}}}\nbatching: {{margin_bins: [1, 10]}}\n",
        "batching.margin_bins draws among the hard negatives of a query, and proxy.negatives is 0; set it to 1",
    ),
    "topics beside a schedule": (
        "pruning: {method: [none, dynamic]}\nbatching: {topics: [0, 200]}\n",
        "batching.topics and pruning.method both choose the pairs of a batch: use one of them",
    ),
    "bins beside a schedule": (
        f"proxy: {{{TEACHER}}}\npruning: {{method: infobatch}}\nbatching: {{margin_bins: 10}}\n",
        "batching.margin_bins and pruning.method both choose the pairs of a batch",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_with_one_message(write: Write, good: str, case: str) -> None:
    added, message = BAD[case]
    with pytest.raises(ConfigError) as caught:
        load(write(good + added))
    assert message in str(caught.value) and "problems:" not in str(caught.value)
