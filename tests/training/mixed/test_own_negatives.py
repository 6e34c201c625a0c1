import numpy as np
import pytest

from mixtune.training.mixed.own_negatives import OwnNegatives
from mixtune.training.prepared import Pairs
from mixtune.training.walks.walk import Taken


def pairs_of(
    documents: list[int], groups: list[int] | None = None, negatives: dict[int, list[int]] | None = None
) -> Pairs:
    """Pairs whose queries are rows from 1000 on; hard negatives by pair number."""
    own = negatives or {}
    counts = [len(own.get(i, [])) for i in range(len(documents))]
    return Pairs(
        np.arange(1000, 1000 + len(documents)),
        np.array(documents),
        np.array(groups if groups is not None else range(len(documents))),
        np.zeros(len(documents), np.float32),
        starts=np.concatenate([[0], np.cumsum(counts)]),
        negatives=np.array([n for i in range(len(documents)) for n in own.get(i, [])], dtype=np.int64),
    )


def told(
    pairs: Pairs, rows: list[int], most: int = 3, *, seed: int = 1, place: int = 0, position: int = 0
) -> np.ndarray:
    sources = [pairs_of([0, 1])] * place + [pairs]
    return OwnNegatives(sources, most, seed=seed).of({place: Taken(np.array(rows))}, 9, position).documents


def test_hard_negatives_come_first_and_other_documents_fill_up() -> None:
    pairs = pairs_of(list(range(50)), negatives={0: [500, 501], 1: [502, 503, 504]})
    found = OwnNegatives([pairs], 3, seed=1).of({0: Taken(np.array([0, 1, 2]))}, 9, 0)
    assert set(found.documents[0, :2]) == {500, 501} and found.documents[0, 2] in range(1, 50)
    assert set(found.documents[1]) == {502, 503, 504}
    assert set(found.documents[2]) <= set(range(50)) - {2}
    assert found.drawn.tolist() == [1, 0, 3]


def test_of_many_hard_negatives_all_are_used_in_turn() -> None:
    pairs = pairs_of([1, 2], negatives={0: [10, 11, 12, 13, 14]})
    seen = np.concatenate([told(pairs, [0], 2, position=position)[0] for position in range(200)])
    counts = np.bincount(seen, minlength=15)[10:]
    assert counts.sum() == 400
    assert counts.min() > 50


def test_a_drawn_negative_is_never_a_positive_of_the_query_nor_there_twice() -> None:
    rng = np.random.default_rng(0)
    documents, groups = rng.integers(30, size=300), rng.integers(40, size=300)
    pairs = pairs_of(documents.tolist(), groups.tolist(), {i: [int(rng.integers(30))] for i in range(0, 300, 3)})
    found = told(pairs, list(range(300)), 7)
    for pair, own in enumerate(found):
        positives = set(documents[groups == groups[pair]])
        given = own[own >= 0]
        assert len(set(given)) == len(given)
        assert not positives & set(given.tolist())
        assert len(given) == min(7, 30 - len(positives)), "all that there is is found"


def test_equal_pairs_have_equal_drawn_negatives_in_any_run_and_batch() -> None:
    pairs = pairs_of(list(range(100)))
    alone = told(pairs, [17], 7)[0]
    assert np.array_equal(alone, told(pairs, [4, 90, 17], 7, position=55)[2])
    assert not np.array_equal(alone, told(pairs, [17], 7, seed=2)[0])
    assert not np.array_equal(alone, told(pairs, [17], 7, place=1)[0])


def test_all_documents_are_drawn_alike() -> None:
    pairs = pairs_of(list(range(60)))
    counts = np.bincount(np.concatenate([told(pairs, list(range(60)), 7, seed=seed).ravel() for seed in range(100)]))
    assert counts / 7 == pytest.approx(np.full(60, 100), rel=0.25)


@pytest.mark.parametrize(("documents", "expected"), [([5, 5, 5], 0), ([5, 6, 7], 2)])
def test_a_source_of_few_documents_gives_fewer(documents: list[int], expected: int) -> None:
    found = OwnNegatives([pairs_of(documents)], 7, seed=1).of({0: Taken(np.arange(3))}, 9, 0)
    assert (found.documents >= 0).sum(axis=1).tolist() == [expected] * 3
    assert found.drawn.tolist() == [expected] * 3


def test_the_negative_that_a_walk_chose_is_the_first() -> None:
    pairs = pairs_of(list(range(20)), negatives={0: [100, 101, 102], 1: [103]})
    taken = Taken(np.array([0, 1]), negatives=np.array([2, -1]))
    found = OwnNegatives([pairs], 2, seed=1).of({0: taken}, 9, 0).documents
    assert found[0, 0] == 102 and (found[:, 1] < 20).all() and found[1, 0] < 20


def test_sources_of_one_batch_are_told_from_their_own_documents_as_if_alone() -> None:
    sources = [pairs_of(list(range(30))), pairs_of(list(range(100, 140)), negatives={3: [900]})]
    rows = [np.array([5, 7]), np.array([3, 4, 11])]
    found = OwnNegatives(sources, 7, seed=1).of({1: Taken(rows[1]), 0: Taken(rows[0])}, 9, 0).documents
    assert found[0, 0] == 900 and (found[0, 1:] >= 100).all() and (found[3:] < 30).all()
    alone = [OwnNegatives(sources, 7, seed=1).of({place: Taken(rows[place])}, 9, 0).documents for place in (1, 0)]
    assert np.array_equal(found, np.concatenate(alone))
