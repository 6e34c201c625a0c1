from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_study import SOURCES, bench_of, run_of, study_of, synthetic

from mixtune.batching import Batching
from mixtune.errors import TrainingError
from mixtune.measurement import Measurement
from mixtune.proposal import Probe, Proposal, Role
from mixtune.proxy import Proxy
from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Mixture, Recipe
from mixtune.training.base import Task
from mixtune.training.losses import PairLosses
from mixtune.training.measuring.devloss import DevPool
from mixtune.training.run import Run
from mixtune.training.signals.probing import arm_rows, arm_walk, end_round
from mixtune.training.step import step_of
from mixtune.training.trainer import Bench, run_trial
from mixtune.training.walks.dynamic import DynamicWalk
from mixtune.training.walks.infobatch import InfoBatchWalk
from mixtune.training.walks.pruning import kept_rows
from mixtune.training.walks.walk import ShuffledWalk, Taken
from mixtune.training.walks.walks import unfinished, walk_kind

TABLE, PREPARED = synthetic(pairs=60)
STUDY = study_of(PREPARED)
POOLS = {name: DevPool(name, target, target.signal) for name, target in PREPARED.targets.items()}
DYNAMIC, INFOBATCH = Schedule(), Schedule("infobatch")


def started(schedule: Schedule | None, steps: int = 6, least: int = 1) -> Run:
    """A run over `other` behind some ordinary steps."""
    run = run_of(bench_of(TABLE, PREPARED), STUDY, {"other": 1.0}, pruning=Pruning({}, schedule, least))
    for _ in range(steps):
        run.advance()
    return run


def train(recipe: Recipe, steps: int, place: Path, bench: Bench | None = None, **proposal: object) -> Measurement:
    asked = Proposal(recipe, steps, Role.ROUND, **proposal)  # type: ignore[arg-type]
    task = Task(0, asked, 1, place)
    return run_trial(STUDY, task, bench or bench_of(TABLE, PREPARED), lambda step, score: None, 0.0).measurement


@pytest.mark.parametrize(
    ("schedule", "kind"), [(None, ShuffledWalk), (DYNAMIC, DynamicWalk), (INFOBATCH, InfoBatchWalk)]
)
def test_the_schedule_decides_how_pairs_are_walked(schedule: Schedule | None, kind: type) -> None:
    assert {type(walk) for walk in started(schedule, 0).walks.values()} == {kind}


@pytest.mark.parametrize("batching", [Batching(topics=20), Batching(margin_bins=10)])
@pytest.mark.parametrize("schedule", [DYNAMIC, INFOBATCH])
def test_topics_together_with_a_schedule_are_refused(batching: Batching, schedule: Schedule, tmp_path: Path) -> None:
    recipe = Recipe(Mixture({"good": 1.0}), Pruning(schedule=schedule), batching)
    with pytest.raises(TrainingError, match=rf"schedule '{schedule.method}' together with topics .* use pruning"):
        train(recipe, 2, tmp_path / "c")


def test_walks_of_other_kinds_do_not_go_on_where_one_stood() -> None:
    mixture = Mixture({"good": 1.0})
    recipes = [Recipe(mixture, Pruning(schedule=schedule)) for schedule in (None, DYNAMIC, INFOBATCH)]
    recipes += [Recipe(mixture, batching=Batching(topics=20)), Recipe(mixture, batching=Batching(margin_bins=5))]
    assert len({walk_kind(recipe) for recipe in recipes}) == 5
    assert walk_kind(recipes[1]) == walk_kind(Recipe(mixture, Pruning({"good": 0.5}, Schedule(strength=2))))


def test_sources_are_walked_in_orders_of_their_own() -> None:
    run = started(DYNAMIC, 0)
    walks = [run.walks[name].take(16, 0).rows.tolist() for name in ("good", "other")]
    assert walks[0] != walks[1]


def test_an_ordinary_step_stores_the_cosines_that_it_saw() -> None:
    run = started(DYNAMIC, 0)
    run.advance()
    (walk,) = [run.walks["other"]]
    assert isinstance(walk, DynamicWalk)
    pairs = PREPARED.sources["other"]
    changed = np.flatnonzero(walk.memory() != pairs.similarity)
    base = (TABLE.embeddings[pairs.queries] * TABLE.embeddings[pairs.documents]).sum(axis=1)
    assert len(changed) == 16
    np.testing.assert_allclose(walk.memory()[changed], base[changed], atol=1e-6)


