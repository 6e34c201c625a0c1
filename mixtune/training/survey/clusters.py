"""Which sources the training queries come from that fall into the same clusters as a target's dev queries."""

from collections.abc import Mapping

import numpy as np

from mixtune.study import Study
from mixtune.training.encoding.encodings import Encodings
from mixtune.training.measuring.pools import top_hits
from mixtune.training.prepared import Floats, Prepared
from mixtune.training.survey.kmeans import trained
from mixtune.training.survey.querypool import query_pool

PER_CLUSTER = 25
"""Pooled queries that a cluster has on average (ours): fewer, and k-means follows single queries."""

MOST_CLUSTERS = 512
"""Most clusters (ours): with a few hundred dev queries a target, finer ones would mostly hold one of them or none."""

LEARNT_FROM = 64
"""Most pooled queries per cluster that k-means learns from (ours); of more, a seeded sample."""

ROUNDS = 20
"""Iterations of k-means (ours)."""


def clusters(study: Study, prepared: Prepared, encodings: Encodings) -> dict[str, Mapping[str, float]]:
    """Share of each usable source in the clusters of a target: target -> source -> share.

    CRISP (Grangier et al., arXiv 2410.03735) in its plain form: the training data are clustered, and a cluster's
    weight is its share of the target's own examples. Here the pooled queries are clustered, each dev query counts for
    the nearest cluster, and a source's share is the sum over clusters of that weight times the source's part of the
    cluster. Shares of a target sum to 1.

    The paper draws from a cluster in proportion to the data, so that large sources would get more of it. A mixture
    cannot draw from a cluster, only from a source with all of its clusters, and what a batch of a source holds does
    not depend on the source's size. So the part counts each source as equally large, whatever its rows and the size of
    its pool (ours).

    Args:
        study: its names are the sources that take part; its seed draws the pool and starts k-means.
        prepared: the arrays of the study.
        encodings: of the base model, whose texts are all known already.
    """
    pool = query_pool(study, prepared)
    points = encodings.of(pool.rows)
    centres = centroids(points, study.seed)
    count = np.zeros((len(centres), len(study.names)))
    np.add.at(count, (top_hits(points, centres, 1)[:, 0], pool.owners), 1.0)
    centres, count = centres[count.sum(axis=1) > 0], count[count.sum(axis=1) > 0]
    part = count / count.sum(axis=0)
    part /= part.sum(axis=1, keepdims=True)
    found: dict[str, Mapping[str, float]] = {}
    for target in study.targets:
        queries = encodings.of(prepared.targets[target.name].dev.queries)
        weight = np.bincount(top_hits(queries, centres, 1)[:, 0], minlength=len(centres)) / len(queries)
        found[target.name] = dict(zip(study.names, (weight @ part).tolist(), strict=True))
    return found


def centroids(points: Floats, seed: int) -> Floats:
    """Centres of spherical k-means, (k, dim), normalised: one for PER_CLUSTER points, MOST_CLUSTERS at most.

    On one thread, so that equal points and seed give equal centres bit for bit on any number of cores.
    """
    size = min(max(1, int(len(points) / PER_CLUSTER)), MOST_CLUSTERS, len(points))
    means = trained(points, size, iterations=ROUNDS, seed=seed & 0x7FFFFFFF, learnt_from=LEARNT_FROM, spherical=True)
    return np.asarray(means.centroids, dtype=np.float32)
