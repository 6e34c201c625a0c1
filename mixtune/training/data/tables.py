"""Rows of tables as training pairs, whatever file or data set the table comes from."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import datasets

from mixtune.errors import DataError
from mixtune.source import LEAST_SCORE, Columns
from mixtune.training.data.columns import columns_of
from mixtune.training.data.texts import SourceText, tidy

Cells = Sequence[object]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it was read: its name for people, its columns' names, their cells, and where a row stands.

    read gives the cells of columns as plain Python values; place(i) says where row i is, such as a file and a line.
    """

    where: str
    names: tuple[str, ...]
    read: Callable[[Sequence[str]], Mapping[str, Cells]]
    place: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table, and what was left out of it: pairs with an empty text, and pairs with a low score."""

    text: SourceText
    low: int = 0


def cells_of(dataset: datasets.Dataset, names: Sequence[str]) -> dict[str, Cells]:
    """Columns of a data set as Python values."""
    table = dataset.select_columns(list(names)).with_format("arrow")[:]
    return {name: table.column(name).to_pylist() for name in names}


def text_of(tables: Iterable[Table], given: Columns | None, min_score: float | None) -> SourceText:
    """The pairs of all tables, in order: one row per positive, keyed by its query. All have the first one's columns.

    Texts of only white space are no texts: pairs with one are left out and counted, such negatives are left out.
    Scored pairs below min_score (LEAST_SCORE where it is None) are left out too.

    Raises:
        DataError: a column is missing, or a cell holds what it cannot; names the file and the line.
    """
    found: list[Rows] = []
    first: tuple[str, bool] | None = None
    for table in tables:
        given = columns_of(table.names, given, table.where)
        found.append(_rows(table, given, min_score))
        if not found[-1].text:
            continue
        taught = bool(found[-1].text.teacher)
        first = first or (table.where, taught)
        if taught != first[1]:
            raise DataError(
                f"{table.where} and {first[0]} differ in whether they have teacher scores: make two sources of them, or"
                " leave scores out of `columns`"
            )
    texts = [rows.text for rows in found]
    low = sum(rows.low for rows in found)
    least = LEAST_SCORE if min_score is None else min_score
    return SourceText(
        tuple(query for text in texts for query in text.queries),
        tuple(document for text in texts for document in text.documents),
        tuple(key for text in texts for key in text.keys),
        dropped=sum(text.dropped for text in texts),
        negatives=tuple(own for text in texts for own in text.negatives),
        weights=tuple(weight for text in texts for weight in text.weights),
        teacher=tuple(scores for text in texts for scores in text.teacher),
        notes=(_too_low(low, least),) if low else (),
    )


def _too_low(count: int, least: float) -> str:
    pairs, were = ("pair", "was") if count == 1 else ("pairs", "were")
    return f"{count:,} {pairs} with a score below {least:g} {were} left out"


def _rows(table: Table, columns: Columns, min_score: float | None) -> Rows:
    cells = table.read(columns.named)
    queries = [_text(table, columns.query, i, cell) for i, cell in enumerate(cells[columns.query])]
    positives = _lists(table, columns.positive, cells)
    negatives = _lists(table, columns.negative, cells)
    weights = _weights(table, columns.weight, cells) if columns.weight else None
    scores = _scores(table, columns.scores, cells) if columns.scores else None
    low = [False] * len(queries)
    if scores is not None and _scored_pairs(columns, cells):
        low = _low(table, scores, min_score)
        scores = None
    if scores is not None:
        for i, own in enumerate(scores):
            _check_length(table, i, own, len(positives[i]), len(negatives[i]))

    rows: list[tuple[str, str]] = []
    chosen: list[tuple[int, int]] = []
    dropped = 0
    for i, query in enumerate(queries):
        if low[i]:
            continue
        for place, document in enumerate(positives[i]):
            if query and document:
                rows.append((query, document))
                chosen.append((i, place))
            else:
                dropped += 1
        dropped += not positives[i]
    return Rows(
        SourceText(
            tuple(query for query, _ in rows),
            tuple(document for _, document in rows),
            tuple(query for query, _ in rows),
            dropped,
            tuple(tuple(text for text in negatives[i] if text) for i, _ in chosen) if columns.negative else (),
            tuple(weights[i] for i, _ in chosen) if weights is not None else (),
            tuple(_teacher(scores[i], place, positives[i], negatives[i]) for i, place in chosen) if scores else (),
        ),
        sum(low),
    )


def _teacher(
    scores: Sequence[float], place: int, positives: Sequence[str], negatives: Sequence[str]
) -> tuple[float, ...]:
    rest = scores[len(positives) :]
    return (scores[place], *(score for score, text in zip(rest, negatives, strict=True) if text))


def _text(table: Table, column: str, row: int, cell: object) -> str:
    """One text, tidied; a missing one is empty."""
    if cell is None:
        return ""
    if isinstance(cell, dict) and isinstance(cell.get("text"), str):
        title = cell.get("title")
        return tidy(f"{title if isinstance(title, str) else ''} {cell['text']}")
    if not isinstance(cell, str):
        raise _wrong(table, column, row, cell, "a text")
    return tidy(cell)


def _lists(table: Table, names: Sequence[str], cells: Mapping[str, Cells]) -> list[list[str]]:
    """The texts of each row over columns of texts or of lists of texts; a missing cell or item adds none."""
    found: list[list[str]] = [[] for _ in range(len(next(iter(cells.values()))))]
    for name in names:
        for i, cell in enumerate(cells[name]):
            texts = cell if isinstance(cell, list) else [cell]
            found[i] += [_text(table, name, i, text) for text in texts if text is not None]
    return found


def _scores(table: Table, names: Sequence[str], cells: Mapping[str, Cells]) -> list[tuple[float, ...]] | None:
    """The numbers of each row over columns of numbers or of lists of numbers; None where no row has any."""
    found: list[tuple[float, ...]] = []
    for i, row in enumerate(zip(*(cells[name] for name in names), strict=True)):
        own: list[float] = []
        for name, cell in zip(names, row, strict=True):
            numbers = cell if isinstance(cell, list) else [] if cell is None else [cell]
            own += [_number(table, name, i, number) for number in numbers]
        found.append(tuple(own))
    return found if any(found) else None


def _scored_pairs(columns: Columns, cells: Mapping[str, Cells]) -> bool:
    """Whether scores grade pairs, and are not a teacher's: one number a row, one positive, no negatives."""
    one = len(columns.positive) == len(columns.scores) == 1 and not columns.negative
    names = (*columns.positive, *columns.scores)
    return one and not any(isinstance(cell, list) for name in names for cell in cells[name])


