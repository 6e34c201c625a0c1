import json

import numpy as np
import pytest

from mixtune.batching import Batching
from mixtune.training.prepared import Pairs
from mixtune.training.walks.topicwalk import TopicWalk


def walk_of(sizes: list[int], batching: Batching, seed: int = 0, stream: int = 0, **pairs: np.ndarray) -> TopicWalk:
    """A walk over topics of so many queries each; query i is pair i."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.arange(len(labels))
    source = Pairs(rows, rows, rows, np.zeros(len(rows), np.float32), **pairs)
    return TopicWalk(source, rows, batching, lambda: labels, negatives=True, seed=seed, stream=stream)


def topics_in(walk: TopicWalk, sizes: list[int], size: int) -> list[int]:
    return np.repeat(np.arange(len(sizes)), sizes)[walk.take(size, 0).rows].tolist()


def test_a_batch_is_of_one_topic() -> None:
    sizes = [40, 40, 40]
    walk = walk_of(sizes, Batching(topics=40))
    for _ in range(20):
        rows = walk.take(16, 0).rows
        assert len(set(rows.tolist())) == 16
        assert len(set((rows // 40).tolist())) == 1


def test_topics_are_drawn_uniformly_whatever_their_size() -> None:
    sizes = [1000, 50, 20]
    walk = walk_of(sizes, Batching(topics=100))
    firsts = np.bincount([topics_in(walk, sizes, 10)[0] for _ in range(3000)], minlength=3) / 3000
    assert firsts == pytest.approx(np.full(3, 1 / 3), abs=0.035)


def test_queries_of_a_topic_are_drawn_uniformly() -> None:
    walk = walk_of([10, 10], Batching(topics=10))
    counts = np.bincount(np.concatenate([walk.take(4, 0).rows for _ in range(5000)]), minlength=20) / 5000
    assert counts == pytest.approx(np.full(20, 0.2), abs=0.03)


def test_several_clusters_share_a_batch_evenly() -> None:
    sizes = [50, 50, 50, 50, 50]
    walk = walk_of(sizes, Batching(topics=50, clusters=4))
    for _ in range(10):
        assert sorted(np.unique(topics_in(walk, sizes, 32), return_counts=True)[1]) == [8, 8, 8, 8]


def test_a_share_that_does_not_divide_is_filled_up_by_one_more_cluster() -> None:
    sizes = [50, 50, 50, 50, 50]
    walk = walk_of(sizes, Batching(topics=50, clusters=3))
    assert sorted(np.unique(topics_in(walk, sizes, 32), return_counts=True)[1]) == [2, 10, 10, 10]


def test_a_small_cluster_gives_all_it_has_and_others_fill_up() -> None:
    sizes = [3, 3, 3, 3, 3]
    walk = walk_of(sizes, Batching(topics=3))
    assert sorted(np.unique(topics_in(walk, sizes, 8), return_counts=True)[1]) == [2, 3, 3]


def test_a_batch_is_smaller_when_all_clusters_are_used() -> None:
    sizes = [3, 2, 9]
    walk = walk_of(sizes, Batching(topics=3, clusters=4))
    # floor(16 / 4) queries of each cluster at most: 3 + 2 + 4.
    assert sorted(np.unique(topics_in(walk, sizes, 16), return_counts=True)[1]) == [2, 3, 4]


def test_more_clusters_than_a_batch_has_places_give_one_query_each() -> None:
    sizes = [5] * 10
    walk = walk_of(sizes, Batching(topics=5, clusters=8))
    assert len(set(topics_in(walk, sizes, 4))) == 4


def test_without_topics_queries_are_drawn_from_all() -> None:
    rows = np.arange(60)
    pairs = Pairs(rows, rows, rows, np.zeros(60, np.float32))

    def never() -> np.ndarray:
        raise AssertionError("there are no topics")

    walk = TopicWalk(pairs, rows, Batching(margin_bins=10), never, negatives=True, seed=0, stream=0)
    seen = np.concatenate([walk.take(16, 0).rows for _ in range(60)])
    assert set(seen.tolist()) == set(range(60))


def test_each_query_brings_one_pair_with_its_negative() -> None:
    walk = walk_of(
        [2, 2],
        Batching(topics=2, margin_bins=10),
        starts=np.array([0, 2, 3, 3, 5]),
        negatives=np.arange(5),
        teacher=np.arange(9, dtype=np.float32),
    )
    for _ in range(20):
        taken = walk.take(4, 0)
        assert taken.negatives is not None
        owned = {0: {0, 1}, 1: {2}, 2: {-1}, 3: {3, 4}}
        assert all(n in owned[r] for r, n in zip(taken.rows.tolist(), taken.negatives.tolist(), strict=True))
        assert sorted(taken.rows.tolist()) == [0, 1, 2, 3]


def test_a_walk_that_stopped_goes_on_bit_for_bit() -> None:
    whole, first = (walk_of([20, 30, 7], Batching(topics=20, clusters=2), seed=5, stream=3) for _ in range(2))
    expected = [whole.take(9, 0).rows.tolist() for _ in range(12)]
    for _ in range(5):
        first.take(9, 0)
    second = walk_of([20, 30, 7], Batching(topics=20, clusters=2), seed=5, stream=3)
    second.restore(json.loads(json.dumps(first.state())), first.arrays())
    assert [second.take(9, 0).rows.tolist() for _ in range(7)] == expected[5:]


@pytest.mark.parametrize("other", [{"seed": 6}, {"stream": 1}])
def test_seeds_and_sources_have_draws_of_their_own(other: dict[str, int]) -> None:
    one, two = (walk_of([100, 100], Batching(topics=100), **kwargs) for kwargs in ({}, other))
    assert [one.take(8, 0).rows.tolist() for _ in range(3)] != [two.take(8, 0).rows.tolist() for _ in range(3)]


def test_a_walk_that_starts_anew_later_in_a_run_draws_other_batches() -> None:
    early, late = (walk_of([40, 40], Batching(topics=40)).take(16, position) for position in (0, 5))
    assert early.rows.tolist() != late.rows.tolist()


def test_without_bins_nothing_is_laid_out_for_a_remark() -> None:
    walk = walk_of([40, 40], Batching(topics=40))
    assert walk.remarks == ()
    assert "_choice" not in vars(walk)


def test_a_foreign_state_is_refused() -> None:
    with pytest.raises(ValueError, match="not a state of TopicWalk"):
        walk_of([4], Batching(topics=4)).restore({"epoch": 3}, {})


def test_what_a_step_shows_changes_no_draw() -> None:
    one, two = (walk_of([20, 20], Batching(topics=20)) for _ in range(2))
    taken = one.take(8, 0)
    two.take(8, 0)
    one.learn(taken, np.ones(8, np.float32), np.ones(8, np.float32))
    one.renew(np.zeros(40, np.float32))
    assert one.take(8, 1).rows.tolist() == two.take(8, 1).rows.tolist()
    assert one.completed is None and one.pruned == 0
