"""A source's rows as columns of equal length, as losses of sentence-transformers take them: pairs, triplets, more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mixtune.training.data.reading import seeded
from mixtune.training.data.texts import SourceText


@dataclass(frozen=True, slots=True)
class Triplets:
    """Columns anchor, positive, negative_1 ... negative_k, and scores where a teacher's were asked for.

    An entry of scores holds k + 1 numbers, of the positive and of each negative. notes say what a row lacked and what
    stands there instead.
    """

    columns: Mapping[str, Sequence[str] | Sequence[Sequence[float]]]
    notes: tuple[str, ...] = ()


def triplets_of(text: SourceText, negatives: int, *, scored: bool = False) -> Triplets:
    """Lay out a source with so many hard negatives per row; all rows, in their order.

    As in the proxy, a hard negative that is a positive of the same query anywhere in the source does not count. A row
    brings neighbours in its own list, taken as a ring from a start that the source's content decides: with fewer than
    asked for they repeat, with more the others stay unused (the proxy takes others at every step). A row without any
    takes documents of other queries' rows, drawn once by the content: negatives as easy as those of the batch. Where
    scored, no teacher has seen such a pair, so its own positive stands there instead: its margin is 0 in the teacher's
    and in the student's eyes, and it teaches nothing. A source without a hard negative has the first two columns only.

    Raises:
        ValueError: scored, and the source lacks teacher scores or hard negatives.
    """
    columns: dict[str, Sequence[str] | Sequence[Sequence[float]]] = {
        "anchor": list(text.queries),
        "positive": list(text.documents),
    }
    notes = []
    if len(set(text.weights)) > 1:
        notes.append("its row weights are not used: losses of sentence-transformers have none")
    positives: dict[str, set[str]] = {}
    for query, document in zip(text.queries, text.documents, strict=True):
        positives.setdefault(query, set()).add(document)
    own = [_own(text, row, positives[text.queries[row]]) for row in range(len(text))] if negatives else []
    lacking = sum(not each for each in own)
    if scored and (not text.teacher or lacking == len(own)):
        raise ValueError("margins need teacher scores and hard negatives, and the source lacks them")
    if lacking == len(own):
        return Triplets(columns, tuple(notes))

    rng = seeded(text.sha256, "triplets")
    documents = list(dict.fromkeys(text.documents))
    chosen: list[list[tuple[str, float]]] = []
    for row, (query, found) in enumerate(zip(text.queries, own, strict=True)):
        if found:
            start = int(rng.integers(len(found)))
            chosen.append([found[(start + place) % len(found)] for place in range(negatives)])
        elif scored:
            chosen.append([(text.documents[row], text.teacher[row][0])] * negatives)
        elif len(positives[query]) == len(documents):
            notes.append(f"without hard negatives: row {row} has none, and no document is another query's")
            return Triplets(columns, tuple(notes))
        else:
            chosen.append([(_other(documents, positives[query], rng), 0.0) for _ in range(negatives)])
    if lacking:
        instead = "their own positive (margin 0)" if scored else "documents of other queries, drawn once"
        notes.append(f"{lacking} of {len(own)} rows have no hard negative, and bring {instead}")
    for place in range(negatives):
        columns[f"negative_{place + 1}"] = [row[place][0] for row in chosen]
    if scored:
        columns["scores"] = [
            [teacher[0], *(score for _, score in row)] for teacher, row in zip(text.teacher, chosen, strict=True)
        ]
    return Triplets(columns, tuple(notes))


def _own(text: SourceText, row: int, positives: set[str]) -> list[tuple[str, float]]:
    """A row's hard negatives that count, each with its teacher score (0 where there is none)."""
    negatives = text.negatives[row] if text.negatives else ()
    scores = text.teacher[row][1:] if text.teacher else (0.0,) * len(negatives)
    return [pair for pair in zip(negatives, scores, strict=True) if pair[0] not in positives]


def _other(documents: Sequence[str], positives: set[str], rng: np.random.Generator) -> str:
    """A document that is no positive of the query; there must be one."""
    while (document := documents[int(rng.integers(len(documents)))]) in positives:
        pass
    return document
