"""What teachers say of a study's pairs, computed at preparation: scores, and how widely margins spread."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mixtune.proxy import Proxy
from mixtune.training.base import Progress
from mixtune.training.data.texts import SourceText
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.prepared import Floats, Pairs, Rows, Spread
from mixtune.training.teaching.teachers import TeacherModel, open_teacher

BATCH_MARGINS = 1000
"""Margins between positives of different queries from which an in-batch teacher's spread is told (ours)."""

_DRAW = 0x74617567
_AT_ONCE = 1 << 16
_SCORED_AT_ONCE = 1 << 18


@dataclass(frozen=True, slots=True)
class Teachers:
    """The teachers of a study, None where it has none: that of pairs, and the in-batch teacher."""

    pair: TeacherModel | None = None
    batch: TeacherModel | None = None

    @property
    def flops(self) -> float:
        """What they computed since they were opened."""
        return sum(teacher.flops for teacher in {id(each): each for each in (self.pair, self.batch) if each}.values())

    def teach(
        self, texts: Mapping[str, SourceText], pairs: Mapping[str, Pairs], table: FeatureTable, progress: Progress
    ) -> dict[str, Pairs]:
        """Let the in-batch teacher know all texts, and the other one score the pairs; the sources with its scores.

        Args:
            texts: of the sources, with all their hard negatives.
            pairs: of the sources.
            table: the student's feature table.
            progress: told what is being done.
        """
        for name, text in texts.items():
            every = [*text.queries, *text.documents, *(each for own in text.negatives for each in own)]
            if self.pair is not None and pairs[name].negatives.size:
                self.pair.learn(every, progress, lasting=False)
            if self.batch is not None:
                self.batch.learn(every, progress, lasting=True)
        if self.pair is None:
            return dict(pairs)
        return {name: taught(each, table, self.pair, progress) for name, each in pairs.items()}


def open_teachers(settings: Proxy, root: Path) -> Teachers:
    """Open the teachers that a proxy names; one that is named twice is one.

    Raises:
        ModelError: a model is not there.
    """
    named = (settings.teacher, settings.batch_teacher)
    opened = {teacher: open_teacher(teacher, root, settings) for teacher in named if teacher is not None}
    pair, batch = (None if teacher is None else opened[teacher] for teacher in named)
    return Teachers(pair, batch)


def taught(pairs: Pairs, table: FeatureTable, teacher: TeacherModel, progress: Progress) -> Pairs:
    """Pairs with a teacher's scores of all positives and hard negatives; without any where there are no negatives."""
    if not pairs.negatives.size:
        return replace(pairs, teacher=np.empty(0, dtype=np.float32))
    queries = np.concatenate([pairs.queries, pairs.queries[_owners(pairs)]])
    documents = np.concatenate([pairs.documents, pairs.negatives])
    scores = np.empty(len(queries), dtype=np.float32)
    for start in range(0, len(queries), _SCORED_AT_ONCE):
        some = slice(start, start + _SCORED_AT_ONCE)
        scores[some] = teacher.scores(table.addresses(queries[some]), table.addresses(documents[some]), progress)
    return replace(pairs, teacher=scores)


def pair_spread(sources: Iterable[Pairs], embeddings: Floats) -> Spread | None:
    """Spread of the margins between positives and their own hard negatives, over all sources with a teacher's scores.

    None where no source has any.

    Args:
        sources: with their teacher's scores.
        embeddings: the base model's, of every row.
    """
    margins, cosines = [], []
    for pairs in sources:
        if not (pairs.teacher.size and pairs.negatives.size):
            continue
        owners = _owners(pairs)
        margins.append(pairs.teacher[owners].astype(np.float64) - pairs.teacher[len(pairs.queries) :])
        wrong = _cosine(embeddings, pairs.queries[owners], pairs.negatives)
        cosines.append(_cosine(embeddings, pairs.queries, pairs.documents)[owners] - wrong)
    return Spread(_std(margins), _std(cosines)) if margins else None


def batch_spread(sources: Iterable[Pairs], table: FeatureTable, teacher: TeacherModel, progress: Progress) -> Spread:
    """Spread of an in-batch teacher's margins: a query's positive against the positive of another query of its source.

    From about 1,000 such margins, equally many of each source, drawn by a fixed seed. (That the spread is told from a
    sample is ours.)
    """
    sources = list(sources)
    each = -(-BATCH_MARGINS // len(sources))
    margins, cosines = [], []
    for place, pairs in enumerate(sources):
        own, other = np.random.default_rng([_DRAW, place]).integers(len(pairs.queries), size=(2, each))
        apart = pairs.groups[own] != pairs.groups[other]
        queries, right, wrong = (
            rows[chosen[apart]]
            for rows, chosen in ((pairs.queries, own), (pairs.documents, own), (pairs.documents, other))
        )
        names = table.addresses(np.concatenate([queries, queries]))
        scores = teacher.scores(names, table.addresses(np.concatenate([right, wrong])), progress).astype(np.float64)
        margins.append(scores[: len(queries)] - scores[len(queries) :])
        embeddings = table.embeddings
        cosines.append(_cosine(embeddings, queries, right) - _cosine(embeddings, queries, wrong))
    return Spread(_std(margins), _std(cosines))


def _owners(pairs: Pairs) -> Rows:
    """The pair that each hard negative came with."""
    return np.repeat(np.arange(len(pairs.queries)), np.diff(pairs.starts))


def _cosine(embeddings: Floats, queries: Rows, documents: Rows) -> npt.NDArray[np.float64]:
    found = np.empty(len(queries))
    for start in range(0, len(queries), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        found[some] = np.einsum("nd,nd->n", embeddings[queries[some]], embeddings[documents[some]])
    return found


def _std(parts: list[npt.NDArray[np.float64]]) -> float:
    whole = np.concatenate(parts)
    return float(whole.std()) if len(whole) else 0.0
