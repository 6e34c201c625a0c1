"""Comparisons: their members in order, resumed, kept apart from other studies, and sharing what is equal."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from analytic import AnalyticTrainer, Recorder, artifacts, study

from mixtune.comparison import Comparison, Equal, Member, clashing
from mixtune.errors import ConfigError, StudyExists
from mixtune.preparation import Preparation
from mixtune.proposal import Role
from mixtune.proxy import Final
from mixtune.search import Budget, Search, Stopping
from mixtune.store.base import StudyRecord
from mixtune.store.memory import MemoryStore
from mixtune.study import Study, StudyState
from mixtune.training.base import Progress
from mixtune.tuning.comparing import compare, run_members

BASE = study("duel", trials=None, budget=Budget(runs=2), final=Final(steps=100, seeds=1, finalists=1), seed=40)


def comparison(**changes: object) -> Comparison:
    given = {"base": BASE, "contenders": {"one": Search("temperature"), "t p e!": Search("random")}, "replicates": 2}
    return Comparison(**{**given, **changes})  # type: ignore[arg-type]


def test_members_differ_from_the_base_in_name_search_and_seed_alone() -> None:
    members = list(comparison().members())
    assert [(m.label, m.replicate, m.study.name, m.study.seed) for m in members] == [
        ("one", 0, "duel.one.0", 40),
        ("t p e!", 0, "duel.t-p-e.0", 40),
        ("one", 1, "duel.one.1", 41),
        ("t p e!", 1, "duel.t-p-e.1", 41),
    ]
    for member in members:
        common = replace(member.study, name=BASE.name, search=BASE.search, seed=BASE.seed, of="")
        assert (common, member.study.of) == (BASE, "duel")


def test_labels_that_read_the_same_in_a_name_are_found() -> None:
    assert clashing({"a b": Search("tpe"), "a-b": Search("tpe")}) == ("a b", "a-b")
    assert clashing({"a": Search("tpe"), "b": Search("tpe")}) is None


class Scripted:
    """Ends members as told, complete where nothing is."""

    def __init__(self, store: MemoryStore, ends: dict[str, StudyState] | None = None) -> None:
        self.store, self.ends = store, ends or {}
        self.ran: list[str] = []

    def __call__(self, member: Member, record: StudyRecord) -> StudyRecord:
        name = record.study.name
        self.ran.append(name)
        lease = self.store.acquire(name, "host 1 2")
        record = self.store.update_study(lease, state=self.ends.get(name, StudyState.COMPLETE))
        self.store.release(lease)
        return record


def test_a_stopped_comparison_goes_on_where_it_stood() -> None:
    store = MemoryStore()
    first = Scripted(store, {"duel.t-p-e.0": StudyState.STOPPED})
    run_members(store, comparison(), first)
    assert first.ran == ["duel.one.0", "duel.t-p-e.0"]
    second = Scripted(store)
    records = run_members(store, comparison(), second)
    assert second.ran == ["duel.t-p-e.0", "duel.one.1", "duel.t-p-e.1"]
    assert [record.state for record in records] == [StudyState.COMPLETE] * 4


def test_a_failed_member_does_not_keep_the_others_from_running() -> None:
    store = MemoryStore()
    records = run_members(store, comparison(), Scripted(store, {"duel.one.0": StudyState.FAILED}))
    assert [record.state for record in records] == [StudyState.FAILED, *[StudyState.COMPLETE] * 3]


def test_a_study_of_ones_own_under_a_members_name_is_left_alone() -> None:
    store = MemoryStore()
    store.create_study(replace(BASE, name="duel.one.0"))
    with pytest.raises(StudyExists, match=r"needs the name 'duel.one.0'"):
        run_members(store, comparison(), Scripted(store))


@contextmanager
def unwatched(member: Member, record: StudyRecord) -> Iterator[Recorder]:
    yield Recorder()


class Deaf(AnalyticTrainer):
    @property
    def provides(self) -> frozenset[str]:
        return frozenset({"score"})


@pytest.mark.parametrize(
    ("changes", "trainer", "said"),
    [
        ({"contenders": {"a": Search("tpe"), "b": Search("infdds")}}, Deaf(), "b reads .*influence"),
        ({"base": replace(BASE, stopping=Stopping(first=3))}, AnalyticTrainer(), "temperature has none"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_trained(
    tmp_path: Path, changes: dict[str, object], trainer: AnalyticTrainer, said: str
) -> None:
    store = MemoryStore()
    with pytest.raises(ConfigError, match=said):
        compare(store, comparison(**changes), trainer, artifacts=artifacts(tmp_path), watch=unwatched)
    assert store.studies() == []


PREPARED: list[tuple[str, int]] = []


class Counting(AnalyticTrainer):
    def prepare(self, study: Study, progress: Progress) -> Preparation:
        PREPARED.append((study.name, study.seed))
        return super().prepare(study, progress)


@pytest.mark.usefixtures("ray_cluster")
def test_members_of_a_replicate_share_preparation_and_baselines(tmp_path: Path) -> None:
    store, given = MemoryStore(), comparison(replicates=1, equal=Equal.FLOPS)
    PREPARED.clear()
    compare(store, given, Counting(), artifacts=artifacts(tmp_path), watch=unwatched)
    assert PREPARED == [("duel.one.0", 40)]
    first, second = store.trials("duel.one.0"), store.trials("duel.t-p-e.0")
    assert [t.role for t in second if t.reused] == [Role.SURVEY, Role.ANCHOR, Role.ANCHOR]
    assert [t.measurement for t in second[:3]] == [t.measurement for t in first[:3]]
    assert [record.state for record in store.studies()] == [StudyState.COMPLETE] * 2


@pytest.mark.usefixtures("ray_cluster")
def test_a_fresh_comparison_takes_nothing_over(tmp_path: Path) -> None:
    store, given = MemoryStore(), comparison(replicates=1, equal=Equal.FLOPS)
    compare(store, given, AnalyticTrainer(), artifacts=artifacts(tmp_path), watch=unwatched, reuse=False)
    assert not any(trial.reused for member in given.members() for trial in store.trials(member.study.name))
