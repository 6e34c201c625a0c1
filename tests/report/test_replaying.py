import json

import numpy as np
import pytest
from scipy.special import stdtrit

from mixtune.report.replaying import Grounds, Played, arena_document, arena_of, arena_sheets, mean_over

GROUNDS = Grounds(
    "ndcg@10", 70, 60, 10, 2, 0.004, 0.9, 0.95, 0.003, 0.001, (("t", "ndcg@10", "law", {"law": 0.01}),), 0, None
)


def test_regret_first_places_and_curve_by_hand() -> None:
    played = [Played("a", np.array([[0.1, 0.5], [0.1, 0.7]])), Played("b", np.array([[0.2, 0.5], [0.2, 0.6]]))]
    arena = arena_of((1.0, 7.0), np.array([0.6, 0.65]), played, {}, GROUNDS)
    first, second = arena.placings
    assert (first.label, second.label) == ("a", "b")
    assert first.first == 0.75 and second.first == 0.25  # the first repeat is shared
    # a found .7 on the second surface, more than its best known mixture: that counts as the best of it.
    assert first.regret.value == pytest.approx(0.05) and second.regret.value == pytest.approx(0.10)
    assert dict(first.curve) == {1.0: 0.1, 7.0: pytest.approx(0.6)}
    assert arena.optimum == pytest.approx(0.65)


def test_intervals_count_surfaces_and_not_repeats() -> None:
    values, surface = np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0]), np.array([0, 1, 0, 1, 0, 1])
    found = mean_over(values, surface)
    assert found.high - found.value == pytest.approx(stdtrit(1, 0.975) * 0.5)
    alone = mean_over(values, np.zeros(6, dtype=np.int64))
    assert alone.high - alone.value == pytest.approx(stdtrit(5, 0.975) * values.std(ddof=1) / 6**0.5)


def test_agreement_needs_five_searchers_with_real_studies() -> None:
    def arena(count: int) -> object:
        played = [Played(str(i), np.full((2, 1), 0.1 * i), [0.2 * i]) for i in range(count)]
        return arena_of((7.0,), np.array([1.0]), played, {"x": "why"}, GROUNDS)

    few, enough = arena(4), arena(5)
    assert few.agreement is None and few.compared == 4  # type: ignore[attr-defined]
    assert enough.agreement is not None and enough.agreement.value == 1  # type: ignore[attr-defined]
    said = " ".join(next(arena_sheets(few)).lines)  # type: ignore[arg-type]
    assert "cannot be told: 4 searchers" in said and "Left out: x (why)." in said


def test_searchers_that_real_searches_stand_in_for_are_marked() -> None:
    played = [Played("a", np.array([[0.5], [0.7]]), stand_ins=3), Played("b", np.array([[0.1], [0.2]]))]
    sheet = next(arena_sheets(arena_of((7.0,), np.array([0.9]), played, {}, GROUNDS)))
    assert [row[0] for row in sheet.rows] == ["a*", "b"]
    assert "what 3 real searches recommended" in " ".join(sheet.lines)


def test_searchers_that_real_searches_stand_in_for_do_not_agree_with_themselves() -> None:
    played = [Played(str(i), np.full((2, 1), 0.1 * i), [0.2 * i], stand_ins=i == 5) for i in range(6)]
    assert arena_of((7.0,), np.array([1.0]), played, {}, GROUNDS).compared == 5


def test_what_was_not_recommended_yet_is_a_dash_and_null() -> None:
    played = [
        Played("a", np.array([[np.nan, 0.5], [0.3, 0.7]]), stand_ins=2),
        Played("b", np.array([[0.1, 0.2], [0.1, 0.2]])),
    ]
    arena = arena_of((1.0, 7.0), np.array([0.9]), played, {}, GROUNDS)
    sheet = next(arena_sheets(arena))
    assert [row[1] for row in sheet.rows] == ["-", "0.1000"]
    assert "- where they had recommended nothing yet" in " ".join(sheet.lines)
    told = json.loads(json.dumps(arena_document(arena), allow_nan=False))
    assert [each["curve"]["1"] for each in told["searchers"]] == [None, pytest.approx(0.1)]


def test_the_document_holds_every_number() -> None:
    played = [Played("a", np.array([[0.1, 0.5], [0.1, 0.7]]), [0.4, 0.6])]
    told = arena_document(arena_of((1.0, 7.0), np.array([0.6]), played, {}, GROUNDS))
    assert told["repeats"] == 2 and told["runs"] == 7.0
    assert told["searchers"][0]["real"] == 0.5 and told["searchers"][0]["curve"]["7"] == pytest.approx(0.6)
    assert told["surrogate"]["columns"][0] == {
        "target": "t", "measure": "ndcg@10", "model": "law", "errors": {"law": 0.01},
    }  # fmt: skip
