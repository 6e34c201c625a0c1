"""What preparation leaves behind for trials: arrays of row numbers into one feature table per model, memory-mapped."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Training pairs of one source, n of them.

    queries and documents are rows of the feature table, shape (n,); groups numbers distinct query texts: pairs of
    the same query are not each other's negatives (equal document rows are found by the row number). similarity is the
    base model's cosine of each pair, shape (n,): what static pruning ranks by.
    """

    queries: Rows
    documents: Rows
    groups: Rows
    similarity: Floats


@dataclass(frozen=True, slots=True)
class Split:
    """One split of a target: q queries against d documents.

    queries (q,) and documents (d,) are rows of the feature table. Judgements are sparse: those of query i are
    judged[starts[i]:starts[i+1]], positions in documents, with grades beside them (> 0 is relevant).
    full says whether documents is the whole corpus or a candidate pool.
    """

    queries: Rows
    documents: Rows
    starts: Rows
    judged: Rows
    grades: Floats
    full: bool


@dataclass(frozen=True, slots=True)
class PreparedTarget:
    """Dev and test of one target.

    signal marks, shape (q_dev,), the dev queries that influence is measured on; the others report progress in rounds.
    negatives are positions in dev.documents, the sampled part of every dev query's candidate pool in the dev loss.
    """

    dev: Split
    test: Split
    signal: npt.NDArray[np.bool_]
    negatives: Rows


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything a study's trials read besides the feature tables. Saved as one folder of .npy files."""

    sources: Mapping[str, Pairs]
    targets: Mapping[str, PreparedTarget]
