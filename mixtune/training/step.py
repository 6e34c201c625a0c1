"""One training step: the texts it embeds, its loss, and what it costs."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mixtune.proxy import Proxy
from mixtune.training.losses import IN_BATCH, LOSSES, Batch, products
from mixtune.training.prepared import Floats, Pairs, Rows
from mixtune.training.proxy import ProxyModel
from mixtune.training.teaching.teachers import NO_TEACHING, Teaching
from mixtune.training.walks.walk import Taken

_CHOICE = 0x6E6567
"""Part of the seed of the choice of negatives (RecipeDraw takes 0 and the sources' positions)."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a forward pass showed: the loss with its gradient, and of each pair its cosine and its loss, shape (n,)."""

    loss: Tensor
    similarity: Floats
    losses: Floats


@dataclass(frozen=True, slots=True)
class Step:
    """A batch of one source's pairs with the hard negatives that take part.

    rows (n,) are pair numbers, negatives (m,) places in pairs.negatives, owners (m,) the place in rows of the pair
    that each of them came with. weights (n,) are the weights of the pairs in the mean of their losses, None for equal
    ones; scale (n,) multiplies the losses before that, None for 1. teaching gives the in-batch teacher, and brings the
    margins of teachers to the spread of the student's.
    """

    pairs: Pairs
    rows: Rows
    negatives: Rows
    owners: Rows
    weights: Floats | None = None
    scale: Floats | None = None
    teaching: Teaching = NO_TEACHING

    def texts(self) -> Rows:
        """Rows of the feature table to embed: queries, positives, negatives; shape (2 n + m,)."""
        pairs = self.pairs
        sides = [pairs.queries[self.rows], pairs.documents[self.rows]]
        return np.concatenate([*sides, pairs.negatives[self.negatives]] if len(self.negatives) else sides)

    def run(self, model: ProxyModel, settings: Proxy) -> StepResult:
        """The forward pass: the loss that the proxy's settings name, with gradient, and what else it shows."""
        pairs, rows, texts = self.pairs, self.rows, self.texts()
        embeddings = model.embed(texts)
        teacher, spread = pairs.teacher, self.teaching.spread
        if teacher.size:
            teacher = teacher[np.concatenate([rows, len(pairs.queries) + self.negatives])]
            teacher = teacher / np.float32(1.0 if spread is None else spread.divisor(settings.temperature))

        def tensor(array: npt.NDArray[Any]) -> Tensor:
            return torch.from_numpy(array).to(model.device)

        batch = Batch(
            queries=embeddings[: len(rows)],
            documents=embeddings[len(rows) :],
            groups=tensor(pairs.groups[rows]),
            rows=tensor(texts[len(rows) :]),
            owners=tensor(self.owners) if len(self.owners) else None,
            weights=None if self.weights is None else tensor(self.weights),
            teacher=tensor(teacher) if teacher.size else None,
            batch_teacher=self._batch_teacher(texts, settings, model.device),
        )
        losses = LOSSES[settings.loss](batch, settings.temperature)
        similarity = (batch.queries.detach() * batch.documents[: len(rows)].detach()).sum(dim=1)
        scaled = losses if self.scale is None else replace(losses, values=losses.values * tensor(self.scale))
        return StepResult(scaled.mean(), similarity.cpu().numpy(), losses.values.detach().cpu().numpy())

    def flops(self, model: ProxyModel, settings: Proxy) -> float:
        """Cost of `run` and its gradient: texts as they are padded, dot products where all are compared.

        Those of an in-batch teacher's embeddings are part of it. The scores of a cross-encoder are not: they are
        computed once for all trials, as what preparation computes is.
        """
        encoding = model.train_flops(self.texts())
        size = len(self.rows)
        if not products(settings.loss, size):
            return encoding
        taught = 0.0 if self.teaching.batch is None else self.teaching.batch.flops(size, size + len(self.negatives))
        return encoding + 3 * model.flops.similarity(size, size + len(self.negatives)) + taught

    def _batch_teacher(self, texts: Rows, settings: Proxy, device: torch.device) -> Tensor | None:
        """What the in-batch teacher thinks of all documents, shape (n, n + m), as losses take it; None if none asks."""
        size, teaching = len(self.rows), self.teaching
        if teaching.batch is None or settings.loss not in IN_BATCH:
            return None
        if not products(settings.loss, size):
            return torch.zeros(size, len(texts) - size, device=device)
        spread = teaching.batch_spread
        scores = teaching.batch.scores(texts[:size], texts[size:])
        return scores.to(device) / (1.0 if spread is None else spread.divisor(settings.temperature))


def step_of(pairs: Pairs, taken: Taken, most: int, seed: int, position: int, teaching: Teaching = NO_TEACHING) -> Step:
    """A step on pairs of a source; each brings `most` of its hard negatives, or all where it has fewer.

    They are neighbours in the pair's own list, taken as a ring, from a start that (seed, position) decides: over many
    steps all are used alike, and a run that stops and goes on chooses as one that never stopped. Where the walk has
    chosen a negative for each pair, it is that one.

    Args:
        pairs: the source.
        taken: pair numbers, shape (n,), and what the walk says of them.
        most: hard negatives per pair.
        seed: of the run.
        position: steps that the schedule has advanced.
        teaching: of the study.
    """
    rows, weights = taken.rows, pairs.weights[taken.rows] if pairs.weights.size else None
    none = np.empty(0, dtype=np.int64)
    if taken.negatives is not None:
        owners = np.flatnonzero(taken.negatives >= 0)
        return Step(pairs, rows, taken.negatives[owners], owners, weights, taken.weights, teaching)
    if not most or not pairs.negatives.size:
        return Step(pairs, rows, none, none, weights, taken.weights, teaching)
    starts, counts = pairs.starts[rows], pairs.starts[rows + 1] - pairs.starts[rows]
    first = (np.random.default_rng([seed, _CHOICE, position]).random(len(rows)) * counts).astype(np.int64)
    used = np.minimum(counts, most)
    owners = np.repeat(np.arange(len(rows)), used)
    offset = np.arange(len(owners)) - np.repeat(np.cumsum(used) - used, used)
    chosen = starts[owners] + (first[owners] + offset) % counts[owners]
    return Step(pairs, rows, chosen, owners, weights, taken.weights, teaching)