def test_an_ordinary_step_is_on_weighted_losses_and_stores_them_without_their_weights() -> None:
    run = started(INFOBATCH, 12)
    walk = run.walks["other"]
    assert isinstance(walk, InfoBatchWalk) and walk.completed >= 2
    before = walk.memory().copy()
    run.advance()
    changed = np.flatnonzero(walk.memory() != before)
    # The same walk up to the same batch, whose factors the receipt does not show.
    twin = started(INFOBATCH, 12)
    taken = twin.walks["other"].take(16, 12)
    assert sorted(taken.rows) == changed.tolist()
    assert taken.weights is not None and taken.weights.max() == pytest.approx(1 / 0.75)
    expected = float((walk.memory()[taken.rows] * taken.weights).sum()) / 16
    assert run.losses["other"][-1] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("own", [False, True])
def test_factors_of_a_walk_count_whatever_else_is_in_the_batch(own: bool) -> None:
    pairs = PREPARED.sources["good"]
    weights = np.linspace(0.5, 1.5, 60).astype(np.float32) if own else np.empty(0, dtype=np.float32)
    rows, settings, model = np.arange(8), Proxy(temperature=0.1), bench_of(TABLE, PREPARED).model

    def loss(factors: np.ndarray | None) -> float:
        taken = Taken(rows, weights=None if factors is None else factors.astype(np.float32))
        return step_of(replace(pairs, weights=weights), taken, 0, 0, 0).run(model, settings).loss.item()

    assert loss(np.full(8, 4 / 3)) == pytest.approx(loss(None) * 4 / 3)
    halves = [np.where(np.arange(8) < 4, *pair) for pair in ((1.0, 0.0), (0.0, 1.0))]
    assert loss(halves[0]) + loss(halves[1]) == pytest.approx(loss(None))


def test_row_weights_still_make_a_weighted_mean() -> None:
    losses = PairLosses(torch.tensor([1.0, 2.0]), torch.tensor([4.0, 4.0]))
    assert losses.mean().item() == 1.5


@pytest.mark.parametrize("schedule", [None, DYNAMIC, INFOBATCH])
def test_a_round_probes_and_merges_under_every_schedule(schedule: Schedule | None) -> None:
    run = started(schedule)
    end = end_round(run, POOLS, {"left": 0.5, "right": 0.5}, Probe(SOURCES, 2), 3)
    good, other, shuffled = (end.influence[name].value for name in SOURCES)
    assert good is not None and other is not None and shuffled is not None
    assert good > max(other, shuffled) and end.merge == "merged"


@pytest.mark.parametrize("schedule", [DYNAMIC, INFOBATCH])
def test_probe_steps_never_write_what_a_walk_remembers(schedule: Schedule) -> None:
    run, still = started(schedule), started(schedule)
    end_round(run, POOLS, {"left": 0.5, "right": 0.5}, Probe(SOURCES, 5), 3)
    for name in SOURCES:
        mine, other = run.walks[name], still.walks[name]
        assert mine.state() == other.state()
        for part, array in other.arrays().items():
            assert np.array_equal(mine.arrays()[part], array, equal_nan=array.dtype != np.int64)


@pytest.mark.parametrize("schedule", [DYNAMIC, INFOBATCH])
@pytest.mark.parametrize("level", [None, 0.5])
def test_a_probe_starts_from_what_the_runs_walk_remembers(schedule: Schedule, level: float | None) -> None:
    run = started(schedule)
    own, arm = run.walks["other"], arm_walk(run, "other", level, 7)
    assert isinstance(own, DynamicWalk | InfoBatchWalk) and isinstance(arm, type(own))
    assert np.array_equal(arm.memory(), own.memory(), equal_nan=True)
    assert not np.array_equal(arm.memory(), PREPARED.sources["other"].similarity)
    taken = np.concatenate([arm.take(16, 0).rows for _ in range(6)])
    assert set(taken) <= set(arm_rows(run, "other", level)["other"])


def test_a_probe_of_a_renewed_walk_keeps_its_best_queries() -> None:
    run = started(DYNAMIC, 0)
    walk = run.walks["good"]
    scores = np.arange(60, dtype=np.float32)
    walk.renew(scores)
    rows = [arm_walk(run, "good", None, seed).take(38, 20).rows for seed in range(8)]
    assert all(set(range(60 - 32, 60)) <= set(some) for some in rows)


