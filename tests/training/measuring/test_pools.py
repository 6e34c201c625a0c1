import numpy as np
import pytest

from mixtune.training.measuring.pools import candidate_pool, top_hits


def circle(degrees: np.ndarray) -> np.ndarray:
    """Points on the unit circle: the nearest by inner product are those of the nearest angle."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


CORPUS = circle(np.arange(100, dtype=float))
QUERIES = circle(np.array([20.2, 70.2]))
JUDGED = np.array([5, 99])


def pool(size: int, seed: int = 0) -> list[int]:
    return candidate_pool(QUERIES, CORPUS, JUDGED, size, np.random.default_rng(seed)).tolist()


def test_the_nearest_documents_are_the_top_hits() -> None:
    assert top_hits(QUERIES, CORPUS, 3).tolist() == [[20, 21, 19], [70, 71, 69]]


def test_judged_documents_and_the_first_hits_of_every_query_are_in_the_pool() -> None:
    # 10 places: 2 judged, 6 of the other 8 for hits, rank by rank over both queries, 2 random.
    found = pool(10)
    assert len(found) == len(set(found)) == 10
    assert {5, 99, 20, 70, 21, 71, 19, 69} <= set(found)


def test_the_rest_is_random_and_seeded() -> None:
    assert pool(40, seed=1) == pool(40, seed=1) != pool(40, seed=2)


def test_positions_ascend() -> None:
    assert pool(30) == sorted(pool(30))


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_a_small_corpus_is_taken_whole(size: int) -> None:
    assert pool(size) == list(range(100))


def test_judged_documents_stay_even_where_they_fill_the_pool() -> None:
    assert pool(1) == [5, 99]


@pytest.mark.parametrize("size", range(2, 100, 7))
def test_the_pool_has_the_size_that_was_asked_for(size: int) -> None:
    assert len(pool(size)) == size
