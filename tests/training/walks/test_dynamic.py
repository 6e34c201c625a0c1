from dataclasses import replace

import numpy as np
import pytest

from mixtune.pruning import Pruning, Schedule
from mixtune.training.prepared import Pairs, Rows
from mixtune.training.walks.dynamic import DynamicWalk, chosen_queries, cosine, kept_share, quantile
from mixtune.training.walks.pruning import kept_rows

HORIZON = 100
NOTHING = np.empty(0, dtype=np.float32)


def pairs_of(scores: np.ndarray, positives: int = 1) -> Pairs:
    """As many queries as there are rows of `positives` scores; pairs of a query stand apart from each other."""
    count = len(scores) // positives
    return Pairs(
        np.arange(len(scores)),
        np.arange(len(scores)),
        np.tile(np.arange(count), positives),
        np.asarray(scores, dtype=np.float32),
    )


def walk_of(
    pairs: Pairs,
    batch_size: int = 1,
    least: int = 1,
    seed: int = 0,
    schedule: Schedule | None = None,
    rows: Rows | None = None,
) -> DynamicWalk:
    return DynamicWalk(
        pairs,
        np.arange(len(pairs.queries)) if rows is None else rows,
        schedule or Schedule(),
        batch_size=batch_size,
        seed=(seed,),
        horizon=HORIZON,
        least=least,
    )


def distinct(count: int) -> np.ndarray:
    """Different scores in an order that is not theirs."""
    return np.random.default_rng(5).permutation(np.linspace(0.1, 0.9, count))


def epochs(walk: DynamicWalk, count: int, position: int) -> list[Rows]:
    return [walk.take(walk.used, position).rows for _ in range(count)]


def test_the_kept_share_rises_from_a_quarter_to_531_thousandths() -> None:
    assert kept_share(1000, 625, 2) == 0.25
    assert kept_share(1000, 625, 5) == 0.53125


@pytest.mark.parametrize(("strength", "probability"), [(2.0, 0.5), (5.0, 0.2)])
def test_a_low_query_is_used_with_one_over_the_strength(strength: float, probability: float) -> None:
    kept = kept_share(1600, 1000, strength) * 1600
    assert (1000 - kept) / (1600 - kept) == pytest.approx(probability)


@pytest.mark.parametrize("position", [0, 30, 100, 1000])
def test_an_epoch_uses_five_eighths_of_the_queries_whatever_the_position(position: int) -> None:
    walk = walk_of(pairs_of(distinct(160)))
    for rows in epochs(walk, 5, position):
        assert len(rows) == len(set(rows)) == 100


@pytest.mark.parametrize(("queries", "used"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (8, 5), (12, 8), (1000, 625)])
def test_numbers_of_queries_are_rounded_to_the_nearest(queries: int, used: int) -> None:
    assert walk_of(pairs_of(distinct(queries))).used == used


@pytest.mark.parametrize(("batch_size", "used"), [(4, 10), (12, 12), (16, 16), (32, 16)])
def test_an_epoch_fills_a_batch_where_the_source_can(batch_size: int, used: int) -> None:
    walk = walk_of(pairs_of(distinct(16)), batch_size)
    assert walk.used == used
    assert [len(set(rows)) for rows in epochs(walk, 3, 50)] == [used] * 3


@pytest.mark.parametrize(("least", "used"), [(1, 10), (10, 10), (13, 13), (500, 16)])
def test_a_rare_source_is_never_pruned_below_the_guard(least: int, used: int) -> None:
    walk = walk_of(pairs_of(distinct(16)), least=least)
    assert [len(set(rows)) for rows in epochs(walk, 3, HORIZON)] == [used] * 3


def test_the_schedule_is_a_cosine_from_start_to_end_and_stays_there() -> None:
    assert [cosine(2.0, 5.0, t) for t in (-1, 0, 0.5, 1, 7)] == pytest.approx([2, 2, 3.5, 5, 5])
    assert cosine(0.25, 0.5, 0.25) == pytest.approx(0.5 - 0.125 * (1 + 0.5**0.5))


