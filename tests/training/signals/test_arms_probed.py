import numpy as np
import pytest
import torch
from small_study import bench_of, run_of, study_of, synthetic

from mixtune.proposal import Probe
from mixtune.pruning import Pruning
from mixtune.training.measuring.devloss import DevPool
from mixtune.training.run import Run
from mixtune.training.signals.probing import RoundEnd, arm_rows, end_round
from mixtune.training.walks.pruning import kept_rows

TABLE, PREPARED = synthetic()
STUDY = study_of(PREPARED)
POOLS = {name: DevPool(name, target, target.signal) for name, target in PREPARED.targets.items()}


def ended(probe: Probe, pruning: Pruning | None = None) -> tuple[Run, RoundEnd]:
    """A round's end from the base model, over all rows or those that a pruning keeps."""
    run = run_of(bench_of(TABLE, PREPARED), STUDY, {"other": 1.0})
    run.rows = {name: kept_rows(run.sources[name], name, pruning or Pruning()) for name in run.rows}
    return run, end_round(run, POOLS, {"left": 0.5, "right": 0.5}, probe, seed=3)


def test_a_probe_at_a_keep_level_is_a_probe_of_a_source_that_was_pruned_so() -> None:
    _, arm = ended(Probe(("good", "other"), 2, levels=(0.5, None)))
    _, pruned = ended(Probe(("good", "other"), 2), Pruning({"good": 0.5}))
    assert list(arm.influence) == ["good@0.5", "other"]
    assert arm.influence["good@0.5"] == pruned.influence["good"]
    assert arm.influence["other"] == pruned.influence["other"]


def test_the_level_of_everything_is_the_source_itself() -> None:
    _, arm = ended(Probe(("good",), 2, levels=(1.0,)))
    _, plain = ended(Probe(("good",), 2))
    assert arm.influence["good@1.0"] == plain.influence["good"]


def test_two_levels_of_a_source_are_told_apart_and_add_up_in_its_exposure() -> None:
    run, end = ended(Probe(("good", "good"), 3, levels=(0.1, 1.0)))
    assert end.influence["good@0.1"] != end.influence["good@1.0"]
    assert set(end.merge_weights) == {"good@0.1", "good@1.0"}
    assert end.exposure == pytest.approx({"good": 3.0})
    assert torch.isfinite(run.optimiser.parameters["weight"]).all()


def test_an_arm_draws_from_its_kept_rows_and_the_others_from_the_runs_own() -> None:
    run = run_of(bench_of(TABLE, PREPARED), STUDY, {"other": 1.0})
    rows = arm_rows(run, "good", 0.25)
    assert np.array_equal(rows["good"], kept_rows(run.sources["good"], "good", Pruning({"good": 0.25})))
    assert len(rows["good"]) == len(run.rows["good"]) // 4
    assert rows["other"] is run.rows["other"] and list(rows) == list(run.rows)