def test_a_probe_at_a_keep_level_obeys_the_guard_for_rare_sources() -> None:
    run = started(None, 0, least=50)
    assert len(arm_rows(run, "good", 0.1)["good"]) == 50
    assert len(arm_rows(started(None, 0), "good", 0.1)["good"]) == 6


def test_the_receipt_says_how_many_epochs_were_completed_and_what_was_left_out(tmp_path: Path) -> None:
    # 38 of 60 queries an epoch (0.625 x 60 is 37.5), and 14 batches of 16: five epochs and a part of the sixth.
    found = train(Recipe(Mixture({"good": 1.0}), Pruning(schedule=DYNAMIC)), 14, tmp_path / "a")
    drawn = found.receipt["good"]
    assert (drawn.rows, drawn.completed, drawn.pruned) == (224, 5, 22)
    assert found.remarks == ()
    plain = train(Recipe(Mixture({"good": 1.0})), 14, tmp_path / "b").receipt["good"]
    assert (plain.rows, plain.completed, plain.pruned) == (224, None, 0)


def test_what_infobatch_leaves_out_is_a_quarter_of_the_pairs_below_the_mean(tmp_path: Path) -> None:
    found = train(Recipe(Mixture({"good": 1.0}), Pruning(schedule=INFOBATCH)), 14, tmp_path / "a").receipt["good"]
    assert found.completed is not None and found.completed >= 3
    assert 3 <= found.pruned <= 15


def test_a_source_without_a_completed_epoch_is_remarked_on(tmp_path: Path) -> None:
    pruning = Pruning(schedule=DYNAMIC)
    found = train(Recipe(Mixture({"good": 0.9, "other": 0.1, "shuffled": 0.0}), pruning), 6, tmp_path / "a")
    assert found.receipt["good"].completed == 2
    (remark,) = found.remarks
    assert "dynamic" in remark and remark.endswith("of other")


def test_a_run_without_steps_has_nothing_to_remark_on(tmp_path: Path) -> None:
    recipe = Recipe(Mixture({"good": 1.0}), Pruning(schedule=DYNAMIC))
    assert train(recipe, 0, tmp_path / "a").remarks == ()
    assert len(unfinished(recipe, started(DYNAMIC, 0).walks)) == 1


def test_the_guard_holds_for_what_is_kept_and_for_what_an_epoch_uses(tmp_path: Path) -> None:
    pruning = Pruning({"good": 0.2}, DYNAMIC, least=30)
    assert len(kept_rows(PREPARED.sources["good"], "good", pruning)) == 30
    found = train(Recipe(Mixture({"good": 1.0}), pruning), 15, tmp_path / "a").receipt["good"]
    assert (found.unique_rows, found.completed, found.pruned) == (30, 8, 0)
    loose = train(Recipe(Mixture({"good": 1.0}), replace(pruning, least=1)), 15, tmp_path / "b").receipt["good"]
    assert loose.unique_rows == 12


@pytest.mark.parametrize("count", [1, 2, 200])
@pytest.mark.parametrize("schedule", [DYNAMIC, INFOBATCH, Schedule(refresh=4)])
def test_one_two_and_two_hundred_sources_train_and_go_on(count: int, schedule: Schedule, tmp_path: Path) -> None:
    names = [f"source {i}|x/{i}" for i in range(count)]
    prepared = replace(PREPARED, sources={name: PREPARED.sources[SOURCES[i % 3]] for i, name in enumerate(names)})
    study, bench = study_of(prepared), bench_of(TABLE, prepared)
    first = Proposal(Recipe(Mixture.uniform(names), Pruning(schedule=schedule)), 10, Role.ROUND)
    probing = replace(first, parent=0, probe=Probe(tuple(names[:2]), 1))
    run_trial(study, Task(0, first, 1, tmp_path / "a"), bench, lambda step, score: None, 0.0)
    task = Task(1, probing, 1, tmp_path / "b", tmp_path / "a")
    found = run_trial(study, task, bench, lambda step, score: None, 0.0).measurement
    assert sum(drawn.batches for drawn in found.receipt.values()) == 10
    assert len(found.influence) == min(2, count)
