"""The dev loss: how well queries tell their positives from a fixed pool of documents."""

import numpy as np
import numpy.typing as npt
import torch

from mixtune.errors import DataError
from mixtune.recipe import FloatArray
from mixtune.training.prepared import Floats, PreparedTarget


class DevPool:
    """Some dev queries of a target, and the documents that their loss needs.

    The loss of a query is the cross-entropy of cosine / temperature over one of its positives and the shared sampled
    documents that are not its positives, averaged over its positives. Queries, pool and positives are the same at
    every call, so that differences between two models are paired. (The form of the loss is ours.)

    queries (q,) and documents (u,) are rows of the feature table; used (q,) and positions (u,) say where they stand
    in dev.queries and dev.documents.

    Args:
        name: the target, for messages.
        target: the target.
        marked: which dev queries take part, shape (q_dev,); those without a positive never do.

    Raises:
        DataError: fewer than 2 usable queries, which give no standard error.
    """

    def __init__(self, name: str, target: PreparedTarget, marked: npt.NDArray[np.bool_]) -> None:
        split = target.dev
        owners = np.repeat(np.arange(len(split.queries)), np.diff(split.starts))
        positive = (split.grades > 0) & marked[owners]
        owners, judged = owners[positive], split.judged[positive]
        self.used, self._owners, counts = np.unique(owners, return_inverse=True, return_counts=True)
        if len(self.used) < 2:
            raise DataError(
                f"target {name!r} has {len(self.used)} dev queries with a positive for the dev loss, at least 2 are"
                " needed: give it more dev queries"
            )
        self.positions, where = np.unique(np.concatenate([target.negatives, judged]), return_inverse=True)
        self._negatives, self._positives = where[: len(target.negatives)], where[len(target.negatives) :]
        self._share = 1.0 / counts[self._owners]
        self.queries = split.queries[self.used]
        self.documents = split.documents[self.positions]
        self._own = np.zeros((len(self.used), len(self.positions)), dtype=bool)
        self._own[self._owners, self._positives] = True
        self._own = self._own[:, self._negatives]

    def losses(self, queries: Floats, documents: Floats, temperature: float) -> FloatArray:
        """Loss per query, shape (q,), reduced in float64; not finite where an embedding is not.

        Args:
            queries: embeddings of self.queries, shape (q, dim), normalised.
            documents: embeddings of self.documents, shape (u, dim), normalised.
            temperature: what cosines are divided by.
        """
        q = torch.from_numpy(queries).double() / temperature
        d = torch.from_numpy(documents).double()
        others = (q @ d[self._negatives].T).masked_fill(torch.from_numpy(self._own), -torch.inf)
        rest = torch.logsumexp(others, dim=1)[self._owners]
        positives = (q[self._owners] * d[self._positives]).sum(dim=1)
        losses = torch.logaddexp(positives, rest) - positives
        total = np.zeros(len(self.queries))
        np.add.at(total, self._owners, losses.numpy() * self._share)
        return total

    @property
    def products(self) -> int:
        """Dot products that one call of `losses` computes."""
        return len(self.queries) * len(self._negatives) + len(self._owners)
