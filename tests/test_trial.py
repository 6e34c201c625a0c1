import pytest
from pydantic import TypeAdapter

from mixtune.measurement import Cost, Drawn, Influence, Measurement
from mixtune.proposal import JUDGED, Probe, Proposal, Role
from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe
from mixtune.trial import Trial, TrialState, headline


@pytest.mark.parametrize("state", TrialState)
def test_complete_pruned_and_failed_are_finished(state: TrialState) -> None:
    assert state.finished == (state.value in {"complete", "pruned", "failed"})


def test_runs_that_only_judge_are_scored_on_test() -> None:
    assert {Role.SURVEY, Role.ANCHOR, Role.RERUN} == JUDGED


def test_a_trials_cost_is_the_sum_of_its_parts_and_not_its_seconds() -> None:
    assert Cost(train=1.0, probe=2.0, dev=4.0, test=8.0, seconds=16.0).flops == 15.0


def test_a_trial_survives_json() -> None:
    proposal = Proposal(
        Recipe(Mixture({"a": 0.1, "b": 0.9}), Pruning({"a": 0.5})),
        steps=10,
        role=Role.ROUND,
        parent=3,
        probe=Probe(("a", "b"), 2, "softmax", 0.5, 0.01),
        notes={"weights": [0.1, None], "levels": {"a": 0.5}, "skipped": False},
    )
    measurement = Measurement(
        step=12,
        score=0.1,
        dev={"t": {"ndcg@10": 1 / 3}},
        influence={"a": Influence(0.1, 0.01, {"t": 0.1}, {"t": 0.01}), "b": Influence(None, None)},
        receipt={"a": Drawn(1, 8, 8, 0.1)},
        cost=Cost(train=1e15, seconds=0.1),
    )
    trial = Trial(4, proposal, seed=7, seen=3, state=TrialState.COMPLETE, attempt=1, measurement=measurement)
    adapter = TypeAdapter(Trial)
    assert adapter.validate_json(adapter.dump_json(trial)) == trial
    assert trial.role is Role.ROUND


def test_the_headline_of_an_error_is_the_first_line_behind_the_traceback() -> None:
    error = (
        'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    boom()\nValueError: first\nsecond line\n'
    )
    assert headline(error) == "ValueError: first"
    assert headline("the worker died") == "the worker died"
    assert headline(None) == "no message"
