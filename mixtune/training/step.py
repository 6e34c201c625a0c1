"""One training step: the texts it embeds, its loss, and what it costs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mixtune.proxy import Proxy
from mixtune.training.losses import LOSSES, NEED_TEACHER, Batch
from mixtune.training.prepared import Floats, Pairs, Rows
from mixtune.training.proxy import ProxyModel
from mixtune.training.walk import Taken, loss_weights

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
    that each of them came with. weights (n,) are factors of the pairs' losses, None for equal ones.
    """

    pairs: Pairs
    rows: Rows
    negatives: Rows
    owners: Rows
    weights: Floats | None = None

    def texts(self) -> Rows:
        """Rows of the feature table to embed: queries, positives, negatives; shape (2 n + m,)."""
        pairs = self.pairs
        sides = [pairs.queries[self.rows], pairs.documents[self.rows]]
        return np.concatenate([*sides, pairs.negatives[self.negatives]] if len(self.negatives) else sides)

    def run(self, model: ProxyModel, settings: Proxy) -> StepResult:
        """The forward pass: the loss that the proxy's settings name, with gradient, and what else it shows."""
        pairs, rows, texts = self.pairs, self.rows, self.texts()
        embeddings = model.embed(texts)
        teacher = pairs.teacher
        if teacher.size:
            teacher = teacher[np.concatenate([rows, len(pairs.queries) + self.negatives])]

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
        )
        losses = LOSSES[settings.loss](batch, settings.temperature)
        similarity = (batch.queries.detach() * batch.documents[: len(rows)].detach()).sum(dim=1)
        return StepResult(losses.mean(), similarity.cpu().numpy(), losses.values.detach().cpu().numpy())

    def flops(self, model: ProxyModel, settings: Proxy) -> float:
        """Cost of `loss` and its gradient: texts as they are padded, dot products where all are compared."""
        encoding = model.train_flops(self.texts())
        if settings.loss in NEED_TEACHER:
            return encoding
        return encoding + 3 * model.flops.similarity(len(self.rows), len(self.rows) + len(self.negatives))


def step_of(pairs: Pairs, taken: Taken, most: int, seed: int, position: int) -> Step:
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
    """
    rows, weights = taken.rows, loss_weights(pairs.weights, taken)
    none = np.empty(0, dtype=np.int64)
    if taken.negatives is not None:
        owners = np.flatnonzero(taken.negatives >= 0)
        return Step(pairs, rows, taken.negatives[owners], owners, weights)
    if not most or not pairs.negatives.size:
        return Step(pairs, rows, none, none, weights)
    starts, counts = pairs.starts[rows], pairs.starts[rows + 1] - pairs.starts[rows]
    first = (np.random.default_rng([seed, _CHOICE, position]).random(len(rows)) * counts).astype(np.int64)
    used = np.minimum(counts, most)
    owners = np.repeat(np.arange(len(rows)), used)
    offset = np.arange(len(owners)) - np.repeat(np.cumsum(used) - used, used)
    return Step(pairs, rows, starts[owners] + (first[owners] + offset) % counts[owners], owners, weights)
