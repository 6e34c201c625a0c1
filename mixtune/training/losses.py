"""Training losses over one batch of queries, their positive documents and hard negatives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """What a loss sees of n pairs of one source that came with m hard negatives.

    queries (n, dim) and documents (n + m, dim) are embeddings of length 1; documents are the positives of the n
    queries in their order, then the negatives. groups (n,) numbers the query texts, rows (n + m,) the document texts,
    owners (m,) gives the place of the query that each negative came with. weights (n,) multiply the pairs' losses.
    teacher (n + m,) are scores of each document for the query it came with. None stands for what the source lacks.
    """

    queries: Tensor
    documents: Tensor
    groups: Tensor
    rows: Tensor
    owners: Tensor | None = None
    weights: Tensor | None = None
    teacher: Tensor | None = None


@dataclass(frozen=True, slots=True)
class PairLosses:
    """Losses of n pairs, shape (n,), and the factors (n,) of their mean, None for equal ones."""

    values: Tensor
    weights: Tensor | None = None

    def mean(self) -> Tensor:
        """The weighted mean sum w l / sum w, 0 where no pair has weight."""
        if self.weights is None:
            return self.values.mean()
        least = torch.finfo(self.weights.dtype).tiny
        return (self.values * self.weights).sum() / self.weights.sum().clamp(min=least)


Loss: TypeAlias = Callable[[Batch, float], PairLosses]
"""(batch, temperature) -> losses of its pairs."""


def infonce(batch: Batch, temperature: float) -> PairLosses:
    """InfoNCE: cross-entropy of cosine / temperature over all documents of the batch, each pair's own being right.

    Hard negatives are candidates for every query of the batch, whichever it came with. A document that is another
    positive of a query (another pair of the same query in the batch has it), or its own positive once more, is not
    its negative. With nothing to mask this is sentence-transformers' MultipleNegativesRankingLoss with scale
    1 / temperature (arXiv 1705.00652, 1807.03748).
    """
    scores = batch.queries @ batch.documents.T / temperature
    span = batch.rows.max() + 1
    positives = batch.groups * span + batch.rows[: len(batch.groups)]
    known = torch.isin(batch.groups[:, None] * span + batch.rows[None, :], positives)
    scores = scores.masked_fill(known.fill_diagonal_(False), -torch.inf)
    target = torch.arange(len(scores), device=scores.device)
    return PairLosses(F.cross_entropy(scores, target, reduction="none"), batch.weights)


def margin_mse(batch: Batch, temperature: float) -> PairLosses:
    """Margin-MSE (arXiv 2010.02666, eq. 2): squared distance of the student's margin from the teacher's.

    A margin is the score of the positive minus that of a hard negative of the same pair; the student's score is
    cosine / temperature, the teacher's margins are taken as they are. A pair's loss is the mean over its negatives; a
    pair without any has weight 0. Other pairs' documents play no part.

    Raises:
        ValueError: the batch has no teacher scores.
    """
    if batch.teacher is None:
        raise ValueError("margin-mse needs teacher scores, and the batch has none")
    if batch.owners is None:
        none = 0.0 * batch.queries.sum(dim=1)
        return PairLosses(none, none.detach())
    size, owners = len(batch.queries), batch.owners
    right = (batch.queries * batch.documents[:size]).sum(dim=1)[owners]
    wrong = (batch.queries[owners] * batch.documents[size:]).sum(dim=1)
    margins = batch.teacher[:size][owners] - batch.teacher[size:]
    errors = ((right - wrong) / temperature - margins) ** 2
    counts = torch.bincount(owners, minlength=size)
    losses = torch.zeros(size, dtype=errors.dtype, device=errors.device).index_add(0, owners, errors) / counts.clamp(1)
    used = (counts > 0).to(losses.dtype)
    return PairLosses(losses, used if batch.weights is None else used * batch.weights)


LOSSES: dict[str, Loss] = {"infonce": infonce, "margin-mse": margin_mse}
"""Losses by the name that a study's proxy gives."""

NEED_TEACHER = frozenset({"margin-mse"})
"""Losses that need teacher scores and hard negatives; they compare no query with another pair's documents."""
