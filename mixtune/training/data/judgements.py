"""Judged queries and a corpus, by their ids, as training pairs and retrieval tasks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mixtune.errors import DataError
from mixtune.training.data.texts import JudgedQueries, SourceText, TargetText

Texts = Mapping[str, str]
Judgements = dict[str, dict[str, float]]
"""Query id -> document id -> grade."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Queries and corpus by id, and how to get the judgements of a split. The names are for messages."""

    queries: Texts
    corpus: Texts
    judgements: Callable[[str], Judgements]
    judgements_name: Callable[[str], str]
    queries_name: str
    corpus_name: str


def pairs_of(collection: Collection, split: str) -> SourceText:
    """One row per positive judgement of the split, in the order of the judgements.

    Raises:
        DataError: judgements point at texts that are not there.
    """
    queries, corpus = collection.queries, collection.corpus
    judgements = _checked(collection, split)
    rows = [(key, doc) for key, judged in judgements.items() for doc, grade in judged.items() if grade > 0]
    whole = [(key, doc) for key, doc in rows if queries[key] and corpus[doc]]
    return SourceText(
        tuple(queries[key] for key, _ in whole),
        tuple(corpus[doc] for _, doc in whole),
        tuple(key for key, _ in whole),
        dropped=len(rows) - len(whole),
    )


def task_of(collection: Collection, dev: str, test: str) -> TargetText:
    """The whole corpus with the judged queries of both splits.

    Raises:
        DataError: judgements point at texts that are not there, or a split has no query with a positive judgement.
    """
    position = {doc: i for i, doc in enumerate(collection.corpus)}

    def judged(split: str) -> JudgedQueries:
        judgements = _checked(collection, split)
        usable = {key: one for key, one in judgements.items() if any(grade > 0 for grade in one.values())}
        if not usable:
            raise DataError(
                f"{collection.judgements_name(split)} judges no document of any query as relevant (score > 0):"
                " a target needs judged queries in both of its splits"
            )
        return JudgedQueries(
            tuple(collection.queries[key] for key in usable),
            tuple({position[doc]: grade for doc, grade in one.items()} for one in usable.values()),
        )

    return TargetText(tuple(collection.corpus.values()), judged(dev), judged(test))


def add(found: Judgements, key: str, doc: str, grade: float, where: str) -> None:
    """Add one judgement; the same one may stand there twice.

    Raises:
        DataError: it was graded otherwise before.
    """
    before = found.setdefault(key, {}).setdefault(doc, grade)
    if before != grade:
        raise DataError(
            f"{where}: document {doc!r} of query {key!r} is judged twice, {before:g} and {grade:g}: keep one of them"
        )


def _checked(collection: Collection, split: str) -> Judgements:
    judgements = collection.judgements(split)
    lost_queries = [key for key in judgements if key not in collection.queries]
    lost = [doc for judged in judgements.values() for doc in judged if doc not in collection.corpus]
    for missing, what, name in (
        (lost_queries, "queries", collection.queries_name),
        (lost, "documents", collection.corpus_name),
    ):
        if missing:
            raise DataError(
                f"{collection.judgements_name(split)} points at {len(missing)} {what} that {name} does not hold, first"
                f" {missing[0]!r}: ids must match exactly"
            )
    return judgements
