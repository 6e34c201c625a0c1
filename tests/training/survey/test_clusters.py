from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest
from small_study import Table, bench_of, recipe, study_of, synthetic

from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role
from mixtune.source import Source
from mixtune.study import Study
from mixtune.training.base import Task
from mixtune.training.encoding.embedder import BaseModel
from mixtune.training.encoding.encodings import Encodings
from mixtune.training.prepared import Pairs, Prepared
from mixtune.training.survey import clusters as clustering
from mixtune.training.survey.clusters import centroids, clusters
from mixtune.training.trainer import run_trial

TABLE, PREPARED = synthetic()
STUDY = study_of(PREPARED)

DEGREES = (0, 90, 180)
"""Where the clusters of the made-up worlds lie."""


def on_circle(degrees: Sequence[float]) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def world(
    sources: Mapping[str, tuple[int, ...]], targets: Mapping[str, tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> tuple[Study, Prepared, Encodings]:
    """Queries near 0, 90 and 180 degrees, the known centres: how many each source and target has of each."""
    monkeypatch.setattr(clustering, "centroids", lambda points, seed: on_circle(DEGREES))
    angles: list[float] = []

    def queries(counts: tuple[int, ...]) -> np.ndarray:
        first = len(angles)
        angles.extend(place + len(angles) % 7 for place, n in zip(DEGREES, counts, strict=True) for _ in range(n))
        return np.arange(first, len(angles))

    def pairs(counts: tuple[int, ...]) -> Pairs:
        rows = queries(counts)
        return Pairs(rows, rows, np.arange(len(rows)), np.ones(len(rows), np.float32))

    some = PREPARED.targets["left"]
    prepared = Prepared(
        {name: pairs(counts) for name, counts in sources.items()},
        {name: replace(some, dev=replace(some.dev, queries=queries(counts))) for name, counts in targets.items()},
    )
    return study_of(prepared), prepared, Encodings(BaseModel(Table(on_circle(angles))))


def test_a_share_is_the_clusters_weight_times_the_sources_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of a's queries half lie at 0 and half at 90 degrees, of b's all at 90: the cluster there is 1/3 a's and 2/3 b's.
    sources = {"a": (10, 10, 0), "b": (0, 30, 0), "c": (0, 0, 5)}
    found = clusters(*world(sources, {"t": (2, 6, 0), "u": (0, 0, 3)}, monkeypatch))
    assert found["t"] == pytest.approx({"a": 0.25 + 0.75 / 3, "b": 0.75 * 2 / 3, "c": 0.0})
    assert found["u"] == pytest.approx({"a": 0.0, "b": 0.0, "c": 1.0})


def test_sources_count_alike_whatever_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {"large": (60, 20, 0), "small": (3, 0, 1)}
    found = clusters(*world(sources, {"t": (5, 0, 0)}, monkeypatch))
    assert found["t"] == pytest.approx({"large": 0.5, "small": 0.5})


def test_a_target_that_looks_like_one_source_alone_gives_it_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {"a": (7, 0, 3), "b": (0, 9, 0)}
    assert clusters(*world(sources, {"t": (7, 0, 3)}, monkeypatch))["t"] == pytest.approx({"a": 1.0, "b": 0.0})


def test_a_single_source_has_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clusters(*world({"a": (4, 4, 4)}, {"t": (1, 0, 1)}, monkeypatch)) == {"t": {"a": pytest.approx(1.0)}}


def test_two_hundred_sources_find_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {f"s{index}": (0, 2, 0) for index in range(199)} | {"own": (2, 0, 0)}
    found = clusters(*world(sources, {"t": (5, 0, 0)}, monkeypatch))["t"]
    assert len(found) == 200 and found["own"] == pytest.approx(1.0)


def test_a_cluster_that_no_training_query_is_in_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    found = clusters(*world({"a": (2, 0, 0), "b": (0, 2, 0)}, {"t": (3, 0, 1)}, monkeypatch))
    # The query at 180 degrees counts for the cluster at 90.
    assert found["t"] == pytest.approx({"a": 0.75, "b": 0.25})


def test_fewer_queries_than_clusters_make_as_many_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "PER_CLUSTER", 0.1)
    assert len(centroids(on_circle([0, 90, 200]), 0)) == 3


def test_a_target_with_the_queries_of_one_source_gives_it_the_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "PER_CLUSTER", 10)
    own = PREPARED.targets["left"].dev.queries
    near_by = replace(PREPARED.sources["other"], queries=np.resize(own, 200))
    prepared = replace(PREPARED, sources={**PREPARED.sources, "other": near_by})
    found = clusters(STUDY, prepared, Encodings(BaseModel(TABLE)))
    assert max(found["left"], key=lambda name: found["left"][name]) == "other"
    assert found["left"]["other"] > 1.2 * found["right"]["other"]


def test_a_removed_source_takes_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    study, prepared, encodings = world({"a": (9, 0, 0), "b": (9, 9, 0)}, {"t": (3, 0, 0)}, monkeypatch)
    study = replace(study, sources=(Source("a", "synthetic", "", weight=0.0), *study.sources[1:]))
    assert clusters(study, prepared, encodings)["t"] == pytest.approx({"b": 1.0})


def test_there_is_a_cluster_for_so_many_queries_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    assert len(centroids(points[:24], 0)) == 1
    assert len(centroids(points, 0)) == 300 // clustering.PER_CLUSTER
    monkeypatch.setattr(clustering, "MOST_CLUSTERS", 5)
    centres = centroids(points, 0)
    assert len(centres) == 5 and np.linalg.norm(centres, axis=1) == pytest.approx(1.0)


def test_the_seed_decides_the_clusters_whatever_the_threads() -> None:
    points = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    first = centroids(points, 3)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)
    try:
        assert (centroids(points, 3) == first).all()
        assert faiss.omp_get_max_threads() == 2
    finally:
        faiss.omp_set_num_threads(threads)
    assert (centroids(points, 4) != first).any()


def survey_of(role: Role, place: Path) -> Measurement:
    task = Task(0, Proposal(recipe(good=1.0), 0, role), 1, place)
    return run_trial(STUDY, task, bench_of(TABLE, PREPARED), lambda step, score: None, 0.0).measurement


def test_the_survey_measures_clusters_and_nothing_else_does(tmp_path: Path) -> None:
    found = survey_of(Role.SURVEY, tmp_path).clusters
    assert list(found) == ["left", "right"]
    for shares in found.values():
        assert list(shares) == list(STUDY.names) and sum(shares.values()) == pytest.approx(1)
    assert survey_of(Role.SEARCH, tmp_path).clusters == {}
