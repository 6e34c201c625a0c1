"""The dev loss: how well queries tell their positives from other documents."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mixtune.errors import DataError
from mixtune.recipe import FloatArray
from mixtune.training.prepared import Floats, PreparedTarget, Rows, Split


@dataclass(frozen=True, slots=True)
class DevMeasure:
    """What a model is worth on a pool, per query: shape (q,) each.

    losses are the cross-entropies; gains are 1 / log2(1 + rank) of a positive among the candidates, averaged over the
    query's positives: nDCG of a ranking with that positive alone, without a cut-off. nan where a score is not finite.
    """

    losses: FloatArray
    gains: FloatArray


class DevPool:
    """Some dev queries of a target, and the documents that their loss needs.

    The loss of a query is the cross-entropy of cosine / temperature over one of its positives and the candidates that
    are not its positives, averaged over its positives. The candidates are the same for all queries: the target's
    sampled documents. Queries, candidates and positives are the same at every call, so that differences between two
    models are paired. (The form of the loss is ours.)

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
        owners, positives = _positives(name, target.dev, marked)
        self._fill(target.dev, owners, positives, target.negatives)

    @classmethod
    def sampled(
        cls,
        name: str,
        target: PreparedTarget,
        marked: npt.NDArray[np.bool_],
        *,
        queries: int,
        negatives: int,
        rng: np.random.Generator,
    ) -> "DevPool":
        """A cheap pool: few queries, one positive each, and candidates that are mostly embedded anyway (ours).

        At most `queries` of the marked queries are drawn, for each one of its positives, and at most `negatives` of
        the target's sampled documents. Candidates are these and all the drawn positives, so q queries need the
        embeddings of 2 q + negatives texts.

        Raises:
            DataError: as the class.
        """
        owners, positives = _positives(name, target.dev, marked)
        usable = np.unique(owners)
        few = rng.choice(usable, min(queries, len(usable)), replace=False)
        shuffled = rng.permutation(len(owners))
        shuffled = shuffled[np.isin(owners[shuffled], few)]
        drawn = np.sort(shuffled[np.unique(owners[shuffled], return_index=True)[1]])
        others = rng.choice(target.negatives, min(negatives, len(target.negatives)), replace=False)
        candidates = np.unique(np.concatenate([others, positives[drawn]]))
        pool = cls.__new__(cls)
        pool._fill(target.dev, owners[drawn], positives[drawn], candidates)
        return pool

    def _fill(self, split: Split, owners: Rows, positives: Rows, candidates: Rows) -> None:
        """Lay out the pairs of query (place in the split, ascending) and positive, and what queries are told from."""
        self.used, self._owners, counts = np.unique(owners, return_inverse=True, return_counts=True)
        self.positions, where = np.unique(np.concatenate([candidates, positives]), return_inverse=True)
        self._candidates, self._positives = where[: len(candidates)], where[len(candidates) :]
        self._share = 1.0 / counts[self._owners]
        self.queries = split.queries[self.used]
        self.documents = split.documents[self.positions]
        taking = np.zeros(len(split.queries), dtype=bool)
        taking[self.used] = True
        askers, theirs = _pairs(split, taking)
        column = np.full(len(split.documents), -1)
        column[candidates] = np.arange(len(candidates))
        held = column[theirs] >= 0
        self._own = np.zeros((len(self.used), len(candidates)), dtype=bool)
        self._own[np.searchsorted(self.used, askers[held]), column[theirs[held]]] = True

    def losses(self, queries: Floats, documents: Floats, temperature: float) -> FloatArray:
        """Loss per query, shape (q,), reduced in float64; not finite where an embedding is not.

        Args:
            queries: embeddings of self.queries, shape (q, dim), normalised.
            documents: embeddings of self.documents, shape (u, dim), normalised.
            temperature: what cosines are divided by.
        """
        return self.tensor(torch.from_numpy(queries), torch.from_numpy(documents), temperature).numpy()

    def tensor(self, queries: Tensor, documents: Tensor, temperature: float) -> Tensor:
        """As `losses`, of tensors on the CPU and with their gradient: shape (q,), float64."""
        positives, others = self._scores(queries.double() / temperature, documents.double())
        return self._losses(positives, others)

    def measure(self, queries: Floats, documents: Floats, temperature: float) -> "DevMeasure":
        """Loss and gain per query from one set of dot products; arguments as `losses`."""
        q, d = torch.from_numpy(queries).double() / temperature, torch.from_numpy(documents).double()
        positives, others = self._scores(q, d)
        rank = 1 + (others[self._owners] > positives[:, None]).sum(dim=1)
        gains = self._per_query(1 / torch.log2(1 + rank.double()))
        finite = torch.isfinite(positives)
        return DevMeasure(
            self._losses(positives, others).numpy(),
            gains.numpy() if bool(finite.all()) else np.full(len(self.queries), np.nan),
        )

    def _scores(self, queries: Tensor, documents: Tensor) -> tuple[Tensor, Tensor]:
        """Of each positive (pairs,), and of each query's candidates (q, c), its own positives at minus infinity."""
        others = (queries @ documents[self._candidates].T).masked_fill(torch.from_numpy(self._own), -torch.inf)
        return (queries[self._owners] * documents[self._positives]).sum(dim=1), others

    def _losses(self, positives: Tensor, others: Tensor) -> Tensor:
        rest = torch.logsumexp(others, dim=1)[self._owners]
        return self._per_query(torch.logaddexp(positives, rest) - positives)

    def _per_query(self, values: Tensor) -> Tensor:
        """Mean over the positives of each query."""
        shares = values * torch.from_numpy(self._share)
        return torch.zeros(len(self.queries), dtype=torch.float64).index_add(0, torch.from_numpy(self._owners), shares)

    @property
    def products(self) -> int:
        """Dot products that one call of `losses` computes."""
        return len(self.queries) * len(self._candidates) + len(self._owners)


def _positives(name: str, split: Split, marked: npt.NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """As _pairs, refusing fewer than 2 queries."""
    owners, positives = _pairs(split, marked)
    usable = len(np.unique(owners))
    if usable < 2:
        raise DataError(
            f"target {name!r} has {usable} dev queries with a positive for the dev loss, at least 2 are needed: give it"
            " more dev queries"
        )
    return owners, positives


def _pairs(split: Split, marked: npt.NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """Places of the marked queries and of their positives, one entry per pair, in the order of the queries."""
    owners = np.repeat(np.arange(len(split.queries)), np.diff(split.starts))
    positive = (split.grades > 0) & marked[owners]
    return owners[positive], split.judged[positive]
