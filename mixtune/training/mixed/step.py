"""One step on a batch whose rows come from several sources: each example is told from its own negatives alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from mixtune.recipe import FloatArray
from mixtune.training.prepared import Floats, Pairs, Rows
from mixtune.training.walks.walk import Taken


@dataclass(frozen=True, slots=True)
class MixedStep:
    """A batch of B examples, as rows of the feature table.

    sources (B,) are positions of their sources in the study, in blocks: examples of one source stand together. queries
    and documents (B,) are the pairs, negatives (B, k) what each is told from, -1 where it has fewer. weights (B,) are
    row weights, the examples' weights in the mean of their losses besides those of their sources; scale (B,) multiplies
    the losses before that.
    """

    sources: Rows
    queries: Rows
    documents: Rows
    negatives: Rows
    weights: FloatArray
    scale: FloatArray

    def texts(self) -> Rows:
        """Rows of the feature table to embed: queries, positives, then the negatives example by example."""
        return np.concatenate([self.queries, self.documents, self.negatives[self.negatives >= 0]])

    def losses(self, embeddings: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """Loss and cosine of each example, two tensors of shape (B,), from the embeddings of `texts`.

        The loss is the cross-entropy of cosine / temperature over the example's own positive and its own negatives: no
        other document of the batch takes part (tDRO, arXiv 2408.10613). An example without any negative has loss 0.
        """
        size, there = len(self.queries), torch.from_numpy(self.negatives >= 0).to(embeddings.device)
        queries, documents = embeddings[:size], embeddings[size : 2 * size]
        owners = there.nonzero()[:, 0]
        cosine = (queries * documents).sum(dim=1)
        others = (queries[owners] * embeddings[2 * size :]).sum(dim=1)
        wrong = torch.full(there.shape, -torch.inf, dtype=cosine.dtype, device=cosine.device)
        wrong = wrong.masked_scatter(there, others)
        scores = torch.cat([cosine[:, None], wrong], dim=1) / temperature
        right = torch.zeros(size, dtype=torch.long, device=scores.device)
        return F.cross_entropy(scores, right, reduction="none"), cosine.detach()

    def blocks(self) -> list[tuple[int, npt.NDArray[np.int64]]]:
        """Position of each present source, and the places of its examples."""
        present, first = np.unique(self.sources, return_index=True)
        return [(int(source), np.flatnonzero(self.sources == source)) for source in present[np.argsort(first)]]

    def part(self, places: npt.NDArray[np.int64]) -> "MixedStep":
        """Some of the examples as a step of their own."""
        own = (self.sources[places], self.queries[places], self.documents[places], self.negatives[places])
        return MixedStep(*own, self.weights[places], self.scale[places])


def mixed_step(taken: Mapping[int, Taken], sources: Sequence[Pairs], negatives: Rows) -> MixedStep:
    """Put pairs taken from several sources into one step.

    Args:
        taken: by the source's place in the study.
        sources: the study's usable sources, in its order.
        negatives: rows of the feature table that each example is told from, shape (B, k).
    """
    parts = [(sources[place], some) for place, some in taken.items()]
    sizes = [len(some.rows) for _, some in parts]
    return MixedStep(
        sources=np.repeat(np.array(list(taken)), sizes),
        queries=np.concatenate([pairs.queries[some.rows] for pairs, some in parts]),
        documents=np.concatenate([pairs.documents[some.rows] for pairs, some in parts]),
        negatives=negatives,
        weights=_factors([pairs.weights[some.rows] if pairs.weights.size else None for pairs, some in parts], sizes),
        scale=_factors([some.weights for _, some in parts], sizes),
    )


def weighted_mean(step: MixedStep, losses: Tensor, weights: FloatArray) -> Tensor:
    """The loss of a step, sum_n w_n l_n, from the losses and weights of its examples, shape (B,) both.

    Row weights shift weight between the examples and leave its sum as it is; so weights in proportion to those of the
    sources and summing to 1 give sum w l / sum w. 0 where no example has weight.
    """
    both = weights * step.weights
    total = float(both.sum())
    shares = both * (float(weights.sum()) / total if total > 0 else 0.0) * step.scale
    return (losses * torch.from_numpy(shares).to(losses)).sum()


def _factors(parts: Sequence[Floats | None], sizes: Sequence[int]) -> FloatArray:
    """One array of what several sources have, 1 where one has nothing."""
    filled = [np.ones(size) if part is None else part for part, size in zip(parts, sizes, strict=True)]
    return np.concatenate(filled).astype(np.float64)
