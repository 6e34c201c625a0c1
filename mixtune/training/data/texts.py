"""Sources and targets as text: what readers hand over."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from mixtune.prompts import Prompts


@dataclass(frozen=True, slots=True)
class SourceText:
    """(query, positive) pairs, aligned. keys name each row's query; rows of one query share its key.

    dropped counts pairs that the reader left out because one of the texts is empty. The other fields are empty where
    the data has none of it, else one entry per row: negatives the row's own hard negatives (any number), weights what
    the row's loss is multiplied with, teacher the scores of a teacher for the positive and then for each negative.

    notes say what else a person should know about how the rows came about; revision is the commit of the hub's data
    set, or the version of the installed distribution, that they were read from. Neither is part of the hash.
    """

    queries: tuple[str, ...]
    documents: tuple[str, ...]
    keys: tuple[str, ...]
    dropped: int = 0
    negatives: tuple[tuple[str, ...], ...] = ()
    weights: tuple[float, ...] = ()
    teacher: tuple[tuple[float, ...], ...] = ()
    notes: tuple[str, ...] = ()
    revision: str | None = None

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def sha256(self) -> str:
        """Hash of all rows in order."""
        more = [repr(each) for each in (self.negatives, self.weights, self.teacher) if each]
        return content_hash((*self.queries, *self.documents, *self.keys, *more))

    def take(self, rows: Iterable[int]) -> "SourceText":
        """These rows, in the order given."""
        rows = list(rows)
        return SourceText(
            tuple(self.queries[row] for row in rows),
            tuple(self.documents[row] for row in rows),
            tuple(self.keys[row] for row in rows),
            self.dropped,
            tuple(self.negatives[row] for row in rows) if self.negatives else (),
            tuple(self.weights[row] for row in rows) if self.weights else (),
            tuple(self.teacher[row] for row in rows) if self.teacher else (),
            self.notes,
            self.revision,
        )

    def without(self, rows: Collection[int]) -> "SourceText":
        """All rows but these."""
        gone = frozenset(rows)
        return self.take(row for row in range(len(self)) if row not in gone)

    def prompted(self, prompts: Prompts) -> "SourceText":
        """The same rows with the prompts before their texts; keys stay as they are."""
        if prompts == Prompts():
            return self
        return replace(
            self,
            queries=tuple(prompts.query + text for text in self.queries),
            documents=tuple(prompts.document + text for text in self.documents),
            negatives=tuple(tuple(prompts.document + text for text in own) for own in self.negatives),
        )


@dataclass(frozen=True, slots=True)
class JudgedQueries:
    """Queries of one split; judgements map positions in the corpus to grades (> 0 is relevant).

    Every query has at least one relevant document.
    """

    queries: tuple[str, ...]
    judgements: tuple[Mapping[int, float], ...]


@dataclass(frozen=True, slots=True)
class TargetText:
    """A retrieval task: corpus, and the judged queries of its dev and test splits."""

    corpus: tuple[str, ...]
    dev: JudgedQueries
    test: JudgedQueries

    @property
    def sha256(self) -> str:
        """Hash of corpus, queries and judgements."""
        judged = (repr([sorted(one.items()) for one in split.judgements]) for split in (self.dev, self.test))
        return content_hash((*self.corpus, *self.dev.queries, *self.test.queries, *judged))

    def prompted(self, prompts: Prompts) -> "TargetText":
        """The same task with the prompts before its texts."""
        if prompts == Prompts():
            return self
        dev, test = (
            replace(split, queries=tuple(prompts.query + text for text in split.queries))
            for split in (self.dev, self.test)
        )
        return TargetText(tuple(prompts.document + text for text in self.corpus), dev, test)


def tidy(text: str) -> str:
    """Text as mixtune keeps it: runs of white space are one space, and half surrogate pairs are replaced."""
    joined = " ".join(text.split())
    return joined if joined.isascii() else joined.encode("utf-8", "replace").decode()


def content_hash(texts: Iterable[str]) -> str:
    """sha256 over texts in order; where one ends and the next begins counts."""
    total = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        total.update(len(data).to_bytes(8, "little"))
        total.update(data)
    return total.hexdigest()
