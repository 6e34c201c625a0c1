from pathlib import Path

import numpy as np
import pytest
from small_study import Table

from mixtune.training.prepared import Pairs
from mixtune.training.walks import topics
from mixtune.training.walks.topics import Topics, topics_of


def blobs(each: int = 30, count: int = 4, dim: int = 8) -> np.ndarray:
    """Points around well-separated directions, shuffled by a fixed stride."""
    rng = np.random.default_rng(0)
    points = np.repeat(np.eye(dim)[:count], each, axis=0) + 0.05 * rng.standard_normal((each * count, dim))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def source(count: int) -> Pairs:
    rows = np.arange(count)
    return Pairs(rows, rows, rows, np.zeros(count, np.float32))


def test_planted_topics_are_found() -> None:
    found = topics_of(source(120), blobs(), 30)
    planted = np.repeat(np.arange(4), 30)
    assert len(set(zip(found.tolist(), planted.tolist(), strict=True))) == 4


@pytest.mark.parametrize(("size", "expected"), [(30, 4), (60, 2), (45, 3), (80, 2), (100, 1), (10_000, 1)])
def test_there_are_n_over_size_topics_rounded_and_at_least_one(size: int, expected: int) -> None:
    assert len(np.unique(topics_of(source(120), blobs(), size))) == expected


def test_queries_count_once_however_many_pairs_they_have() -> None:
    pairs = Pairs(np.repeat(np.arange(60), 2), np.arange(120), np.repeat(np.arange(60), 2), np.zeros(120, np.float32))
    found = topics_of(pairs, blobs(), 30)
    assert len(found) == 60 and len(np.unique(found)) == 2


def test_equal_embeddings_give_equal_topics() -> None:
    assert topics_of(source(120), blobs(), 7).tolist() == topics_of(source(120), blobs(), 7).tolist()


def test_topics_are_computed_once_under_a_cache_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = topics_of(source(120), blobs(), 30, tmp_path)
    monkeypatch.setattr(topics, "_clustered", lambda points, count: pytest.fail("clustered again"))
    assert topics_of(source(120), blobs(), 30, tmp_path).tolist() == first.tolist()
    monkeypatch.undo()
    assert len(np.unique(topics_of(source(120), blobs(), 60, tmp_path))) == 2


def test_a_worker_holds_the_topics_it_has_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Topics(Table(blobs()))
    first = held.of("a", source(120), 30)
    monkeypatch.setattr(topics, "_clustered", lambda points, count: pytest.fail("clustered again"))
    assert held.of("a", source(120), 30) is first