@pytest.mark.parametrize(("position", "kept", "probability"), [(0, 40, 0.5), (HORIZON, 85, 0.2)])
def test_the_best_queries_are_always_used_and_each_other_one_as_often(
    position: int, kept: int, probability: float
) -> None:
    scores, times = distinct(160), 500
    drawn = np.bincount(np.concatenate(epochs(walk_of(pairs_of(scores)), times, position)), minlength=160) / times
    ranked = np.argsort(-scores)
    assert (drawn[ranked[:kept]] == 1).all()
    # Five standard errors of a share over all epochs; a draw that prefers good queries among the others is far off.
    assert drawn[ranked[kept:]] == pytest.approx(probability, abs=5 * (probability * (1 - probability) / times) ** 0.5)


def test_a_query_is_ranked_by_the_mean_of_its_pairs() -> None:
    # Query 0 has the best pair of all, query 1 the best mean.
    means = np.linspace(0.0, 0.3, 16)
    first, second = means.copy(), means.copy()
    first[0], second[0], first[1], second[1] = 1.0, -1.0, 0.6, 0.6
    always = set(range(1, 16))
    for rows in epochs(walk_of(pairs_of(np.concatenate([first, second]), 2)), 60, 0):
        always &= set(rows % 16)
    assert always == {1, 13, 14, 15}


def test_many_pairs_do_not_make_a_query_better() -> None:
    # Query 0 has three pairs of 0.3, the other fifteen one pair each of at most 0.4: by sums query 0 would be the best.
    pairs = pairs_of(np.concatenate([np.full(3, 0.3), np.linspace(0.35, 0.4, 15)]))
    pairs = replace(pairs, groups=np.concatenate([np.zeros(3, dtype=np.int64), np.arange(1, 16)]))
    times = sum(min(rows) < 3 for rows in epochs(walk_of(pairs), 60, 0))
    assert 10 < times < 50


def test_pairs_that_score_the_same_are_kept_at_random() -> None:
    walk = walk_of(pairs_of(np.full(40, 0.5)))
    drawn = np.bincount(np.concatenate(epochs(walk, 400, HORIZON)), minlength=40) / 400
    assert drawn == pytest.approx(0.625, abs=5 * (0.625 * 0.375 / 400) ** 0.5)


@pytest.mark.parametrize(("position", "high"), [(0, 40), (HORIZON, 80)])
@pytest.mark.parametrize("strength", [5.0, 1.0, 20.0])
def test_a_high_pair_of_a_query_is_drawn_so_many_times_as_often(position: int, high: int, strength: float) -> None:
    scores, times = distinct(160), 800
    walk = walk_of(pairs_of(scores, 4), schedule=Schedule(strength=strength))
    drawn = np.bincount(np.concatenate(epochs(walk, times, position)), minlength=160)
    weights = np.ones(160)
    weights[np.argsort(-scores)[:high]] = strength
    totals = np.tile(weights.reshape(4, 40).sum(axis=0), 4)
    used = np.tile(drawn.reshape(4, 40).sum(axis=0), 4)
    share = weights / totals
    assert len(set(weights / totals)) > (strength > 1)
    assert (np.abs(drawn / used - share) <= 5 * np.sqrt(share * (1 - share) / used)).all()


