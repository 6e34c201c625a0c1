"""k-means that gives equal clusters on any number of cores."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import faiss
import numpy as np

from mixtune.training.prepared import Floats


@contextmanager
def one_thread() -> Iterator[None]:
    """Let faiss use one thread, on which equal points and seed give equal results bit for bit."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def trained(
    points: Floats,
    clusters: int,
    *,
    iterations: int,
    seed: int,
    learnt_from: int,
    spherical: bool = False,
) -> Any:  # noqa: ANN401 - faiss is untyped
    """The trained faiss.Kmeans of points, shape (n, dim).

    learnt_from is the most points per cluster that it learns from, a seeded sample of more; spherical keeps centres at
    length 1.
    """
    means = faiss.Kmeans(
        points.shape[1],
        clusters,
        niter=iterations,
        seed=seed,
        spherical=spherical,
        min_points_per_centroid=1,
        max_points_per_centroid=learnt_from,
    )
    with one_thread():
        means.train(np.ascontiguousarray(points))
    return means
