"""Training losses over one batch of (query, positive document) pairs."""

from collections.abc import Callable
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]
"""(queries (B, dim), documents (B, dim), groups (B,), document rows (B,), temperature) -> scalar."""


def infonce(queries: Tensor, documents: Tensor, groups: Tensor, rows: Tensor, temperature: float) -> Tensor:
    """InfoNCE over in-batch negatives: cross-entropy of cosine / temperature, each pair's own document being right.

    Embeddings are normalised. Two pairs of the same query (equal group) or of the same document (equal row) are not
    each other's negatives. With nothing to mask this is sentence-transformers' MultipleNegativesRankingLoss with
    scale 1 / temperature (arXiv 1705.00652, 1807.03748).
    """
    scores = queries @ documents.T / temperature
    same = (groups[:, None] == groups[None, :]) | (rows[:, None] == rows[None, :])
    same.fill_diagonal_(False)
    return F.cross_entropy(scores.masked_fill(same, -torch.inf), torch.arange(len(scores), device=scores.device))


LOSSES: dict[str, Loss] = {"infonce": infonce}
"""Losses by the name that a study's proxy gives."""