def test_the_ends_of_the_schedule_are_the_recipes_own() -> None:
    scores = distinct(160)
    walk = walk_of(pairs_of(scores), schedule=Schedule(query_end=2.0))
    drawn = np.bincount(np.concatenate(epochs(walk, 300, HORIZON)), minlength=160)
    assert ((drawn == 300).sum(), drawn[np.argsort(-scores)[:40]].min()) == (40, 300)
    # Of two pairs a query, the best tenth is all that counts as high, and next to nothing else is drawn of its query.
    walk = walk_of(pairs_of(scores, 2), schedule=Schedule(cutoff_end=0.1, strength=1e9))
    high = np.argsort(-scores)[:16]
    partner = (high + 80) % 160
    alone = high[~np.isin(partner, high)]
    drawn = np.bincount(np.concatenate(epochs(walk, 200, HORIZON)), minlength=160)
    assert (drawn[(alone + 80) % 160] == 0).all() and (drawn[alone] > 0).all()
    assert np.count_nonzero(drawn == 0) == len(alone)


def test_only_strictly_above_the_quantile_is_high() -> None:
    # The quantile at 0.75 of 24 times 0.1, 32 times 0.5 and 8 times 0.9 is 0.5: a pair of 0.5 is not preferred to 0.1.
    second = np.where(np.arange(32) < 8, 0.9, 0.1)
    walk = walk_of(pairs_of(np.concatenate([np.full(32, 0.5), second]), 2), schedule=Schedule(strength=1e12))
    drawn = np.bincount(np.concatenate(epochs(walk, 300, 0)), minlength=64)
    assert drawn[:8].tolist() == [0] * 8 and (drawn[8:] > 40).all()


def test_with_one_pair_a_query_the_strength_of_documents_means_nothing() -> None:
    pairs = pairs_of(distinct(64))
    one, five = (walk_of(pairs, schedule=Schedule(strength=s)) for s in (1.0, 5.0))
    assert all(np.array_equal(a, b) for a, b in zip(epochs(one, 5, 60), epochs(five, 5, 60), strict=True))


def test_the_position_that_counts_is_the_one_at_which_an_epoch_starts() -> None:
    pairs = pairs_of(distinct(160))
    moving, resting = walk_of(pairs), walk_of(pairs)
    first = np.concatenate([moving.take(10, 11 * step).rows for step in range(10)])
    assert np.array_equal(first, resting.take(100, 0).rows)
    assert np.array_equal(moving.take(100, 70).rows, resting.take(100, 70).rows)


def test_every_query_gives_one_pair_an_epoch() -> None:
    for rows in epochs(walk_of(pairs_of(distinct(120), 3)), 10, 40):
        assert len(set(rows % 40)) == len(rows) == 25


@pytest.mark.parametrize(("count", "batch_size"), [(40, 7), (40, 16), (40, 25), (40, 40), (3, 2), (2, 2), (1, 8)])
def test_a_batch_is_full_and_holds_no_query_twice_across_epochs(count: int, batch_size: int) -> None:
    walk = walk_of(pairs_of(distinct(2 * count), 2), batch_size)
    for step in range(60):
        rows = walk.take(batch_size, step).rows
        assert len(rows) == min(batch_size, count) == len(set(rows % count))
    assert walk.completed == (60 * min(batch_size, count)) // walk.used


def test_a_query_that_a_batch_holds_already_waits_for_the_next_one() -> None:
    pairs = pairs_of(distinct(16))
    walk = walk_of(pairs, 8)
    seen = np.concatenate([walk.take(8, 0).rows for _ in range(10)])
    # Ten queries an epoch: over 80 pairs each epoch's own are all used, whichever batch they fall into.
    assert walk.completed == 8
    assert np.bincount(seen, minlength=16)[np.argsort(-pairs.similarity)[:4]].tolist() == [8] * 4


def test_parts_of_a_batch_may_have_any_size() -> None:
    whole, parts = walk_of(pairs_of(distinct(64))), walk_of(pairs_of(distinct(64)))
    sizes = np.array([1, 7, 2, 13, 17])
    assert np.array_equal(whole.take(40, 0).rows, np.concatenate([parts.take(size, 0).rows for size in sizes]))
    assert len(whole.take(500, 0).rows) == whole.used


