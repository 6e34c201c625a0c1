"""Runs that are stored already are taken over, and what they measured is what a run would have."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from analytic import ROWS, AnalyticTrainer, artifacts, study

from mixtune.proposal import Role
from mixtune.search import Budget, Search, Stopping
from mixtune.store.base import Store
from mixtune.store.memory import MemoryStore
from mixtune.store.sql import open_store
from mixtune.study import Study
from mixtune.training.base import Task
from mixtune.trial import Trial, TrialState
from mixtune.tuning import plan
from mixtune.tuning.fingerprint import fingerprint
from mixtune.tuning.tuner import tune

TRAINER = AnalyticTrainer()
VERSIONS = {"mixtune": "1", "torch": "2"}


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else open_store(f"sqlite:///{tmp_path / 'studies.db'}")


def driven(store: Store, tmp_path: Path, given: Study, trainer: AnalyticTrainer = TRAINER) -> list[Trial]:
    store.create_study(given)
    tune(store, given.name, trainer, artifacts=artifacts(tmp_path))
    return store.trials(given.name)


def bare(trial: Trial) -> Trial:
    """The trial without when, where and by whom it was run."""
    return replace(trial, reused="", started=None, finished=None, node=None, pid=None)


@pytest.mark.usefixtures("ray_cluster")
def test_equal_runs_of_another_study_are_taken_over_bit_for_bit(store: Store, tmp_path: Path) -> None:
    first = driven(store, tmp_path, study("first", algorithm="tpe", trials=4))
    # A study that cannot run anything by itself: all that it has must have been taken over.
    deaf = AnalyticTrainer(faults=dict.fromkeys(range(99), "always-raise"))
    second = driven(store, tmp_path, study("second", algorithm="tpe", trials=4), deaf)
    assert [bare(trial) for trial in second] == [bare(trial) for trial in first]
    assert [trial.reused for trial in second] == [f"first/{trial.number}" for trial in first]
    for trial in second:
        assert store.scores("second", trial.number) == store.scores("first", trial.number)
    assert sum(bool(store.scores("second", trial.number)) for trial in second) == 1 + 4 + 2


@pytest.mark.usefixtures("ray_cluster")
def test_a_taken_over_run_equals_the_run_itself(tmp_path: Path) -> None:
    store = MemoryStore()
    driven(store, tmp_path, study("first", trials=3))
    taken = driven(store, tmp_path, study("taken", algorithm="random", trials=3))
    store.create_study(study("own", algorithm="random", trials=3))
    tune(store, "own", TRAINER, artifacts=artifacts(tmp_path), reuse=False)
    own = store.trials("own")
    assert [bare(trial) for trial in taken] == [bare(trial) for trial in own]
    assert [trial.reused for trial in own] == [""] * len(own)
    assert [trial.role for trial in taken if trial.reused] == [Role.SURVEY, *[Role.ANCHOR] * 4]


@pytest.mark.usefixtures("ray_cluster")
def test_a_rerun_of_a_baselines_own_recipe_is_that_baselines_run(tmp_path: Path) -> None:
    trials = driven(MemoryStore(), tmp_path, study(algorithm="uniform", trials=None, budget=Budget(runs=2)))
    anchors = {t.proposal.replicate: t for t in trials if t.proposal.label == "uniform"}
    reruns = [t for t in trials if t.role is Role.RERUN]
    assert [t.reused for t in reruns] == [f"toy/{anchors[t.proposal.replicate].number}" for t in reruns]
    assert [t.measurement for t in reruns] == [anchors[t.proposal.replicate].measurement for t in reruns]


def test_rounds_of_a_chain_and_runs_that_may_be_stopped_have_no_fingerprint() -> None:
    given = prepared(study())
    search = anchor(given)
    chain = replace(search, proposal=replace(search.proposal, role=Role.ROUND))
    assert found(given, chain) == ""
    assert found(given, replace(search, proposal=replace(search.proposal, parent=3))) == ""
    assert found(given, replace(search, proposal=replace(search.proposal, reference=3))) == ""
    assert found(given, replace(search, thresholds={3: 0.1})) == ""
    assert len(found(given, search)) == 64


def test_names_notes_labels_and_the_search_play_no_part_in_a_fingerprint() -> None:
    given = prepared(study())
    other = replace(given, name="x", of="y", search=Search("tpe"), budget=Budget(runs=3), stopping=Stopping(3))
    task = anchor(given)
    renamed = replace(task, number=9, proposal=replace(task.proposal, label="", role=Role.RERUN, notes={"point": [1]}))
    assert found(other, renamed) == found(given, task)


CHANGES: dict[str, Callable[[Study, Task], tuple[Study, Task]]] = {
    "seed": lambda s, t: (s, replace(t, seed=t.seed + 1)),
    "seed of the study": lambda s, t: (replace(s, seed=5), t),
    "recipe": lambda s, t: (s, replace(t, proposal=replace(t.proposal, recipe=s.recipe({"good": 1.0})))),
    "steps": lambda s, t: (s, replace(t, proposal=replace(t.proposal, steps=3))),
    "test not read": lambda s, t: (s, replace(t, proposal=replace(t.proposal, role=Role.AUDIT))),
    "proxy": lambda s, t: (replace(s, proxy=replace(s.proxy, learning_rate=0.1)), t),
    "data": lambda s, t: (replace(s, preparation=replace(s.prepared, key="other")), t),
    "objective": lambda s, t: (replace(s, objective=replace(s.objective, aggregate="worst")), t),
    "target weight": lambda s, t: (replace(s, targets=(replace(s.targets[0], weight=2.0),)), t),
    "order of sources": lambda s, t: (replace(s, sources=s.sources[::-1]), t),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_decides_a_run_changes_its_fingerprint(what: str) -> None:
    given = prepared(study())
    task = anchor(given)
    assert found(*CHANGES[what](given, task)) not in ("", found(given, task))


def test_other_versions_and_threads_change_a_fingerprint() -> None:
    given = prepared(study())
    task = anchor(given)
    prints = {
        fingerprint(given, task, TRAINER, versions, threads)
        for versions, threads in ((VERSIONS, 1), (VERSIONS, 2), ({**VERSIONS, "torch": "3"}, 1))
    }
    assert len(prints) == 3


def found(given: Study, task: Task) -> str:
    return fingerprint(given, task, TRAINER, VERSIONS, 1)


def prepared(given: Study) -> Study:
    return replace(given, preparation=TRAINER.prepare(given, lambda what, done, total: None))


def anchor(given: Study) -> Task:
    trial = plan.opening(given)[1]
    assert (trial.role, trial.state, len(ROWS)) == (Role.ANCHOR, TrialState.QUEUED, 4)
    return Task(trial.number, trial.proposal, trial.seed, Path("nowhere"))
