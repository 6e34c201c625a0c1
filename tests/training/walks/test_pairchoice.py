import numpy as np
import pytest

from mixtune.training.prepared import Pairs
from mixtune.training.walks.pairchoice import choice_of, margin_bins


def pairs_of(negatives: list[list[float]], groups: list[int] | None = None) -> Pairs:
    """Pairs whose positives score 10 and whose hard negatives score as given: margins are 10 minus that."""
    count = len(negatives)
    rows = np.arange(count)
    counts = [len(own) for own in negatives]
    flat = [score for own in negatives for score in own]
    return Pairs(
        *(rows, rows + 100, np.array(groups or range(count)), np.zeros(count, np.float32)),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        negatives=np.arange(200, 200 + len(flat)),
        teacher=np.array([10.0] * count + flat, dtype=np.float32),
    )


def drawn(pairs: Pairs, bins: int, times: int = 4000, query: int = 0) -> dict[tuple[int, int], float]:
    """How often each (positive, negative) pair of one query is drawn."""
    choice = choice_of(pairs, np.arange(len(pairs.queries)), bins, negatives=True)
    taken = choice.draw(np.full(times, query), np.random.default_rng(0))
    assert taken.negatives is not None
    found, counts = np.unique(np.stack([taken.rows, taken.negatives]), axis=1, return_counts=True)
    return {(int(a), int(b)): n / times for (a, b), n in zip(found.T, counts, strict=True)}


def test_bins_are_of_equal_width_and_the_largest_margin_is_in_the_last() -> None:
    margins = [0, 0.9, 1, 4.99, 5, 9, 9.99, 10]
    assert margin_bins(margins, np.zeros(8, int), 10).tolist() == [0, 0, 1, 4, 5, 9, 9, 9]


def test_each_query_has_bins_of_its_own_range() -> None:
    found = margin_bins([0, 1, 100, 150, 200], np.array([0, 0, 1, 1, 1]), 4)
    assert found.tolist() == [0, 3, 0, 2, 3]


def test_equal_margins_are_one_bin() -> None:
    assert margin_bins([3.0, 3.0, 3.0], np.zeros(3, int), 10).tolist() == [0, 0, 0]


def test_negative_margins_are_margins_too() -> None:
    assert margin_bins([-4, -3, 0], np.zeros(3, int), 2).tolist() == [0, 0, 1]


def test_a_crowded_bin_is_drawn_no_more_often_than_a_lonely_pair() -> None:
    # Margins 0, .1, .2, .3 share a bin, 10 has one of its own.
    shares = drawn(pairs_of([[10, 9.9, 9.8, 9.7, 0]]), 10)
    assert shares[0, 4] == pytest.approx(0.5, abs=0.03)
    assert all(shares[0, place] == pytest.approx(0.125, abs=0.02) for place in range(4))


def test_without_bins_all_pairs_of_a_query_are_alike() -> None:
    shares = drawn(pairs_of([[10, 9.9, 9.8, 9.7, 0]]), 1)
    assert all(share == pytest.approx(0.2, abs=0.025) for share in shares.values()) and len(shares) == 5


def test_pairs_of_all_positives_of_a_query_are_balanced_together() -> None:
    # Query 0 has the positives 0 and 2: margins 0, .1 and 10.
    shares = drawn(pairs_of([[10, 9.9], [5], [0]], groups=[0, 1, 0]), 10)
    assert shares == {
        (0, 0): pytest.approx(0.25, abs=0.03),
        (0, 1): pytest.approx(0.25, abs=0.03),
        (2, 3): pytest.approx(0.5, abs=0.03),
    }


def test_queries_with_one_pair_stay_and_are_counted() -> None:
    pairs = pairs_of([[1], [1, 2], [3], []])
    choice = choice_of(pairs, np.arange(4), 10, negatives=True)
    assert choice.queries.tolist() == [0, 1, 2, 3]
    assert choice.unbalanced == 3
    assert "3 of 4 queries" in choice.remarks(10)[0]
    assert choice.remarks(1) == ()


def test_a_positive_without_a_negative_is_a_pair_without_one() -> None:
    assert drawn(pairs_of([[1], []]), 1, query=1) == {(1, -1): 1.0}


def test_beside_bins_a_positive_without_a_negative_is_left_to_queries_with_nothing_else() -> None:
    pairs = pairs_of([[1], [], []], groups=[0, 0, 1])
    assert drawn(pairs, 1)[1, -1] == pytest.approx(0.5, abs=0.03)
    assert drawn(pairs, 10) == {(0, 0): 1.0}
    assert drawn(pairs, 10, query=1) == {(2, -1): 1.0}


def test_pairs_that_pruning_left_out_are_never_drawn() -> None:
    pairs = pairs_of([[1, 2], [3], [4]], groups=[0, 0, 1])
    choice = choice_of(pairs, np.array([1, 2]), 10, negatives=True)
    taken = choice.draw(np.arange(2).repeat(50), np.random.default_rng(0))
    assert set(taken.rows.tolist()) == {1, 2}


def test_a_source_without_scores_is_drawn_unbalanced_and_says_so() -> None:
    pairs = pairs_of([[1, 2], [3]])
    unscored = Pairs(
        *(pairs.queries, pairs.documents, pairs.groups, pairs.similarity),
        starts=pairs.starts,
        negatives=pairs.negatives,
    )
    choice = choice_of(unscored, np.arange(2), 10, negatives=True)
    assert choice.unbalanced == 2 and "not balanced" in choice.remarks(10)[0]


def test_a_run_without_negatives_leaves_them_open() -> None:
    choice = choice_of(pairs_of([[1, 2], [3]]), np.arange(2), 1, negatives=False)
    assert choice.draw(np.arange(2), np.random.default_rng(0)).negatives is None