def test_epochs_are_counted_when_their_last_pair_is_taken() -> None:
    walk = walk_of(pairs_of(distinct(16)))
    found = []
    for _ in range(5):
        walk.take(4, 0)
        found.append(walk.completed)
    assert (found, walk.pruned) == ([0, 0, 1, 1, 2], 6)


def test_what_an_epoch_leaves_out_counts_the_other_pairs_of_its_queries() -> None:
    assert walk_of(pairs_of(distinct(48), 3)).pruned == 48 - 10


def test_a_step_renews_the_cosines_of_its_pairs_and_no_others() -> None:
    pairs = pairs_of(distinct(16))
    walk = walk_of(pairs, 4)
    taken = walk.take(4, 0)
    walk.learn(taken, np.full(4, 0.95, dtype=np.float32), NOTHING)
    expected = pairs.similarity.copy()
    expected[taken.rows] = 0.95
    assert np.array_equal(walk.memory(), expected)
    assert pairs.similarity.max() < 0.95, "the base model's cosines stay what they are"


def test_a_query_whose_cosine_rose_is_kept_from_the_next_epoch_on() -> None:
    pairs = pairs_of(distinct(16))
    worst = int(np.argmin(pairs.similarity))
    walk = walk_of(pairs)
    while worst not in walk.take(1, 0).rows:
        pass
    walk.learn(replace(walk.take(1, 0), rows=np.array([worst])), np.array([0.99], dtype=np.float32), NOTHING)
    begun = walk.completed
    while walk.completed == begun:
        walk.take(1, 0)
    assert all(worst in rows for rows in epochs(walk, 40, 0))


def test_a_refresh_counts_from_the_next_epoch_on() -> None:
    pairs = pairs_of(distinct(160))
    fresh, stale = walk_of(pairs), walk_of(pairs)
    assert np.array_equal(fresh.take(30, 0).rows, stale.take(30, 0).rows)
    fresh.renew(-pairs.similarity)
    assert np.array_equal(fresh.take(70, 0).rows, stale.take(70, 0).rows)
    assert set(np.argsort(pairs.similarity)[:40]) <= set(fresh.take(100, 0).rows)


def test_cosines_that_are_no_numbers_rank_lowest() -> None:
    scores = distinct(32) - 1
    scores[[3, 20]] = np.nan
    scores[7] = 0.0
    walk = walk_of(pairs_of(scores), schedule=Schedule(query_end=1000.0))
    drawn = np.bincount(np.concatenate(epochs(walk, 60, HORIZON)), minlength=32)
    assert drawn[7] == 60 and drawn[3] < 10 and drawn[20] < 10


def test_a_query_with_one_pair_that_has_no_cosine_ranks_lowest() -> None:
    best, other = np.linspace(-0.8, -0.1, 16), np.linspace(-0.8, -0.1, 16)
    best[15] = np.nan
    rows = np.concatenate(epochs(walk_of(pairs_of(np.concatenate([best, other]), 2)), 60, 0)) % 16
    assert 10 < np.bincount(rows, minlength=16)[15] < 50


def test_a_pair_without_a_cosine_is_never_high() -> None:
    scores = np.concatenate([np.full(16, np.nan), np.linspace(-0.9, -0.1, 16)])
    walk = walk_of(pairs_of(scores, 2), schedule=Schedule(strength=1e9, cutoff_end=0.5))
    # At the end the upper half is high: 15 pairs above the quantile, which lies between the numbers and the others.
    drawn = np.bincount(np.concatenate(epochs(walk, 100, HORIZON)), minlength=32)
    assert drawn[:16].sum() == 0


def test_a_source_without_any_cosine_is_walked_at_random() -> None:
    walk = walk_of(pairs_of(np.full(32, np.nan), 2))
    assert np.bincount(np.concatenate(epochs(walk, 100, 50)), minlength=32).min() > 0


