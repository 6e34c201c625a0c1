"""The log of test readings."""

from collections.abc import Callable

from ledger import TUNED, UNIFORM, Ledger

from mixtune.proposal import Role
from mixtune.report.panels.holdout import holdout, holdout_document
from mixtune.report.tables import report


def test_a_finished_study_has_read_test_once(judged: Callable[[float], Ledger]) -> None:
    found = holdout(judged(0.5).trials, TUNED)
    assert [(reading.trials, reading.current) for reading in found.readings] == [((7, 8), True)]
    assert found.sentence == "Test was read once, for this recommendation."


def test_a_second_recommendation_of_an_extended_study_is_logged_and_warned_of(
    judged: Callable[[float], Ledger],
) -> None:
    ledger = judged(0.5)
    ledger.add(Role.RERUN, UNIFORM, 0.6, label="best")
    found = holdout(ledger.trials, UNIFORM)
    assert [(reading.trials, reading.current) for reading in found.readings] == [((7, 8), False), ((9,), True)]
    assert "read for 2 recommendations" in found.sentence and "too narrow" in found.sentence
    assert holdout_document(found)["recommendations"] == 2
    ledger.recommended = UNIFORM
    assert found.sentence in [str(part) for part in report(ledger.summary()).renderables]


def test_an_unread_recommendation_is_not_taken_for_a_read_one(judged: Callable[[float], Ledger]) -> None:
    assert holdout([], TUNED).sentence == "Test has not been read for a recommendation yet."
    assert "not yet for this one" in holdout(judged(0.5).trials, UNIFORM).sentence
