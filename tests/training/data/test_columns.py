import pytest

from mixtune.errors import DataError
from mixtune.source import Columns
from mixtune.training.data.columns import columns_of

KNOWN = {
    "pair": (["anchor", "positive"], Columns("anchor", ("positive",))),
    "question and answer": (["id", "question", "answer"], Columns("question", ("answer",))),
    "triplet": (["query", "positive", "negative"], Columns("query", ("positive",), ("negative",))),
    "n-tuple": (
        ["anchor", "positive", "negative_2", "negative_10", "negative_1"],
        Columns("anchor", ("positive",), ("negative_1", "negative_2", "negative_10")),
    ),
    "scored pair": (["sentence1", "sentence2", "score"], Columns("sentence1", ("sentence2",), (), ("score",))),
    "FlagEmbedding": (
        ["query", "pos", "neg", "pos_scores", "neg_scores", "prompt", "type"],
        Columns("query", ("pos",), ("neg",), ("pos_scores", "neg_scores")),
    ),
    "Tevatron": (
        ["query_id", "query", "positive_passages", "negative_passages"],
        Columns("query", ("positive_passages",), ("negative_passages",)),
    ),
    "weights and capitals": (["Query", "Document", "Weight"], Columns("Query", ("Document",), (), (), "Weight")),
}


@pytest.mark.parametrize("names, expected", KNOWN.values(), ids=KNOWN)
def test_the_usual_names_need_no_map(names: list[str], expected: Columns) -> None:
    assert columns_of(names, None, "data") == expected


def test_only_what_a_map_names_is_read() -> None:
    given = Columns("text", ("other",))
    assert columns_of(["query", "positive", "negative", "text", "other"], given, "data") is given


def test_a_column_of_the_map_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(DataError, match=r"a\.csv has no column 'w', which `columns` names; it has q, d"):
        columns_of(["q", "d"], Columns("q", ("d",), weight="w"), "a.csv")


def test_unknown_names_are_refused_with_what_to_write() -> None:
    with pytest.raises(DataError, match=r"has the columns q, d, .* columns: \{query: q, positive: d\}"):
        columns_of(["q", "d"], None, "data")
    with pytest.raises(DataError, match=r"has the columns data, .* columns: \{query: data, positive: \.\.\.\}"):
        columns_of(["data"], None, "data")
    with pytest.raises(DataError, match=r"none that is known to hold the positive.* \{query: query, positive: d\}"):
        columns_of(["query", "d"], None, "data")


@pytest.mark.parametrize("names", [["question", "query", "answer"], ["query", "answer", "passage"]])
def test_two_columns_for_one_role_are_refused(names: list[str]) -> None:
    with pytest.raises(DataError, match="several columns that could hold the"):
        columns_of(names, None, "data")
