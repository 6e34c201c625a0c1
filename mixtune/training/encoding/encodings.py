"""Embeddings of texts at one moment of a model, each computed once."""

import numpy as np

from mixtune.training.encoding.embedder import Embedder
from mixtune.training.prepared import Floats, Pairs, Rows

PAIRS_AT_ONCE = 1 << 16
"""Pairs whose embeddings are held together when a whole source is encoded."""


class Encodings:
    """Encodes a text when it is first asked for, and remembers it.

    Only as long as the model's parameters stay what they are: nothing here notices a training step. flops counts what
    was really encoded. Texts go to the model in the order asked for, so equal questions to equal models in the same
    order give equal embeddings bit for bit.
    """

    def __init__(self, model: Embedder) -> None:
        self.model = model
        self.flops = 0.0
        self._held: list[tuple[Rows, Rows, Floats]] = []

    def of(self, rows: Rows) -> Floats:
        """Embeddings of texts by their rows in the feature table, in any order: (len(rows), dim), normalised."""
        embeddings = np.empty((len(rows), self.model.flops.dim), dtype=np.float32)
        missing = np.arange(len(rows))
        for held, place, known in self._held:
            at = np.minimum(np.searchsorted(held, rows[missing]), len(held) - 1)
            there = held[at] == rows[missing]
            embeddings[missing[there]] = known[place[at[there]]]
            missing = missing[~there]
        if len(missing):
            new, which = distinct(rows[missing])
            fresh = self.model.encode(new)
            self.flops += self.model.encode_flops(new)
            place = np.argsort(new)
            self._held.append((new[place], place, fresh))
            embeddings[missing] = fresh[which]
        return embeddings


def distinct(rows: Rows) -> tuple[Rows, Rows]:
    """The distinct rows in the order of their first appearance, and where each of the rows stands among them."""
    _, first, which = np.unique(rows, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return rows[first[order]], place[which]


def cosines(model: Embedder, pairs: Pairs, rows: Rows) -> tuple[Floats, float]:
    """Present cosine of pairs by their numbers, shape (len(rows),), in evaluation mode, and what that cost.

    A text is encoded once among PAIRS_AT_ONCE pairs: memory does not grow with the source.
    """
    found, flops = np.empty(len(rows), dtype=np.float32), model.flops.similarity(len(rows), 1)
    for start in range(0, len(rows), PAIRS_AT_ONCE):
        part = rows[start : start + PAIRS_AT_ONCE]
        encodings = Encodings(model)
        queries, documents = encodings.of(pairs.queries[part]), encodings.of(pairs.documents[part])
        found[start : start + len(part)] = (queries * documents).sum(axis=1)
        flops += encodings.flops
    return found, flops
