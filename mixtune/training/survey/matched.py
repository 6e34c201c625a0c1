"""How many pairs of each source belong together, as the base model sees it before any training."""

import numpy as np

from mixtune.recipe import FloatArray
from mixtune.study import Study
from mixtune.training.encoding.encodings import Encodings
from mixtune.training.prepared import Pairs, Prepared, Rows

PAIRS = 2000
"""Most pairs of a source that stand for it (ours)."""

OTHERS = 20
"""Documents of the same source that each positive is held against (ours)."""

_DRAW = 0x6D617463


def matched_shares(study: Study, prepared: Prepared, encodings: Encodings) -> dict[str, float]:
    """Estimated share of each usable source's pairs whose positive belongs to its query: source -> share in [0, 1].

    A pair's p is the share of other documents of its source that the base model finds nearer to the query than the
    positive. Of pairs that belong together nearly all have a small p; where query and positive were thrown together, p
    is uniform in [0, 1]. So twice the share of pairs with p above 1/2 estimates the mismatched ones: Storey's estimator
    of the share of true null hypotheses (J. R. Statist. Soc. B 64, 2002) with lambda 1/2; its use here is ours. Pairs
    that the base model cannot tell at all (a language that it does not know) count as mismatched too: the share is a
    lower bound. A source whose pairs hold a single document has share 1, there is nothing to hold it against.

    Args:
        study: its names are the sources that take part; its seed draws pairs and documents.
        prepared: the arrays of the study.
        encodings: of the base model, whose texts are all known already.
    """
    return {
        source.name: _matched(
            prepared.sources[source.name], encodings, np.random.default_rng([study.seed, _DRAW, position])
        )
        for position, source in enumerate(study.sources)
        if source.name in study.names
    }


def _matched(pairs: Pairs, encodings: Encodings, rng: np.random.Generator) -> float:
    documents = np.unique(pairs.documents)
    if len(documents) < 2:
        return 1.0
    size = len(pairs.queries)
    chosen = np.arange(size) if size <= PAIRS else np.sort(rng.choice(size, PAIRS, replace=False))
    p = nearer(pairs.queries[chosen], pairs.documents[chosen], documents, encodings, rng)
    mismatched = 2 * float(np.mean((p > 0.5) + 0.5 * (p == 0.5)))
    return float(np.clip(1 - mismatched, 0.0, 1.0))


def nearer(
    queries: Rows, positives: Rows, documents: Rows, encodings: Encodings, rng: np.random.Generator
) -> FloatArray:
    """Share of OTHERS random documents that are nearer to each query than its positive, shape (n,); ties count half."""
    others = documents[rng.integers(len(documents), size=(len(queries), OTHERS))]
    q = encodings.of(queries)
    own = np.einsum("nd,nd->n", q, encodings.of(positives))
    theirs = np.einsum("nd,nkd->nk", q, encodings.of(others.ravel()).reshape(*others.shape, -1))
    counted = others != positives[:, None]
    above = ((theirs > own[:, None]) + 0.5 * (theirs == own[:, None])) * counted
    return np.asarray(above.sum(axis=1) / np.maximum(counted.sum(axis=1), 1), dtype=np.float64)
