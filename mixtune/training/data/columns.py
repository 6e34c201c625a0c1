"""Which columns of a table hold queries, positives, negatives, scores and weights, where nobody said so.

The names are those of sentence-transformers data sets (anchor, positive, negative; sentence1, sentence2, score), of
FlagEmbedding (query, pos, neg, pos_scores, neg_scores) and of Tevatron (query, positive_passages, negative_passages).
"""

import re
from collections.abc import Sequence

from mixtune.errors import DataError
from mixtune.source import Columns

QUERY = ("query", "anchor", "question", "sentence1", "sentence_1")
POSITIVE = (
    *("positive", "positives", "pos", "positive_passages", "passage", "answer", "document"),
    *("sentence2", "sentence_2"),
)
NEGATIVE = ("negative", "negatives", "neg", "negative_passages", "hard_negative", "hard_negatives")
SCORES = ("scores", "score", "labels", "label")
WEIGHT = ("weight", "weights")
TEACHER = ("pos_scores", "neg_scores")


def columns_of(names: Sequence[str], given: Columns | None, where: str) -> Columns:
    """The columns that were given, or those recognised by their names.

    Negatives may be numbered (negative_1, negative_2, ...).

    Raises:
        DataError: a given column is not there, or names do not settle which column holds what.
    """
    if given is not None:
        lost = [name for name in given.named if name not in names]
        if lost:
            raise DataError(f"{where} has no column {lost[0]!r}, which `columns` names; it has {', '.join(names)}")
        return given
    query, positive = _one(names, QUERY, "query", where), _one(names, POSITIVE, "positive", where)
    if query is None or positive is None:
        role, known = ("query", QUERY) if query is None else ("positive", POSITIVE)
        query = query or next((name for name in names if name != positive), "...")
        positive = positive or next((name for name in reversed(names) if name != query), "...")
        raise DataError(
            f"{where} has the columns {', '.join(names)}, and none that is known to hold the {role}"
            f" ({', '.join(known)}): say which in the study file, such as columns: {{query: {query}, positive:"
            f" {positive}}}"
        )
    teacher = tuple(name for name in TEACHER if name in names)
    score = None if teacher else _one(names, SCORES, "scores", where)
    return Columns(
        query,
        (positive,),
        _numbered(names),
        teacher or ((score,) if score else ()),
        _one(names, WEIGHT, "weight", where),
    )


def _one(names: Sequence[str], known: Sequence[str], role: str, where: str) -> str | None:
    """The one column with a known name, in any case, or None."""
    found = [name for name in names if name.lower() in known]
    if len(found) > 1:
        raise DataError(
            f"{where} has several columns that could hold the {role}: {', '.join(found)}; say which in the study file,"
            " such as columns: {query: ..., positive: ...} (columns that are not named there are not read)"
        )
    return found[0] if found else None


def _numbered(names: Sequence[str]) -> tuple[str, ...]:
    """Columns of negatives by their number; one without a number is first."""
    found = []
    for name in names:
        match = re.fullmatch(r"(.*?)_?(\d*)", name.lower())
        if match and match[1] in NEGATIVE:
            found.append((int(match[2] or -1), name))
    return tuple(name for _, name in sorted(found))