def _low(table: Table, scores: Sequence[tuple[float, ...]], min_score: float | None) -> list[bool]:
    for i, own in enumerate(scores):
        if not own:
            raise DataError(f"{table.place(i)}: no score, where other rows have one: add it, or remove the row")
        if min_score is None and not 0 <= own[0] <= 1:
            raise DataError(
                f"{table.place(i)}: score {own[0]:g} is not between 0 and 1: say from which score on a pair is a"
                " positive, such as min_score: 3, or leave scores out of `columns`"
            )
    least = LEAST_SCORE if min_score is None else min_score
    return [own[0] < least for own in scores]


def _check_length(table: Table, row: int, scores: Sequence[float], positives: int, negatives: int) -> None:
    if len(scores) != positives + negatives:
        raise DataError(
            f"{table.place(row)}: {len(scores)} scores for {positives} positives and {negatives} negatives: a teacher"
            " gives one score to each positive and then one to each negative; correct the row, or leave scores out of"
            " `columns`"
        )


def _weights(table: Table, name: str, cells: Mapping[str, Cells]) -> list[float]:
    found = []
    for i, cell in enumerate(cells[name]):
        weight = _number(table, name, i, cell)
        if weight < 0:
            raise DataError(f"{table.place(i)}: {name} is {weight:g}: a row's weight is a number of at least 0")
        found.append(weight)
    return found


def _number(table: Table, column: str, row: int, cell: object) -> float:
    try:
        number = float(cell) if isinstance(cell, int | float | str) else None
    except ValueError:
        number = None
    if number is None or not math.isfinite(number):
        raise _wrong(table, column, row, cell, "a finite number")
    return number


def _wrong(table: Table, column: str, row: int, cell: object, expected: str) -> DataError:
    shown = repr(cell)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    kind = {list: "a list", dict: "an object", str: "a text", bool: "a truth value", type(None): "missing"}
    what = kind.get(type(cell), "a number" if isinstance(cell, int | float) else f"a {type(cell).__name__}")
    return DataError(
        f"{table.place(row)}: column {column!r} holds {shown} ({what}), where {expected} is expected:"
        " correct the row, or name another column in `columns`"
    )
