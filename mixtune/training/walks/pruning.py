"""Which pairs of a source static pruning keeps."""

import numpy as np

from mixtune.pruning import Pruning
from mixtune.training.prepared import Pairs, Rows


def kept_rows(pairs: Pairs, source: str, pruning: Pruning) -> Rows:
    """Pair numbers that static pruning keeps, in order: the best by base-model cosine, ties by order."""
    total = len(pairs.queries)
    kept = pruning.rows(source, total)
    if kept == total:
        return np.arange(total, dtype=np.int64)
    return np.sort(np.argsort(-pairs.similarity, kind="stable")[:kept])
