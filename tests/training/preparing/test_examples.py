import numpy as np

from mixtune.training.data.texts import SourceText
from mixtune.training.prepared import Pairs
from mixtune.training.preparing.examples import pairs_of


def made(**parts: object) -> Pairs:
    """Pairs of the texts q0 d0, q1 d1, q0 d2, whose rows are 10, 20, 11, 21, 10, 22; negative n is row 30 + n."""
    text = SourceText(("q0", "q1", "q0"), ("d0", "d1", "d2"), ("a", "b", "a"), **parts)  # type: ignore[arg-type]
    rows = {"d0": 20, "d1": 21, "d2": 22}
    flat = [rows.get(name) or 30 + int(name[1:]) for own in text.negatives for name in own]
    embeddings = np.eye(40, 4, dtype=np.float32)
    return pairs_of(text, np.array([10, 11, 10]), np.array([20, 21, 22]), np.array(flat, dtype=np.int64), embeddings)


def test_plain_pairs_carry_nothing_more() -> None:
    pairs = made()
    assert pairs.groups.tolist() == [0, 1, 0]
    assert [extra.size for extra in (pairs.starts, pairs.negatives, pairs.weights, pairs.teacher)] == [0, 0, 0, 0]


def test_negatives_and_scores_are_flat_in_the_order_of_the_pairs() -> None:
    pairs = made(negatives=(("n5", "n6"), (), ("n7",)), weights=(1.0, 0.5, 2.0), teacher=((9, 5, 6), (8,), (7, 3)))
    assert pairs.starts.tolist() == [0, 2, 2, 3]
    assert pairs.negatives.tolist() == [35, 36, 37]
    assert pairs.weights.tolist() == [1, 0.5, 2]
    assert pairs.teacher.tolist() == [9, 8, 7, 5, 6, 3]
    assert (pairs.negatives.dtype, pairs.teacher.dtype, pairs.weights.dtype) == (np.int64, np.float32, np.float32)


def test_a_negative_that_is_a_positive_of_its_query_anywhere_in_the_source_is_left_out() -> None:
    pairs = made(
        negatives=(("d0", "n5", "d2"), ("d0", "d1"), ("d0", "n6")), teacher=((9, 1, 2, 3), (8, 4, 5), (7, 6, 0))
    )
    assert pairs.starts.tolist() == [0, 1, 2, 3]
    assert pairs.negatives.tolist() == [35, 20, 36]
    assert pairs.teacher.tolist() == [9, 8, 7, 2, 4, 0]


def test_a_source_whose_negatives_are_all_positives_has_none() -> None:
    pairs = made(negatives=(("d2",), (), ("d0",)))
    assert (pairs.negatives.size, pairs.starts.tolist()) == (0, [0, 0, 0, 0])


def test_scores_and_weights_of_pairs_without_negatives_are_kept() -> None:
    pairs = made(negatives=((), (), ()), teacher=((9,), (8,), (7,)), weights=(1.0, 0.5, 2.0))
    assert (pairs.teacher.tolist(), pairs.weights.tolist()) == ([9, 8, 7], [1, 0.5, 2])
