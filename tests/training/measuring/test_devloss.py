import math

import numpy as np
import pytest

from mixtune.errors import DataError
from mixtune.training.measuring.devloss import DevPool
from mixtune.training.prepared import PreparedTarget, Split


def target(seed: int = 0, queries: int = 9, documents: int = 30) -> tuple[PreparedTarget, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    judged = [rng.choice(documents, int(rng.integers(1, 5)), replace=False) for _ in range(queries)]
    grades = [np.where(rng.random(len(part)) < 0.3, 0, rng.integers(1, 3, len(part))) for part in judged]
    for part in grades[:-1]:
        part[0] = 1
    grades[-1][:] = 0
    split = Split(
        np.arange(100, 100 + queries),
        np.arange(500, 500 + documents),
        np.concatenate([[0], np.cumsum([len(part) for part in judged])]),
        np.concatenate(judged),
        np.concatenate(grades).astype(np.float32),
        False,
    )
    q, d = (rng.standard_normal((n, 6)) for n in (queries, documents))
    q, d = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (q, d))
    negatives = rng.choice(documents, 12, replace=False)
    prepared = PreparedTarget(split, split, np.arange(queries) % 2 == 0, negatives)
    return prepared, q.astype(np.float32), d.astype(np.float32)


def by_hand(prepared: PreparedTarget, q: np.ndarray, d: np.ndarray, query: int, temperature: float) -> float:
    split = prepared.dev
    own = slice(split.starts[query], split.starts[query + 1])
    positives = [int(j) for j, g in zip(split.judged[own], split.grades[own], strict=True) if g > 0]
    rest = [int(j) for j in prepared.negatives if int(j) not in positives]
    total = 0.0
    for p in positives:
        scores = [float(q[query].astype(float) @ d[j].astype(float)) / temperature for j in [p, *rest]]
        total += math.log(sum(map(math.exp, scores))) - scores[0]
    return total / len(positives)


@pytest.mark.parametrize("seed", range(3))
def test_each_query_meets_one_positive_at_a_time_and_the_sampled_documents_that_are_not_its_own(seed: int) -> None:
    prepared, q, d = target(seed)
    pool = DevPool("t", prepared, np.ones(9, dtype=bool))
    losses = pool.losses(q[pool.used], d[pool.positions], 0.07)
    assert pool.used.tolist() == list(range(8)), "the last query has no positive"
    assert losses == pytest.approx([by_hand(prepared, q, d, i, 0.07) for i in range(8)], rel=1e-9)


def test_only_marked_queries_take_part() -> None:
    prepared, q, d = target()
    pool = DevPool("t", prepared, prepared.signal)
    assert pool.used.tolist() == [0, 2, 4, 6]
    losses = pool.losses(q[pool.used], d[pool.positions], 0.05)
    assert losses == pytest.approx([by_hand(prepared, q, d, i, 0.05) for i in (0, 2, 4, 6)])


def test_rows_are_those_of_the_feature_table() -> None:
    prepared, _, _ = target()
    pool = DevPool("t", prepared, prepared.signal)
    assert np.array_equal(pool.queries, prepared.dev.queries[pool.used])
    assert np.array_equal(pool.documents, prepared.dev.documents[pool.positions])
    assert len(pool.documents) < len(prepared.dev.documents)


def test_one_usable_query_is_refused() -> None:
    prepared, _, _ = target()
    with pytest.raises(DataError, match="'t' has 1 dev queries"):
        DevPool("t", prepared, np.arange(9) == 3)


def test_a_broken_embedding_shows_in_the_loss() -> None:
    prepared, q, d = target()
    pool = DevPool("t", prepared, prepared.signal)
    q[2, 0] = np.nan
    assert np.isnan(pool.losses(q[pool.used], d[pool.positions], 0.05)[1])