def test_the_quantile_is_the_linear_one() -> None:
    values = np.random.default_rng(1).random(37)
    for share in (0.0, 0.25, 0.5, 0.613, 0.75, 1.0):
        assert quantile(values, share) == pytest.approx(np.quantile(values, share))
    low = np.array([-np.inf, -np.inf, 1.0, 3.0])
    assert [quantile(low, share) for share in (0.0, 0.5, 2 / 3, 1.0)] == [-np.inf, -np.inf, 1.0, 3.0]
    assert quantile(low, 0.9) == pytest.approx(1 + 2 * 0.7)


def test_a_strength_below_what_the_size_allows_keeps_nobody_for_sure() -> None:
    assert kept_share(2, 1, 2.0) == 0.0
    assert kept_share(10, 4, 2.0) == 0.0
    assert kept_share(10, 10, 2.0) == 1.0
    assert kept_share(10, 10, 1e9) <= 1.0


def test_never_more_queries_are_kept_than_used() -> None:
    rng = np.random.default_rng(0)
    for count in range(1, 40):
        for used in range(1, count + 1):
            assert len(set(chosen_queries(np.zeros(count), used, 2.0, rng))) == used


def test_only_the_pairs_that_static_pruning_keeps_are_walked() -> None:
    pairs = pairs_of(distinct(64), 4)
    rows = kept_rows(pairs, "s", Pruning({"s": 0.25}))
    walk = walk_of(pairs, rows=rows)
    assert walk.queries == len(set(rows % 16)) < 16
    taken = np.concatenate(epochs(walk, 50, 0))
    assert set(taken) <= set(rows) and len(set(taken % 16)) == walk.queries
    walk.renew(np.zeros(len(rows), dtype=np.float32))
    assert walk.memory()[rows].tolist() == [0.0] * 16
    assert np.count_nonzero(walk.memory()) == 48


def test_equal_seeds_give_equal_walks_and_others_do_not() -> None:
    one, same, other = (np.stack(epochs(walk_of(pairs_of(distinct(64)), seed=seed), 4, 9)) for seed in (3, 3, 4))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize("cut", range(0, 13, 2))
def test_a_walk_goes_on_from_its_state_as_if_it_had_never_stopped(cut: int) -> None:
    pairs = pairs_of(distinct(48), 3)
    rng = np.random.default_rng(2)
    answers = rng.random((14, 8)).astype(np.float32)

    def go(walk: DynamicWalk, steps: range) -> list[list[int]]:
        found = []
        for step in steps:
            taken = walk.take(8, 5 * step)
            walk.learn(taken, answers[step][: len(taken.rows)], NOTHING)
            found.append(taken.rows.tolist())
        return found

    whole, first, second = (walk_of(pairs, 8) for _ in range(3))
    expected = go(whole, range(14))
    found = go(first, range(cut))
    second.restore(first.state(), {name: array.copy() for name, array in first.arrays().items()})
    assert found + go(second, range(cut, 14)) == expected
    assert (second.completed, second.pruned) == (whole.completed, whole.pruned)
    assert np.array_equal(second.memory(), whole.memory())


def test_a_walk_that_has_seen_nothing_stores_no_cosines() -> None:
    assert [len(array) for array in walk_of(pairs_of(distinct(16))).arrays().values()] == [0]


def test_adopted_cosines_are_read_and_never_written() -> None:
    pairs = pairs_of(distinct(16))
    walk, probe = walk_of(pairs, 4), walk_of(pairs, 4, seed=1)
    walk.renew(np.arange(16, dtype=np.float32) / 16)
    probe.adopt(walk.memory())
    assert np.array_equal(probe.memory(), np.arange(16) / 16)
    probe.learn(probe.take(4, 0), np.full(4, -1.0, dtype=np.float32), NOTHING)
    assert np.array_equal(walk.memory(), np.arange(16) / 16)


def test_what_is_no_state_is_refused() -> None:
    with pytest.raises(ValueError, match="not a state of epochs"):
        walk_of(pairs_of(distinct(16))).restore({"epochs": "two"}, {})
