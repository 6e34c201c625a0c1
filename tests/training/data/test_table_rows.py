from collections.abc import Mapping, Sequence

import pytest

from mixtune.errors import DataError
from mixtune.source import Columns
from mixtune.training.data.tables import Table, text_of
from mixtune.training.data.texts import SourceText


def table(cells: Mapping[str, Sequence[object]], name: str = "t") -> Table:
    return Table(
        name, tuple(cells), lambda names: {each: cells[each] for each in names}, lambda row: f"{name}, line {row + 1}"
    )


def read(
    cells: Mapping[str, Sequence[object]], columns: Columns | None = None, min_score: float | None = None
) -> SourceText:
    return text_of([table(cells)], columns, min_score)


def test_several_positives_are_several_rows_with_one_key() -> None:
    found = read({"query": ["a", "b"], "pos": [["x", "y"], "z"], "neg": [["n"], []]})
    assert found.queries == found.keys == ("a", "a", "b")
    assert found.documents == ("x", "y", "z")
    assert found.negatives == (("n",), ("n",), ())


def test_positives_and_negatives_come_from_several_columns() -> None:
    columns = Columns("q", ("d1", "d2"), ("n1", "n2"))
    found = read({"q": ["a"], "d1": ["x"], "d2": ["y"], "n1": ["n"], "n2": [["m", "l"]]}, columns)
    assert found.documents == ("x", "y")
    assert found.negatives == (("n", "m", "l"),) * 2


def test_objects_with_title_and_text_are_texts() -> None:
    passages = [[{"title": "Title", "text": "text", "docid": 3}, {"text": "alone"}]]
    found = read({"query": ["a"], "positive_passages": passages})
    assert found.documents == ("Title text", "alone")


def test_pairs_with_an_empty_text_are_counted_and_left_out() -> None:
    found = read({"query": ["a", " ", "c", None, "e"], "positive": ["x", "y", "\t", "z", []]})
    assert (found.queries, found.dropped) == (("a",), 4)


def test_an_empty_negative_is_left_out_with_its_score() -> None:
    found = read({"query": ["a"], "positive": ["x"], "neg": [["n", " ", "m"]], "scores": [[9, 1, 2, 3]]})
    assert (found.negatives, found.teacher) == ((("n", "m"),), ((9.0, 1.0, 3.0),))


def test_a_teacher_scores_each_positive_and_then_each_negative() -> None:
    cells = {"query": ["a"], "pos": [["x", "y"]], "neg": [["n"]], "pos_scores": [[0.9, 0.8]], "neg_scores": [[0.1]]}
    assert read(cells).teacher == ((0.9, 0.1), (0.8, 0.1))


def test_score_columns_that_hold_nothing_are_no_teacher() -> None:
    assert read({"query": ["a"], "pos": [["x"]], "pos_scores": [[]], "neg_scores": [None]}).teacher == ()


def test_scored_pairs_from_a_half_on_are_positives() -> None:
    found = read({"sentence1": list("abc"), "sentence2": list("xyz"), "score": [0.5, 0.49, 1]})
    assert found.documents == ("x", "z")
    assert found.teacher == ()
    assert found.notes == ("1 pair with a score below 0.5 was left out",)


def test_min_score_says_from_where_on_a_pair_is_a_positive() -> None:
    found = read({"sentence1": list("abc"), "sentence2": list("xyz"), "score": ["5", "2.9", "3"]}, None, 3)
    assert found.documents == ("x", "z")


def test_scores_of_another_range_need_a_min_score() -> None:
    with pytest.raises(DataError, match=r"t, line 2: score 4\.2 is not between 0 and 1: .*min_score: 3"):
        read({"sentence1": ["a", "b"], "sentence2": ["x", "y"], "score": [0.5, 4.2]})


def test_weights_are_numbers_or_texts_of_numbers() -> None:
    assert read({"query": ["a", "b"], "positive": ["x", "y"], "weight": [2, "0.5"]}).weights == (2.0, 0.5)


def test_rows_that_are_left_out_take_their_weights_along() -> None:
    assert read({"query": ["a", ""], "positive": [["x", "y"], "z"], "weight": [2, 3]}).weights == (2.0, 2.0)


