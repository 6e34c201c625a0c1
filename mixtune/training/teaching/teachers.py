"""Teachers at work: what they score is named by addresses of texts, and computed once for all studies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mixtune.errors import DataError
from mixtune.proxy import Proxy
from mixtune.teacher import Teacher
from mixtune.training.base import Progress
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.encoding.models import resolve
from mixtune.training.prepared import Floats, Prepared, Rows, Spread
from mixtune.training.proxy import open_proxy
from mixtune.training.teaching.crossencoder import CrossEncoderTeacher

SCALE = 20.0
"""What the cosine of a sentence-transformer teacher is multiplied with: the usual scale (ours)."""


class TeacherModel(Protocol):
    """Scores documents for queries, both by address (see textlog.digest). Opening one loads nothing.

    flops counts what was computed by this object, and was not found in the cache.
    """

    flops: float

    def learn(self, texts: Sequence[str], progress: Progress, *, lasting: bool) -> None:
        """Know texts by their addresses, for this process or (lasting) for all that come."""
        ...

    def knows(self, addresses: Sequence[bytes]) -> bool:
        """Whether pairs of these texts can be scored in another process."""
        ...

    def scores(self, queries: Sequence[bytes], documents: Sequence[bytes], progress: Progress) -> Floats:
        """Score of each document for the query beside it, shape (n,). Raises DataError for an unknown text."""
        ...

    def matrix(self, queries: Sequence[bytes], documents: Sequence[bytes]) -> Tensor:
        """Score of every document for every query, shape (queries, documents). Raises DataError likewise."""
        ...

    def matrix_flops(self, queries: int, documents: int) -> float:
        """What `matrix` costs each time."""
        ...


class EmbeddingTeacher:
    """A SentenceTransformer: 20 times the cosine of its embeddings, which stand in a feature table of its own.

    Args:
        table: the table of the teacher.
        settings: the proxy, whose max_length and precision are those of the table.
    """

    def __init__(self, table: FeatureTable, settings: Proxy) -> None:
        self._table = table
        self._settings = settings
        self.flops = 0.0

    def learn(self, texts: Sequence[str], progress: Progress, *, lasting: bool) -> None:
        """Embed the texts that are new; all of them last."""
        rows, _ = self._table.add(texts, progress)
        missing = np.unique(rows[~self._table.have(rows)])
        if len(missing):
            self._table.embed(missing, progress)
            whole = Proxy("all", max_length=self._settings.max_length, precision=self._settings.precision)
            self.flops += open_proxy(str(self._table.model.path), whole, self._table).encode_flops(missing)

    def knows(self, addresses: Sequence[bytes]) -> bool:
        """Whether all are embedded."""
        rows = self._table.rows_of(addresses)
        return bool((rows >= 0).all() and self._table.have(rows).all())

    def scores(self, queries: Sequence[bytes], documents: Sequence[bytes], progress: Progress) -> Floats:
        """20 times the cosine of each document with the query beside it, shape (n,)."""
        embeddings, found = self._table.embeddings, np.empty(len(queries), dtype=np.float32)
        left, right = self._rows(queries), self._rows(documents)
        for start in range(0, len(found), 65536):
            some = slice(start, start + 65536)
            found[some] = SCALE * np.einsum("nd,nd->n", embeddings[left[some]], embeddings[right[some]])
        return found

    def matrix(self, queries: Sequence[bytes], documents: Sequence[bytes]) -> Tensor:
        """20 times the cosine of every document with every query, shape (queries, documents)."""
        left, right = (
            torch.from_numpy(self._table.embeddings[self._rows(addresses)]) for addresses in (queries, documents)
        )
        return SCALE * (left @ right.T)

    def matrix_flops(self, queries: int, documents: int) -> float:
        """Two operations for each number of an embedding and each product."""
        return 2.0 * queries * documents * int(self._table.embeddings.shape[1])

    def _rows(self, addresses: Sequence[bytes]) -> Rows:
        rows = self._table.rows_of(addresses)
        if (rows < 0).any():
            raise DataError(
                f"{int((rows < 0).sum())} texts are unknown to teacher {self._table.model.name!r}: prepare the study on"
                " this machine first"
            )
        return rows


def open_teacher(teacher: Teacher, root: Path, settings: Proxy) -> TeacherModel:
    """Open a teacher of a study, without loading it.

    Args:
        teacher: which.
        root: cache root.
        settings: the proxy; its max_length and precision hold for a sentence-transformer teacher too.

    Raises:
        ModelError: the model is not there.
    """
    model = resolve(teacher.model)
    if teacher.kind == "cross-encoder":
        return CrossEncoderTeacher(model, root)
    table = FeatureTable(root, model, max_length=settings.max_length, precision=settings.precision)
    return EmbeddingTeacher(table, settings)


@dataclass(frozen=True, slots=True)
class BatchTeacher:
    """The in-batch teacher of a run: it scores rows of the student's feature table."""

    model: TeacherModel
    table: FeatureTable

    def scores(self, queries: Rows, documents: Rows) -> Tensor:
        """Score of every document for every query, shape (queries, documents)."""
        return self.model.matrix(self.table.addresses(queries), self.table.addresses(documents))

    def flops(self, queries: int, documents: int) -> float:
        """What `scores` costs each time."""
        return self.model.matrix_flops(queries, documents)


@dataclass(frozen=True, slots=True)
class Teaching:
    """What a run's losses learn from besides labels: see Prepared for the spreads. None of it where nobody teaches.

    Without a spread margins are taken as they are.
    """

    spread: Spread | None = None
    batch: BatchTeacher | None = None
    batch_spread: Spread | None = None


NO_TEACHING = Teaching()


def open_teaching(prepared: Prepared, settings: Proxy, table: FeatureTable, root: Path) -> Teaching:
    """What the runs of a prepared study learn from; nothing is loaded yet.

    Raises:
        ModelError: the in-batch teacher is not there.
    """
    batch = None
    if settings.batch_teacher is not None:
        batch = BatchTeacher(open_teacher(settings.batch_teacher, root, settings), table)
    if settings.teacher_scale == "raw":
        return Teaching(batch=batch)
    return Teaching(prepared.spread, batch, prepared.batch_spread)
