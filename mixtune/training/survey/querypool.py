"""The training queries that a survey looks at: a few hundred of each source."""

from dataclasses import dataclass

import numpy as np

from mixtune.study import Study
from mixtune.training.prepared import Prepared, Rows

POOL = 800
"""Most distinct queries of a source that stand for it (ours)."""

_DRAW = 0x6E656172


@dataclass(frozen=True, slots=True)
class QueryPool:
    """Distinct training queries, source after source.

    rows (n,) are those of the feature table, owners (n,) the position in Study.names of the source that each is from.
    A query of two sources stands there twice.
    """

    rows: Rows
    owners: Rows


def query_pool(study: Study, prepared: Prepared) -> QueryPool:
    """At most POOL distinct queries of every usable source, ascending, drawn once per study.

    The study's seed draws them for each source by itself, so that no source's sample depends on the others.
    """
    pools = [
        _sample(prepared.sources[source.name].queries, np.random.default_rng([study.seed, _DRAW, index]))
        for index, source in enumerate(study.sources)
        if source.name in study.names
    ]
    return QueryPool(np.concatenate(pools), np.repeat(np.arange(len(pools)), [len(pool) for pool in pools]))


def _sample(queries: Rows, rng: np.random.Generator) -> Rows:
    rows = np.unique(queries)
    return rows if len(rows) <= POOL else np.sort(rng.choice(rows, POOL, replace=False))
