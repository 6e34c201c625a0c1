import pytest

from mixtune.audits.changes import changed, changes
from mixtune.recipe import Mixture
from mixtune.report.looks.audit import Change

MIXTURE = Mixture({"a": 0.5, "b": 0.3, "c": 0.2})


def test_without_a_source_the_others_keep_their_proportions() -> None:
    assert changed(MIXTURE, "a", Change.WITHOUT) == pytest.approx({"a": 0.0, "b": 0.6, "c": 0.4})


def test_a_tenth_of_all_batches_is_added_and_the_others_keep_their_proportions() -> None:
    assert changed(MIXTURE, "a", Change.MORE) == pytest.approx({"a": 0.6, "b": 0.24, "c": 0.16})


def test_a_source_without_weight_can_only_get_more() -> None:
    mixture = Mixture({"a": 1.0, "b": 0.0})
    assert [(change, dict(after)) for change, after in changes(mixture, "b")] == [
        (Change.MORE, pytest.approx({"a": 0.9, "b": 0.1}))
    ]


def test_a_source_that_has_everything_stays_as_it_is() -> None:
    assert list(changes(Mixture({"a": 1.0, "b": 0.0}), "a")) == []


def test_a_source_above_nine_tenths_has_no_room_for_more() -> None:
    assert changed(Mixture({"a": 0.95, "b": 0.05}), "a", Change.MORE) is None
