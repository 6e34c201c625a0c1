from itertools import pairwise

import numpy as np
import pytest

from mixtune.training.encoding.encoder import tight_batches


def cost(batches: list[list[int]], overhead: int) -> int:
    return sum(len(batch) * max(batch) + overhead for batch in batches)


def cheapest(lengths: list[int], most: int, overhead: int) -> int:
    """Over all ways to cut the sorted lengths."""
    found = []
    for cuts in range(1 << (len(lengths) - 1)):
        edges = [0, *(i + 1 for i in range(len(lengths) - 1) if cuts >> i & 1), len(lengths)]
        batches = [lengths[a:b] for a, b in pairwise(edges)]
        if all(len(batch) == 1 or len(batch) * batch[0] <= most for batch in batches):
            found.append(cost(batches, overhead))
    return min(found)


@pytest.mark.parametrize("overhead", [0, 3, 20, 1000])
@pytest.mark.parametrize("most", [5, 30, 60, 1000])
def test_step_batches_are_the_cheapest_of_all_cuts(most: int, overhead: int) -> None:
    for seed in range(5):
        lengths = np.random.default_rng(seed).integers(0, 25, 9).astype(np.int32)
        batches = tight_batches(lengths, most, overhead)
        assert sorted(np.concatenate(batches).tolist()) == list(range(9))
        assert all(len(batch) == 1 or len(batch) * lengths[batch].max() <= most for batch in batches)
        expected = cheapest(sorted(lengths.tolist(), reverse=True), most, overhead)
        assert cost([lengths[batch].tolist() for batch in batches], overhead) == expected


def test_texts_of_one_length_stay_together() -> None:
    assert [batch.tolist() for batch in tight_batches(np.full(6, 7, dtype=np.int32), 42, 1)] == [[0, 1, 2, 3, 4, 5]]