def test_tables_follow_each_other() -> None:
    found = text_of([table({"query": [one], "positive": ["x"]}) for one in "ab"], None, None)
    assert found.queries == ("a", "b")


def test_white_space_is_tidied_as_in_beir_folders() -> None:
    assert read({"query": ["a \n b"], "positive": ["x\u00a0y"]}).queries == ("a b",)


def test_a_later_table_must_have_the_columns_of_the_first() -> None:
    with pytest.raises(DataError, match="second has no column 'weight'"):
        text_of(
            [table({"query": ["a"], "positive": ["x"], "weight": [1]}), table({"query": [], "positive": []}, "second")],
            None,
            None,
        )


def test_a_table_without_a_whole_pair_does_not_say_whether_there_is_a_teacher() -> None:
    scores = {"pos_scores": [[1.0]], "neg_scores": [[]]}
    nothing = table({"query": [""], "pos": [["x"]], **scores}, "nothing")
    taught = table({"query": ["a"], "pos": [["x"]], **scores}, "taught")
    untaught = table({"query": ["b"], "pos": [["y"]], "pos_scores": [None], "neg_scores": [None]}, "untaught")
    assert text_of([nothing, taught], None, None).teacher == ((1.0,),)
    with pytest.raises(DataError, match="untaught and taught differ in whether they have teacher scores"):
        text_of([nothing, taught, untaught], None, None)


def test_tables_with_and_without_a_teacher_are_two_sources() -> None:
    good = {"query": ["a"], "positive": ["x"], "neg": [["n"]], "scores": [[1, 0]]}
    with pytest.raises(DataError, match="second and first differ in whether they have teacher scores"):
        text_of([table(good, "first"), table({**good, "scores": [None]}, "second")], None, None)


WRONG: dict[str, tuple[Mapping[str, Sequence[object]], str]] = {
    "a number as query": (
        {"query": ["a", 7]},
        r"line 2: column 'query' holds 7 \(a number\), where a text is expected",
    ),
    "a list as query": ({"query": [["a"], "b"]}, r"line 1: column 'query' holds \['a'\] \(a list\), where a text"),
    "an object without text": ({"positive": ["x", {"id": 1}]}, r"line 2: column 'positive' holds .* \(an object\)"),
    "a list of lists": ({"positive": ["x", [["y"]]]}, r"line 2: column 'positive' holds \['y'\] \(a list\)"),
    "a negative that is a number": ({"negative": ["n", [3]]}, r"line 2: column 'negative' holds 3 \(a number\)"),
    "a negative weight": ({"weight": [1, -0.5]}, r"line 2: weight is -0.5: a row's weight is a number of at least 0"),
    "a weight that is not finite": ({"weight": [float("nan"), 1]}, r"line 1: column 'weight' holds nan"),
    "a weight that is text": ({"weight": ["much", 1]}, r"line 1: column 'weight' holds 'much' \(a text\)"),
    "no weight": ({"weight": [1, None]}, r"line 2: column 'weight' holds None \(missing\)"),
    "a list as weight": ({"weight": [[1], 1]}, r"line 1: column 'weight' holds \[1\] \(a list\)"),
    "too few teacher scores": (
        {"negative": [["n"], ["n", "m"]], "scores": [[1, 0], [1, 0]]},
        r"line 2: 2 scores for 1 positives and 2 negatives: a teacher gives one score to each",
    ),
    "one score with negatives": (
        {"negative": ["n", "m"], "score": [1, 0]},
        r"line 1: 1 scores for 1 positives and 1 negatives",
    ),
    "teacher scores for some rows": (
        {"negative": ["n", "m"], "scores": [[1, 0], None]},
        r"line 2: 0 scores for 1 positives and 1 negatives",
    ),
    "a score that is not a number": ({"score": [1, "good"]}, r"line 2: column 'score' holds 'good'"),
    "a pair without score": ({"score": [1, None]}, r"line 2: no score, where other rows have one"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_cell_cannot_hold_is_named_by_file_and_line(case: str) -> None:
    changes, message = WRONG[case]
    with pytest.raises(DataError, match=f"^t, {message}"):
        read({"query": ["a", "b"], "positive": ["x", "y"], **changes})
