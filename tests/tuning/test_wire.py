"""What travels through Ray comes out as it went in, also through Ray's own flattening."""

import math
from pathlib import Path

from ray.tune.utils import flatten_dict

from mixtune.measurement import Cost, Influence, Measurement, Outcome
from mixtune.proposal import Probe, Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.training.base import Task
from mixtune.tuning import wire


def test_a_task_survives_a_ray_config() -> None:
    proposal = Proposal(
        recipe=Recipe(Mixture({"a/b": 1 / 3, "c": 2 / 3})),
        steps=7,
        role=Role.ROUND,
        parent=3,
        probe=Probe(("a/b",), 2, temperature=0.1),
        notes={"w": {"a/b": 1 / 3}, "1": [1, None]},
    )
    needed = {10: -math.inf, 30: 0.1 + 0.2}
    task = Task(4, proposal, seed=2**31, checkpoint=Path("here/x"), parent=Path("there"), thresholds=needed)
    assert wire.task_of(wire.config_of(task)) == task


def test_an_outcome_survives_rays_flattening_with_slashes_in_source_names() -> None:
    measurement = Measurement(
        step=3,
        score=0.1 + 0.2,
        rungs={1: 1 / 3, 3: 0.1 + 0.2},
        dev={"t/x": {"ndcg@10": 1 / 3}},
        influence={"a/b": Influence(1e-17, None, {"t/x": -0.5}, {})},
        cost=Cost(train=1e15, seconds=0.5),
    )
    outcome = Outcome(measurement, {"t/x": {"ndcg@10": (0.1, 1.0)}}, pruned=True)
    answer = wire.answer_of(flatten_dict(wire.outcome_report(outcome, node="n", pid=9)))
    assert (answer.outcome, answer.error, answer.node, answer.pid) == (outcome, None, "n", 9)


def test_a_result_without_an_answer_is_a_failure() -> None:
    assert "without a result" in (wire.answer_of({"done": True}).error or "")


def test_a_sign_of_life_is_not_an_answer_and_an_answer_no_sign_of_life() -> None:
    progress = wire.Progress(step=5, score=None, node="n", pid=1)
    assert wire.progress_of(flatten_dict(wire.progress_report(progress))) == progress
    assert wire.progress_of(wire.error_report("boom", node="n", pid=1)) is None
