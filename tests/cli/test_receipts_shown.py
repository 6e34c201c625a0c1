import json
from dataclasses import replace

import pytest
from desk import Desk

from mixtune.cli.reading import spans
from mixtune.measurement import Drawn


def draw(desk: Desk, number: int, **batches: int) -> None:
    """Give a trial of `duo` a receipt."""
    lease = desk.store.acquire("duo", "host 1 2")
    trial = next(each for each in desk.store.trials("duo") if each.number == number)
    assert trial.measurement is not None
    receipt = {name: Drawn(count, 32 * count, 20, count / 4, pruned=5) for name, count in batches.items()}
    desk.store.update_trial(lease, replace(trial, measurement=replace(trial.measurement, receipt=receipt)))
    desk.store.release(lease)


def test_trials_give_what_was_requested_and_drawn(done: Desk) -> None:
    draw(done, 2, alpha=8, beta=2)
    lines = json.loads(done("trials", "duo", "--json").stdout)
    assert lines[0]["receipt"] is None
    found = lines[2]["receipt"]
    assert (found["unit"], found["total"], found["outside"]) == ("batches", 10, [])
    alpha = found["sources"]["alpha"]
    assert (alpha["requested"], alpha["expected"], alpha["drawn"]) == (0.8, 8.0, 8)
    assert (alpha["rows"], alpha["unique_rows"], alpha["epochs"], alpha["pruned"]) == (256, 20, 2.0, 5)


def test_a_trial_outside_its_bound_is_marked(done: Desk) -> None:
    draw(done, 2, alpha=8, beta=2)
    assert "!" not in done("trials", "duo").stdout
    draw(done, 2, alpha=1, beta=9)
    shown = done("trials", "duo").stdout
    assert "2!" in shown and "! Trial 2 drew alpha 1 batches, bound " in shown
    assert json.loads(done("trials", "duo", "--json").stdout)[2]["receipt"]["outside"] == ["alpha", "beta"]


def test_the_receipt_of_one_trial_is_shown_whole(done: Desk) -> None:
    draw(done, 2, alpha=8, beta=2)
    shown = done("trials", "duo", "--receipt", "2").stdout
    assert "Receipt of trial 2: batches asked for and drawn in 10 steps" in shown
    assert "Every source lies within its bound." in shown
    assert json.loads(done("trials", "duo", "--receipt", "2", "--json").stdout)["trial"] == 2


def test_a_trial_without_a_receipt_is_refused_with_those_that_have_one(done: Desk) -> None:
    draw(done, 2, alpha=8, beta=2)
    found = done("trials", "duo", "--receipt", "1")
    assert found.exit_code == 1 and "trial 1 of study 'duo' has no receipt" in found.stderr and "2" in found.stderr


def test_a_trial_that_is_not_there_is_refused_with_those_that_are(done: Desk) -> None:
    found = done("trials", "duo", "--receipt", "999")
    assert found.exit_code == 1 and "study 'duo' has no trial 999; it has 0-4" in found.stderr


@pytest.mark.parametrize("number", ["-1", "abc"])
def test_what_is_no_number_of_a_trial_is_refused_by_name(done: Desk, number: str) -> None:
    found = done("trials", "duo", "--receipt", number)
    assert found.exit_code == 2 and number in found.stderr and "0 or more" in " ".join(found.stderr.split())


def test_numbers_in_a_row_are_put_together() -> None:
    assert spans([0, 1, 2, 4, 6, 7]) == "0-2, 4, 6-7"
    assert spans([]) == ""