def sampled_by_hand(prepared: PreparedTarget, q: np.ndarray, d: np.ndarray, pool: DevPool, row: int) -> float:
    """The loss of a sampled pool's query, for whichever of its positives gives the value nearest to the pool's."""
    split, query = prepared.dev, int(pool.used[row])
    own = slice(split.starts[query], split.starts[query + 1])
    positives = [int(j) for j, g in zip(split.judged[own], split.grades[own], strict=True) if g > 0]
    drawn = [j for j in positives if j in pool.positions]
    rest = [int(j) for j in pool.positions if int(j) not in positives]
    values = []
    for p in drawn:
        scores = [float(q[query].astype(float) @ d[j].astype(float)) / 0.05 for j in [p, *rest]]
        values.append(math.log(sum(map(math.exp, scores))) - scores[0])
    found = pool.losses(q[pool.used], d[pool.positions], 0.05)[row]
    return min(values, key=lambda value: abs(value - found))


@pytest.mark.parametrize("seed", range(5))
def test_a_sampled_pool_tells_one_positive_from_the_other_positives_and_the_sampled_documents(seed: int) -> None:
    prepared, q, d = target(seed)
    everyone = np.ones(9, dtype=bool)
    pool = DevPool.sampled("t", prepared, everyone, queries=5, negatives=4, rng=np.random.default_rng(seed))
    assert len(pool.used) == 5
    assert len(pool.documents) <= 5 + 4
    losses = pool.losses(q[pool.used], d[pool.positions], 0.05)
    assert losses == pytest.approx([sampled_by_hand(prepared, q, d, pool, row) for row in range(5)], rel=1e-9)


def test_a_sampled_pool_is_the_same_for_the_same_generator_and_another_for_another() -> None:
    prepared, _, _ = target(queries=40)
    first, again, other = (
        DevPool.sampled("t", prepared, prepared.signal, queries=8, negatives=4, rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first.used, again.used) and np.array_equal(first.positions, again.positions)
    assert not np.array_equal(first.used, other.used)
    assert prepared.signal[first.used].all()


def test_over_many_draws_a_sampled_pool_uses_every_query_and_every_positive_alike() -> None:
    prepared, _, _ = target(queries=6)
    everyone, rng = np.ones(6, dtype=bool), np.random.default_rng(0)
    seen = np.zeros(6)
    own = prepared.dev.judged[: prepared.dev.starts[1]][prepared.dev.grades[: prepared.dev.starts[1]] > 0]
    drawn = dict.fromkeys(own.tolist(), 0)
    for _ in range(600):
        pool = DevPool.sampled("t", prepared, everyone, queries=2, negatives=1, rng=rng)
        seen[pool.used] += 1
        if pool.used[0] == 0:
            drawn[int(pool.positions[pool._positives[0]])] += 1
    assert len(own) > 1 and list(drawn.values()) == pytest.approx([240 / len(own)] * len(own), rel=0.3)
    assert seen[5] == 0, "the last query has no positive"
    assert seen[:5] == pytest.approx(np.full(5, 240), abs=5 * (600 * 0.4 * 0.6) ** 0.5)


def test_a_gain_is_the_reciprocal_log_rank_of_each_positive_among_what_is_not_the_querys_own() -> None:
    prepared, q, d = target()
    pool = DevPool("t", prepared, np.ones(9, dtype=bool))
    found = pool.measure(q[pool.used], d[pool.positions], 0.05)
    assert found.losses == pytest.approx(pool.losses(q[pool.used], d[pool.positions], 0.05), rel=1e-12)
    split = prepared.dev
    for query in range(8):
        own = slice(split.starts[query], split.starts[query + 1])
        positives = [int(j) for j, g in zip(split.judged[own], split.grades[own], strict=True) if g > 0]
        rest = [int(j) for j in prepared.negatives if int(j) not in positives]
        ranks = [1 + sum(float(q[query] @ d[j]) > float(q[query] @ d[p]) for j in rest) for p in positives]
        assert found.gains[query] == pytest.approx(np.mean([1 / math.log2(1 + rank) for rank in ranks]))
