import ir_measures
import numpy as np
import pytest

from mixtune.training.measuring.evaluation import evaluate, metrics_for, parse_metric, select
from mixtune.training.prepared import Split

NAMES = ("ndcg@10", "ndcg@3", "recall@20", "recall@5", "mrr@10", "map@7", "map@100")
MEASURES = {
    "ndcg@10": ir_measures.nDCG @ 10,
    "ndcg@3": ir_measures.nDCG @ 3,
    "recall@20": ir_measures.R @ 20,
    "recall@5": ir_measures.R @ 5,
    "mrr@10": ir_measures.RR @ 10,
    "map@7": ir_measures.AP @ 7,
    "map@100": ir_measures.AP @ 100,
}


def graded(seed: int, queries: int = 30, documents: int = 60) -> tuple[Split, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    judged, grades, starts = [], [], [0]
    for _ in range(queries):
        count = int(rng.integers(1, 25))
        judged.append(rng.choice(documents, count, replace=False))
        grade = rng.integers(0, 4, count)
        grade[0] = max(1, grade[0])
        grades.append(grade)
        starts.append(starts[-1] + count)
    split = Split(
        np.arange(queries),
        np.arange(documents),
        np.array(starts),
        np.concatenate(judged),
        np.concatenate(grades).astype(np.float32),
        True,
    )
    q, d = (rng.standard_normal((n, 12)).astype(np.float32) for n in (queries, documents))
    return split, q / np.linalg.norm(q, axis=1, keepdims=True), d / np.linalg.norm(d, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(4))
def test_every_metric_equals_that_of_ir_measures_on_graded_judgements(seed: int) -> None:
    split, q, d = graded(seed)
    qrels = {
        str(i): {str(split.judged[at]): int(split.grades[at]) for at in range(split.starts[i], split.starts[i + 1])}
        for i in range(len(q))
    }
    run = {str(i): {str(j): float(s) for j, s in enumerate(row)} for i, row in enumerate(q @ d.T)}
    ours = evaluate(split, q, d, NAMES)
    by_measure = {measure: name for name, measure in MEASURES.items()}
    seen = 0
    for entry in ir_measures.iter_calc(list(MEASURES.values()), qrels, run):
        assert ours[by_measure[entry.measure]][int(entry.query_id)] == pytest.approx(entry.value, abs=1e-6)
        seen += 1
    assert seen == len(NAMES) * len(q)


def one_query(order: list[float], judged: list[int], grades: list[float]) -> tuple[Split, np.ndarray, np.ndarray]:
    documents = np.array([[x, np.sqrt(1 - x * x)] for x in order], dtype=np.float32)
    split = Split(
        np.array([0]),
        np.arange(len(order)),
        np.array([0, len(judged)]),
        np.array(judged, dtype=np.int64),
        np.array(grades, dtype=np.float32),
        True,
    )
    return split, np.array([[1.0, 0.0]], dtype=np.float32), documents


def test_a_hand_computed_query() -> None:
    # Ranking 0, 1, 2, 3; document 1 has grade 2, document 3 grade 1, document 0 is judged worthless.
    split, q, d = one_query([0.9, 0.8, 0.7, 0.6], [3, 0, 1], [1, -1, 2])
    found = evaluate(split, q, d, ["ndcg@3", "recall@3", "mrr@3", "map@4"])
    assert found["ndcg@3"][0] == pytest.approx((2 / np.log2(3)) / (2 + 1 / np.log2(3)))
    assert found["recall@3"][0] == 0.5
    assert found["mrr@3"][0] == 0.5
    assert found["map@4"][0] == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_a_cut_off_beyond_the_corpus_looks_at_all_documents() -> None:
    split, q, d = one_query([0.9, 0.8], [1], [1])
    assert evaluate(split, q, d, ["recall@20", "ndcg@10"])["recall@20"][0] == 1


def test_a_query_without_relevant_documents_scores_zero() -> None:
    split, q, d = one_query([0.9, 0.8], [1], [0])
    assert all(values[0] == 0 for values in evaluate(split, q, d, NAMES).values())


def test_selecting_queries_keeps_their_own_judgements() -> None:
    split, q, d = graded(9)
    marked = np.arange(len(q)) % 3 == 1
    whole, part = evaluate(split, q, d, NAMES), evaluate(select(split, marked), q[marked], d, NAMES)
    assert all(np.array_equal(whole[name][marked], part[name]) for name in NAMES)


@pytest.mark.parametrize("name", ["ndcg", "ndcg@0", "NDCG@10", "precision@5", "recall@x", ""])
def test_a_strange_metric_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"metric .* is not known: use ndcg@k"):
        parse_metric(name)


def test_an_objective_adds_its_metric_once() -> None:
    assert metrics_for("map@5") == ("ndcg@10", "recall@20", "map@5")
    assert metrics_for("ndcg@10") == ("ndcg@10", "recall@20")
