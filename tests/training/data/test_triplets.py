import pytest

from mixtune.training.data.texts import SourceText
from mixtune.training.data.triplets import triplets_of

PAIRS = SourceText(("q0", "q1", "q2"), ("d0", "d1", "d2"), ("0", "1", "2"))


def rich(*negatives: tuple[str, ...], **parts: object) -> SourceText:
    return SourceText(PAIRS.queries, PAIRS.documents, PAIRS.keys, negatives=negatives, **parts)  # type: ignore[arg-type]


def test_a_source_without_hard_negatives_is_laid_out_as_pairs() -> None:
    found = triplets_of(PAIRS, 2)
    assert found.columns == {"anchor": ["q0", "q1", "q2"], "positive": ["d0", "d1", "d2"]}
    assert found.notes == ()


def test_none_asked_for_leaves_hard_negatives_out() -> None:
    assert list(triplets_of(rich(("a",), ("b",), ("c",)), 0).columns) == ["anchor", "positive"]


def test_a_row_with_fewer_than_asked_for_repeats_its_own_in_turn() -> None:
    columns = triplets_of(rich(("a", "b"), ("c",), ("e", "f", "g")), 3).columns
    rows = list(zip(*(columns[f"negative_{place}"] for place in (1, 2, 3)), strict=True))
    assert rows[0] in [("a", "b", "a"), ("b", "a", "b")]
    assert rows[1] == ("c", "c", "c")
    assert rows[2] in [("e", "f", "g"), ("f", "g", "e"), ("g", "e", "f")]


def test_all_of_a_longer_list_have_their_chance() -> None:
    many = SourceText(
        tuple(f"q{i}" for i in range(200)),
        tuple(f"d{i}" for i in range(200)),
        tuple(map(str, range(200))),
        negatives=(("a", "b", "c"),) * 200,
    )
    drawn = list(triplets_of(many, 1).columns["negative_1"])
    assert all(40 < drawn.count(each) < 95 for each in ("a", "b", "c"))
    assert drawn == triplets_of(many, 1).columns["negative_1"]


def test_a_row_without_any_takes_documents_of_other_queries_and_says_so() -> None:
    text = SourceText(
        ("q", "q", *(f"o{i}" for i in range(30))),
        ("d0", "d1", *("d2", "d3") * 15),
        tuple(map(str, range(32))),
        negatives=((), ()) + (("n",),) * 30,
    )
    found = triplets_of(text, 2)
    for place in ("negative_1", "negative_2"):
        assert set(found.columns[place][:2]) <= {"d2", "d3"}
        assert set(found.columns[place][2:]) == {"n"}
    assert found.notes == ("2 of 32 rows have no hard negative, and bring documents of other queries, drawn once",)


def test_a_hard_negative_that_is_a_positive_of_the_same_query_does_not_count() -> None:
    text = SourceText(("q", "q", "r"), ("d0", "d1", "d2"), ("0", "0", "1"), negatives=(("d1", "a"), ("b",), ("d1",)))
    assert triplets_of(text, 1).columns["negative_1"] == ["a", "b", "d1"]


def test_rows_without_any_and_no_other_querys_document_leave_the_source_as_pairs() -> None:
    text = SourceText(("q", "q"), ("d0", "d1"), ("0", "0"), negatives=(("a",), ()))
    found = triplets_of(text, 1)
    assert list(found.columns) == ["anchor", "positive"]
    assert found.notes == ("without hard negatives: row 1 has none, and no document is another query's",)


def test_scores_follow_their_negatives_and_a_row_without_any_has_margin_zero() -> None:
    text = rich(("a", "b"), (), ("c", "d2"), teacher=((9.0, 1.0, 2.0), (8.0,), (7.0, 3.0, 6.5)))
    found = triplets_of(text, 2, scored=True)
    first = dict(zip("ab", (1.0, 2.0), strict=True))
    chosen = [found.columns["negative_1"][0], found.columns["negative_2"][0]]
    assert sorted(chosen) == ["a", "b"]
    assert found.columns["scores"] == [[9.0, *(first[each] for each in chosen)], [8.0] * 3, [7.0, 3.0, 3.0]]
    assert found.columns["negative_1"][1] == found.columns["negative_2"][1] == "d1"
    assert found.notes == ("1 of 3 rows have no hard negative, and bring their own positive (margin 0)",)


def test_scores_of_a_source_that_lacks_them_are_refused() -> None:
    with pytest.raises(ValueError, match="margins need teacher scores and hard negatives"):
        triplets_of(rich(("a",), ("b",), ("c",)), 1, scored=True)
    with pytest.raises(ValueError, match="margins need teacher scores and hard negatives"):
        triplets_of(rich((), (), (), teacher=((1.0,), (1.0,), (1.0,))), 1, scored=True)


def test_row_weights_are_said_to_be_unused_where_they_differ() -> None:
    noted = rich(("a",), ("b",), ("c",), weights=(1.0, 2.0, 1.0))
    assert triplets_of(noted, 1).notes == ("its row weights are not used: losses of sentence-transformers have none",)
    assert triplets_of(rich(("a",), ("b",), ("c",), weights=(2.0, 2.0, 2.0)), 1).notes == ()
