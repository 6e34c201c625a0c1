"""Which sources the training queries come from that are nearest to a target's dev queries."""

from collections.abc import Mapping

import numpy as np

from mixtune.study import Study
from mixtune.training.encoding.encodings import Encodings
from mixtune.training.measuring.pools import top_hits
from mixtune.training.prepared import Prepared
from mixtune.training.survey.querypool import query_pool

NEAREST = 10
"""Training queries found for each dev query (ours)."""


def neighbours(study: Study, prepared: Prepared, encodings: Encodings) -> dict[str, Mapping[str, float]]:
    """Share of each usable source among the nearest training queries of a target: target -> source -> share.

    For each dev query the 10 nearest by cosine in a pool of at most 800 distinct queries of every source, drawn once
    per study and for each source by itself. Shares of a target sum to 1. (CRISP counts a target's share of clusters
    of the pool; counting neighbours is ours.)

    Args:
        study: its names are the sources that take part; its seed draws the pool.
        prepared: the arrays of the study.
        encodings: of the base model, whose texts are all known already.
    """
    pool = query_pool(study, prepared)
    corpus = encodings.of(pool.rows)
    found: dict[str, Mapping[str, float]] = {}
    for target in study.targets:
        queries = encodings.of(prepared.targets[target.name].dev.queries)
        hits = pool.owners[top_hits(queries, corpus, min(NEAREST, len(corpus)))]
        shares = np.bincount(hits.ravel(), minlength=len(study.names)) / hits.size
        found[target.name] = dict(zip(study.names, shares.tolist(), strict=True))
    return found
