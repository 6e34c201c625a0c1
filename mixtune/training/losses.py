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
    teacher (n + m,) are scores of each document for the query it came with, batch_teacher (n, n + m) those of each
    document for each query; both on the student's scale, cosine / temperature. None stands for what is lacking.
    """

    queries: Tensor
    documents: Tensor
    groups: Tensor
    rows: Tensor
    owners: Tensor | None = None
    weights: Tensor | None = None
    teacher: Tensor | None = None
    batch_teacher: Tensor | None = None


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
    its negative. Where there is an in-batch teacher, nor is a document that it scores higher for the query than the
    query's own positive (ours: batches of one topic hold more false negatives). With nothing to mask this is
    sentence-transformers' MultipleNegativesRankingLoss with scale 1 / temperature (arXiv 1705.00652, 1807.03748).
    """
    scores = batch.queries @ batch.documents.T / temperature
    span = batch.rows.max() + 1
    positives = batch.groups * span + batch.rows[: len(batch.groups)]
    known = torch.isin(batch.groups[:, None] * span + batch.rows[None, :], positives)
    if batch.batch_teacher is not None:
        known |= batch.batch_teacher > batch.batch_teacher.diagonal()[:, None]
    scores = scores.masked_fill(known.fill_diagonal_(False), -torch.inf)
    target = torch.arange(len(scores), device=scores.device)
    return PairLosses(F.cross_entropy(scores, target, reduction="none"), batch.weights)


def margin_mse(batch: Batch, temperature: float) -> PairLosses:
    """Margin-MSE (arXiv 2010.02666, eq. 2): squared distance of the student's margin from the teacher's.

    A margin is the score of the positive minus that of a hard negative of the same pair; the student's score is
    cosine / temperature, and the teacher's stand on its scale already (see Spread). A pair's loss is the mean over its
    negatives; a pair without any has weight 0. Other pairs' documents play no part.

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


def in_batch(batch: Batch, temperature: float) -> PairLosses:
    """L_inb of TAS-B (arXiv 2104.06967): margins of all documents of a batch against those of an in-batch teacher C.

    L_inb = 1/2 [ mean over i != j of ((s(q_i, p_i) - s(q_i, p_j)) - (C(q_i, p_i) - C(q_i, p_j)))^2 + the same with
    the negatives n_j ], the student's s being cosine / temperature. A pair's loss is the mean over its own row i; with
    equally many negatives per pair the mean of these is the mean over i and j. Where no other pair brings a negative,
    the first half counts whole (ours). A batch of fewer than 2 pairs has no i != j: its weight is 0.

    Raises:
        ValueError: the batch has no in-batch teacher's scores.
    """
    if batch.batch_teacher is None:
        raise ValueError("in-batch needs the scores of an in-batch teacher, and the batch has none")
    size = len(batch.queries)
    if size < 2:
        none = 0.0 * batch.queries.sum(dim=1)
        return PairLosses(none, none.detach())
    scores = batch.queries @ batch.documents.T / temperature
    own = torch.arange(size, device=scores.device)
    margins = scores.diagonal()[:, None] - scores
    taught = batch.batch_teacher.diagonal()[:, None] - batch.batch_teacher
    errors = (margins - taught) ** 2
    owners = own if batch.owners is None else torch.cat([own, batch.owners])
    others = (owners[None, :] != own[:, None]).to(errors.dtype)
    halves, present = [], []
    for side in (slice(0, size), slice(size, None)):
        counts = others[:, side].sum(dim=1)
        halves.append((errors[:, side] * others[:, side]).sum(dim=1) / counts.clamp(min=1))
        present.append((counts > 0).to(errors.dtype))
    return PairLosses((halves[0] + halves[1]) / (present[0] + present[1]), batch.weights)


def dual(batch: Batch, temperature: float) -> PairLosses:
    """L_pair + 0.75 L_inb, the dual supervision of TAS-B (arXiv 2104.06967): `margin_mse` and `in_batch`.

    The mean of these losses is the sum of the two means, also where pairs without a hard negative have no part in the
    first. A batch of fewer than 2 pairs has L_pair alone.

    Raises:
        ValueError: the batch has no teacher scores, or none of an in-batch teacher.
    """
    pair, other = margin_mse(batch, temperature), in_batch(batch, temperature)
    if len(batch.queries) < 2:
        return pair
    weights = torch.ones_like(pair.values) if batch.weights is None else batch.weights
    part = weights if pair.weights is None else pair.weights
    total = part.sum()
    share = part / weights.clamp(min=torch.finfo(weights.dtype).tiny) * weights.sum() / total.where(total > 0, 1.0)
    return PairLosses(pair.values * share + IN_BATCH_SHARE * other.values, batch.weights)


IN_BATCH_SHARE = 0.75
"""Factor of L_inb in `dual` (the paper's)."""

LOSSES: dict[str, Loss] = {"dual": dual, "in-batch": in_batch, "infonce": infonce, "margin-mse": margin_mse}
"""Losses by the name that a study's proxy gives."""

NEED_TEACHER = frozenset({"dual", "margin-mse"})
"""Losses that need a teacher's scores of each pair's positive and hard negatives."""

NEED_BATCH_TEACHER = frozenset({"dual", "in-batch"})
"""Losses that need an in-batch teacher."""

IN_BATCH = frozenset({"dual", "in-batch", "infonce"})
"""Losses that compare each query with all documents of the batch, and make use of an in-batch teacher."""


def products(loss: str, pairs: int) -> bool:
    """Whether the loss of so many pairs multiplies every query with every document of its batch."""
    return loss in IN_BATCH and (loss == "infonce" or pairs > 1)
