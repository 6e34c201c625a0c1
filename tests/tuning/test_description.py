"""Studies without data on disk."""

from typing import Any

import pytest

from mixtune.space import Space
from mixtune.tuning import described


def test_a_described_study_says_what_searchers_read() -> None:
    study = described(
        {"b": 30, "a": 10}, {"t": 3.0, "u": 1.0}, weights={"a": 2.0}, steps=7, batch_size=4, final_steps=5, seed=9
    )
    assert study.names == ("b", "a") and study.rows == {"b": 30, "a": 10}
    assert study.target_weights().tolist() == [0.75, 0.25]
    expert = study.expert()
    assert expert is not None and expert["a"] == pytest.approx(2 / 3)
    assert (study.proxy.steps, study.final_rows, study.seed) == (7, 20, 9)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"sources": {}}, "at least one source and one target"),
        ({"sources": {"a": 0}}, "every source needs at least 1 row, got {'a': 0}"),
        ({"steps": 0, "workers": 0}, "steps, workers must be at least 1"),
        ({"weights": {"c": 1.0}}, r"no such source as \['c'\]: sources are \['a', 'b'\]"),
        ({"space": Space(cap={"d": 0.5})}, r"no such source as \['d'\]"),
        ({"weights": {"a": 0.0, "b": 0.0}}, "positive sum"),
        ({"weights": {"a": -1.0, "b": 3.0}}, "at least 0, got {'a': -1.0}"),
        ({"targets": {"t": float("nan")}}, "finite"),
        ({"targets": {"t": 0.0, "u": 0.0}}, "every target has weight 0"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        described(**({"sources": {"a": 1, "b": 2}} | changes))
