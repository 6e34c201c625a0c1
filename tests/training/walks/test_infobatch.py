from dataclasses import replace

import numpy as np
import pytest

from mixtune.training.prepared import Pairs, Rows
from mixtune.training.walks.infobatch import InfoBatchWalk, low_losses
from mixtune.training.walks.walk import Taken

NOTHING = np.empty(0, dtype=np.float32)


def pairs_of(count: int) -> Pairs:
    numbers = np.arange(count)
    return Pairs(numbers, numbers, numbers // 2, np.zeros(count, dtype=np.float32))


def walk_of(count: int, batch_size: int = 4, least: int = 1, seed: int = 0, rows: Rows | None = None) -> InfoBatchWalk:
    rows = np.arange(count) if rows is None else rows
    return InfoBatchWalk(pairs_of(count), rows, batch_size=batch_size, seed=(seed,), least=least)


def epoch(walk: InfoBatchWalk) -> Taken:
    """All pairs of the epoch under way, or of the next one."""
    parts, begun = [walk.take(1, 0)], walk.completed
    while walk.completed == begun:
        parts.append(walk.take(1, 0))
    weights = np.concatenate([part.weights for part in parts if part.weights is not None])
    return Taken(np.concatenate([part.rows for part in parts]), weights=weights)


def taught(walk: InfoBatchWalk, losses: np.ndarray) -> InfoBatchWalk:
    """The walk behind a first epoch that showed these losses."""
    rows = epoch(walk).rows
    walk.learn(Taken(rows), NOTHING, losses[rows].astype(np.float32))
    return walk


LOSSES = np.concatenate([np.linspace(0, 1, 12), np.linspace(5, 6, 8)])


def test_the_first_epoch_leaves_nothing_out() -> None:
    walk = walk_of(20)
    first = epoch(walk)
    assert sorted(first.rows) == list(range(20))
    assert first.weights is not None and first.weights.tolist() == [1.0] * 20
    assert walk.pruned == 0


def test_a_part_of_the_pairs_strictly_below_the_mean_is_left_out_and_the_rest_of_them_weighs_more() -> None:
    walk = taught(walk_of(20), LOSSES)
    second = epoch(walk)
    assert second.weights is not None
    low = second.rows < 12
    assert (low.sum(), sorted(second.rows[~low])) == (9, list(range(12, 20)))
    assert second.weights[low] == pytest.approx(1 / 0.75) and (second.weights[~low] == 1).all()
    assert second.weights.sum() == pytest.approx(20), "the losses of an epoch weigh what they weighed"
    assert walk.pruned == 3


@pytest.mark.parametrize(("low", "kept"), [(1, 0), (2, 1), (3, 2), (4, 3), (5, 3), (9, 6)])
def test_three_quarters_of_the_low_pairs_are_rounded_down(low: int, kept: int) -> None:
    losses = np.where(np.arange(30) < low, 0.0, 1.0)
    assert np.count_nonzero(epoch(taught(walk_of(30), losses)).rows < low) == kept


def test_each_low_pair_is_as_likely_to_be_used() -> None:
    walk, times = taught(walk_of(20), LOSSES), 400
    drawn = np.bincount(np.concatenate([epoch(walk).rows for _ in range(times)]), minlength=20) / times
    assert drawn[:12] == pytest.approx(0.75, abs=5 * (0.75 * 0.25 / times) ** 0.5)
    assert (drawn[12:] == 1).all()


def test_low_is_strictly_below_the_mean_of_the_losses_that_are_known() -> None:
    nan, inf = np.nan, np.inf
    assert low_losses(np.array([1.0, 2.0, 3.0], dtype=np.float32)).tolist() == [True, False, False]
    assert low_losses(np.array([1.0, nan, 3.0, inf], dtype=np.float32)).tolist() == [True, False, False, False]
    assert not low_losses(np.full(3, nan, dtype=np.float32)).any()


@pytest.mark.parametrize("value", [0.1, 0.3, 1e-7, 2.7, 123.456])
def test_equal_losses_leave_nothing_out(value: float) -> None:
    assert not low_losses(np.full(1001, value, dtype=np.float32)).any()


@pytest.mark.parametrize(("batch_size", "least", "used"), [(4, 1, 15), (18, 1, 18), (64, 1, 20), (4, 17, 17)])
def test_an_epoch_fills_a_batch_and_keeps_the_guard(batch_size: int, least: int, used: int) -> None:
    walk = taught(walk_of(20, batch_size, least), np.where(np.arange(20) < 18, 0.0, 9.0))
    # 18 low pairs, of which 13 are used, and two others; where more are, the weights make up for the fewer left out.
    found = epoch(walk)
    assert found.weights is not None
    assert len(set(found.rows)) == len(found.rows) == used
    if used == 15:
        assert found.weights.max() == pytest.approx(1 / 0.75)
    else:
        assert found.weights.sum() == pytest.approx(20)


@pytest.mark.parametrize(("count", "batch_size"), [(20, 6), (20, 20), (7, 5), (2, 2), (1, 4)])
def test_a_batch_is_full_and_holds_no_pair_twice_across_epochs(count: int, batch_size: int) -> None:
    walk = walk_of(count, batch_size)
    for _ in range(40):
        taken = walk.take(batch_size, 0)
        walk.learn(taken, NOTHING, taken.rows.astype(np.float32))
        assert len(set(taken.rows)) == len(taken.rows) == min(batch_size, count)
        assert taken.weights is not None and len(taken.weights) == len(taken.rows)


def test_pairs_keep_the_weight_of_their_own_epoch_across_a_border() -> None:
    walk = walk_of(20, 15)
    walk.learn(walk.take(15, 0), NOTHING, np.arange(15, dtype=np.float32))
    across = walk.take(15, 0)
    assert across.weights is not None
    assert (across.weights[:5] == 1).all() and across.weights[5:].max() == pytest.approx(1 / 0.75)


def test_a_step_renews_the_losses_of_its_pairs_and_cosines_are_not_looked_at() -> None:
    walk = walk_of(8)
    taken = walk.take(3, 0)
    walk.learn(taken, np.ones(3, dtype=np.float32), np.array([1.0, 2.0, 3.0], dtype=np.float32))
    walk.renew(np.ones(8, dtype=np.float32))
    assert walk.memory()[taken.rows].tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(walk.memory()).sum() == 5


def test_only_the_pairs_that_static_pruning_keeps_are_walked() -> None:
    rows = np.array([1, 4, 5, 9, 11])
    assert sorted(epoch(walk_of(12, rows=rows)).rows) == rows.tolist()


def test_equal_seeds_give_equal_walks_and_others_do_not() -> None:
    one, same, other = (epoch(taught(walk_of(20, seed=seed), LOSSES)).rows.tolist() for seed in (3, 3, 4))
    assert one == same != other


@pytest.mark.parametrize("cut", range(0, 13, 3))
def test_a_walk_goes_on_from_its_state_as_if_it_had_never_stopped(cut: int) -> None:
    answers = np.random.default_rng(0).random((14, 6)).astype(np.float32)

    def go(walk: InfoBatchWalk, steps: range) -> list[tuple[list[int], list[float]]]:
        found = []
        for step in steps:
            taken = walk.take(6, step)
            assert taken.weights is not None
            walk.learn(taken, NOTHING, answers[step])
            found.append((taken.rows.tolist(), taken.weights.tolist()))
        return found

    whole, first, second = (walk_of(20, 6) for _ in range(3))
    expected = go(whole, range(14))
    found = go(first, range(cut))
    second.restore(first.state(), {name: array.copy() for name, array in first.arrays().items()})
    assert found + go(second, range(cut, 14)) == expected
    assert (second.completed, second.pruned) == (whole.completed, whole.pruned)
    assert np.array_equal(second.memory(), whole.memory(), equal_nan=True)
    assert whole.completed >= 3


def test_adopted_losses_are_read_and_never_written() -> None:
    walk = taught(walk_of(20), LOSSES)
    probe = walk_of(20, seed=9)
    probe.adopt(walk.memory())
    first = epoch(probe)
    assert np.count_nonzero(first.rows < 12) == 9
    probe.learn(replace(first, rows=first.rows[:1]), NOTHING, np.array([99.0], dtype=np.float32))
    assert walk.memory().max() < 99
