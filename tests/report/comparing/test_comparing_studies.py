from dataclasses import replace

import pytest
from ledger import STUDY, StoredStudy

from mixtune.comparison import Equal
from mixtune.errors import ConfigError
from mixtune.proxy import Final, Proxy
from mixtune.report.comparing.studies import side_by_side
from mixtune.search import Budget, Objective, Search
from mixtune.space import SimplexMapping, Space
from mixtune.study import Study, StudyState


def stored(name: str, algorithm: str, seed: int = 0, **changes: object) -> StoredStudy:
    return StoredStudy(replace(STUDY, name=name, search=Search(algorithm), seed=seed, **changes))  # type: ignore[arg-type]


def test_equal_searches_are_one_contender_and_equal_seeds_one_replicate() -> None:
    found = side_by_side(
        [stored("a", "tpe", 7), stored("b", "scout", 7), stored("c", "tpe", 3), stored("d", "scout", 3)]
    )
    assert found.members == (("tpe", 1, "a"), ("scout", 1, "b"), ("tpe", 0, "c"), ("scout", 0, "d"))
    assert found.comparison.contenders == {"tpe": Search("tpe"), "scout": Search("scout")}
    assert (found.comparison.replicates, found.notes) == (2, ())


def test_one_algorithm_with_two_settings_is_two_contenders() -> None:
    other = StoredStudy(replace(STUDY, name="b", search=Search("tpe", {"prior": "uniform"})))
    found = side_by_side([stored("a", "tpe"), other])
    assert [label for label, _, _ in found.members] == ["tpe", "tpe prior uniform"]


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("sources", {"sources": (STUDY.sources[0], replace(STUDY.sources[1], limit=9))}),
        ("targets", {"targets": (STUDY.targets[0], replace(STUDY.targets[1], weight=2.0))}),
        ("space", {"space": Space(mapping=SimplexMapping.STICK)}),
        ("proxy", {"proxy": Proxy(steps=7)}),
        ("objective", {"objective": Objective(metric="recall@20")}),
        ("final", {"final": Final(steps=100, seeds=3)}),
        ("preparation", {"preparation": replace(STUDY.prepared, key="other")}),
    ],
)
def test_what_differs_is_named(part: str, changed: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"'a' and 'b' differ in .*{part}"):
        side_by_side([stored("a", "tpe"), stored("b", "scout", **changed)])


def test_other_versions_are_noted() -> None:
    notes = side_by_side([stored("a", "tpe"), replace(stored("b", "scout"), versions={"torch": "1"})]).notes
    assert notes == ("they ran on different versions of libraries",)


@pytest.mark.parametrize(
    ("budget", "equal"),
    [
        (Budget(runs=4, trials=9), Equal.FLOPS),
        (Budget(trials=9), Equal.TRIALS),
        (Budget(seconds=60), Equal.SECONDS),
    ],
)
def test_what_is_equal_is_what_limited_all_of_them(budget: Budget, equal: Equal) -> None:
    records = [stored("a", "tpe", budget=budget), stored("b", "scout", budget=budget)]
    assert side_by_side(records).comparison.equal is equal


def test_a_study_that_is_not_complete_is_refused_with_the_way_on() -> None:
    with pytest.raises(ConfigError, match=r"'b' is stopped.*mixtune resume b"):
        side_by_side([stored("a", "tpe"), replace(stored("b", "scout"), state=StudyState.STOPPED)])


def test_without_a_shared_seed_there_is_nothing_to_pair() -> None:
    with pytest.raises(ConfigError, match="same seed"):
        side_by_side([stored("a", "tpe", 0), stored("b", "scout", 1)])


def test_the_same_search_and_seed_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="'a' and 'b' have the same search and seed"):
        side_by_side([stored("a", "tpe"), stored("b", "tpe")])


def test_one_study_is_nothing_to_compare() -> None:
    only: Study = STUDY
    with pytest.raises(ConfigError, match="two or more"):
        side_by_side([StoredStudy(only)])
