import pytest

from mixtune.cli.pace import Pace


def test_nothing_is_said_before_three_trials_have_finished() -> None:
    pace = Pace()
    pace.finished(1.0)
    pace.finished(2.0)
    assert pace.remaining(5, 2.0) is None


def test_the_rest_takes_as_long_as_the_trials_so_far() -> None:
    pace = Pace()
    for moment in (100.0, 102.0, 104.0):
        pace.finished(moment)
    assert pace.remaining(5, 104.0) == pytest.approx(10.0)
    assert pace.remaining(5, 105.0) == pytest.approx(9.0)


def test_time_that_is_up_is_not_negative() -> None:
    pace = Pace()
    for moment in (0.0, 1.0, 2.0):
        pace.finished(moment)
    assert pace.remaining(1, 50.0) == 0.0
