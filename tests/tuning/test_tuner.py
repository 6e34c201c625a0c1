"""Studies driven through Ray with an analytic trainer: the same wire, workers and database as the real one."""

from dataclasses import replace
from pathlib import Path

import pytest
from analytic import AnalyticTrainer, Recorder, artifacts, study

from mixtune.errors import ConfigError, LeaseHeld
from mixtune.measurement import Measurement
from mixtune.proposal import Role
from mixtune.proxy import Final
from mixtune.search import Budget, Stopping
from mixtune.space import Space
from mixtune.store.base import Store
from mixtune.store.sql import open_store
from mixtune.study import Study, StudyState
from mixtune.trial import Trial, TrialState
from mixtune.tuning.tuner import tune

pytestmark = pytest.mark.usefixtures("ray_cluster")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'studies.db'}")


def drive(store: Store, tmp_path: Path, given: Study, trainer: AnalyticTrainer, *, reuse: bool = False) -> list[Trial]:
    store.create_study(given)
    tune(store, given.name, trainer, artifacts=artifacts(tmp_path), listener=Recorder(), reuse=reuse)
    return store.trials(given.name)


def results(trials: list[Trial]) -> list[object]:
    """Everything about trials that must not depend on timing, attempts or processes."""
    return [(t.number, t.proposal, t.seed, t.seen, t.state, timeless(t.measurement)) for t in trials]


def timeless(measurement: Measurement | None) -> Measurement | None:
    if measurement is None:
        return None
    return replace(measurement, checkpoint=None, cost=replace(measurement.cost, seconds=0.0))


def test_a_guided_study_runs_to_its_end_and_finds_the_planted_source(store: Store, tmp_path: Path) -> None:
    trials = drive(store, tmp_path, study(trials=8), AnalyticTrainer())
    assert store.study("toy").state is StudyState.COMPLETE
    assert [t.role for t in trials] == [Role.SURVEY, *[Role.ANCHOR] * 4, *[Role.ROUND] * 8, *[Role.RERUN] * 2]
    assert all(t.state is TrialState.COMPLETE and t.attempt == 1 for t in trials)
    rounds = [t for t in trials if t.role is Role.ROUND]
    assert [t.proposal.parent for t in rounds] == [None, *[t.number for t in rounds[:-1]]]
    best = trials[-1].proposal.recipe.mixture
    assert best["good"] > 2 * ROWS_SHARE["good"]
    assert best["harmful"] < ROWS_SHARE["harmful"]
    assert store.scores("toy", trials[-1].number)["task"]["ndcg@10"]


ROWS_SHARE = {"good": 40 / 390, "useful": 30 / 390, "idle": 200 / 390, "harmful": 120 / 390}


def test_a_chain_goes_on_from_its_parents_state(store: Store, tmp_path: Path) -> None:
    rounds = [t for t in drive(store, tmp_path, study(trials=4), AnalyticTrainer()) if t.role is Role.ROUND]
    steps = [t.measurement.step for t in rounds if t.measurement]
    assert steps == [0, 10, 20, 30]


def test_the_same_seed_gives_the_same_study_under_another_name_and_another_timing(store: Store, tmp_path: Path) -> None:
    first = drive(store, tmp_path, study("one", algorithm="tpe", trials=8), AnalyticTrainer())
    faults = {13: "die"}  # a finalist's worker
    second = drive(store, tmp_path, study("two", algorithm="tpe", trials=8), AnalyticTrainer(0.1, faults))
    assert results(first) == results(second) and second[13].attempt == 2
    roles = [Role.SURVEY, *[Role.ANCHOR] * 4, *[Role.SEARCH] * 8, *[Role.FINALIST] * 4, *[Role.RERUN] * 2]
    assert [trial.role for trial in first] == roles
    finalists = [trial for trial in first if trial.role is Role.FINALIST]
    assert all(t.measurement is not None and not t.measurement.test for t in finalists)
    assert all(store.scores("one", trial.number) == {} for trial in finalists)


def test_only_the_newest_checkpoints_of_a_chain_are_kept(store: Store, tmp_path: Path) -> None:
    trials = drive(store, tmp_path, study(trials=5), AnalyticTrainer())
    rounds = [t.number for t in trials if t.role is Role.ROUND]
    kept = sorted(path.name for path in (artifacts(tmp_path) / store.study("toy").uid).iterdir())
    assert kept == [f"trial-{n}-attempt-1" for n in rounds[-2:]]


def test_a_raising_trial_is_failed_with_its_traceback_and_the_study_goes_on(store: Store, tmp_path: Path) -> None:
    trials = drive(store, tmp_path, study(trials=4), AnalyticTrainer(faults={6: "always-raise"}))
    assert trials[6].state is TrialState.FAILED
    assert "planted failure of trial 6" in (trials[6].error or "")
    assert "Traceback" in (trials[6].error or "")
    assert [t.state for t in trials if t.number != 6] == [TrialState.COMPLETE] * (len(trials) - 1)
    assert trials[7].proposal.parent == 5
    assert store.study("toy").state is StudyState.COMPLETE


def test_a_loss_that_is_not_finite_fails_its_trial_only(store: Store, tmp_path: Path) -> None:
    trials = drive(store, tmp_path, study(algorithm="tpe", trials=4), AnalyticTrainer(faults={5: "nan"}))
    assert (trials[5].state, "the loss is nan at step 3" in (trials[5].error or "")) == (TrialState.FAILED, True)
    assert sum(t.state is TrialState.COMPLETE for t in trials) == len(trials) - 1


def test_a_killed_worker_costs_an_attempt_and_changes_nothing_else(store: Store, tmp_path: Path) -> None:
    undisturbed = drive(store, tmp_path, study("calm", trials=4), AnalyticTrainer())
    killed = drive(store, tmp_path, study("hit", trials=4), AnalyticTrainer(faults={2: "die", 6: "die"}))
    assert results(killed) == results(undisturbed)
    assert [t.number for t in killed if t.attempt == 2] == [2, 6]
    assert "died" in (store.attempts("hit", 6)[0].error or "")


def test_runs_are_ended_at_rungs_alike_at_any_timing_and_on_a_second_attempt(store: Store, tmp_path: Path) -> None:
    def given(name: str) -> Study:
        stopping, budget = Stopping(first=3), Budget(trials=10, workers=2)
        return study(name, algorithm="tpe", budget=budget, stopping=stopping, final=Final(steps=100, seeds=1))

    calm = drive(store, tmp_path, given("calm"), AnalyticTrainer())
    pruned = [t for t in calm if t.state is TrialState.PRUNED]
    assert len(pruned) > 2 and all(t.role is Role.SEARCH for t in pruned)
    for trial in pruned:
        found = trial.measurement
        assert found is not None and found.step in (3, 9) and found.rungs[found.step] == found.score
        assert found.cost.train == 1000.0 * found.step and found.cost.dev == 100.0 * len(found.rungs)
    assert [line.stopped_at for line in store.summaries("calm")] == [
        t.measurement.step if t.state is TrialState.PRUNED and t.measurement else None for t in calm
    ]
    assert calm[-1].role is Role.RERUN and store.study("calm").state is StudyState.COMPLETE
    hit = pruned[0].number
    hurried = drive(store, tmp_path, given("hurried"), AnalyticTrainer(seconds=0.1, faults={hit: "die"}))
    assert results(hurried) == results(calm)
    assert [t.number for t in hurried if t.attempt == 2] == [hit]


def test_stopping_where_nothing_competes_is_refused_before_anything_is_trained(store: Store, tmp_path: Path) -> None:
    store.create_study(study(stopping=Stopping(first=3)))
    with pytest.raises(ConfigError, match="infdds has none"):
        tune(store, "toy", AnalyticTrainer(), artifacts=artifacts(tmp_path))
    assert store.trials("toy") == []


def test_too_many_failures_in_a_row_end_the_study_with_the_reason(store: Store, tmp_path: Path) -> None:
    faults = dict.fromkeys(range(5, 30), "always-raise")
    drive(store, tmp_path, study(trials=20), AnalyticTrainer(faults=faults))
    record = store.study("toy")
    assert record.state is StudyState.FAILED
    assert "3 trials failed in a row" in record.reason
    assert "planted failure" in record.reason and "mixtune " not in record.reason  # commands are the CLI's to name
    assert not [t for t in store.trials("toy") if t.state is TrialState.RUNNING]


def test_a_finished_study_is_extended_where_it_ended(store: Store, tmp_path: Path) -> None:
    trainer = AnalyticTrainer()
    first = drive(store, tmp_path, study(trials=3), trainer)
    lease = store.acquire("toy", "me")
    store.update_study(lease, study=replace(store.study("toy").study, budget=Budget(trials=5)))
    store.release(lease)
    tune(store, "toy", trainer, artifacts=artifacts(tmp_path), listener=Recorder())
    after = store.trials("toy")
    assert after[: len(first)] == first
    added = [t.role for t in after[len(first) :]]
    assert added == [Role.ROUND, Role.ROUND, Role.RERUN, Role.RERUN]


def test_a_study_that_another_living_tuner_drives_is_refused(store: Store, tmp_path: Path) -> None:
    store.create_study(study())
    held = store.acquire("toy", "elsewhere:1:1")
    with pytest.raises(LeaseHeld, match="elsewhere"):
        tune(store, "toy", AnalyticTrainer(), artifacts=artifacts(tmp_path), listener=Recorder())
    store.release(held)


def test_what_a_searcher_reads_is_checked_before_anything_is_trained(store: Store, tmp_path: Path) -> None:
    class Blind(AnalyticTrainer):
        @property
        def provides(self) -> frozenset[str]:
            return frozenset({"score"})

    store.create_study(study())
    with pytest.raises(ConfigError, match="influence"):
        tune(store, "toy", Blind(), artifacts=artifacts(tmp_path), listener=Recorder())
    assert store.trials("toy") == []


def test_a_space_without_a_mixture_is_refused_before_anything_is_trained(store: Store, tmp_path: Path) -> None:
    store.create_study(study(space=Space(max_epochs=0.01)))
    with pytest.raises(ConfigError, match="allows no mixture"):
        tune(store, "toy", AnalyticTrainer(), artifacts=artifacts(tmp_path))
    assert (store.trials("toy"), store.study("toy").state) == ([], StudyState.FAILED)
