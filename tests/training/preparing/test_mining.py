import numpy as np
import pytest

from mixtune.training.data.texts import SourceText
from mixtune.training.preparing.mining import mined


def at(*cosines: float) -> np.ndarray:
    """Vectors of length 1 at these cosines to the first axis, each turned towards an axis of its own."""
    vectors = np.zeros((len(cosines), len(cosines) + 1))
    vectors[:, 0] = cosines
    vectors[np.arange(len(cosines)), 1 + np.arange(len(cosines))] = np.sqrt(1 - np.square(cosines))
    return vectors.astype(np.float32)


def source(pairs: list[tuple[str, str]], cosines: dict[str, float], count: int) -> SourceText:
    """Mine for one query `q` (at cosine 1); a pair of another query only brings its document into the source."""
    names = ["q", *cosines]
    embeddings = at(1.0, *cosines.values())
    row = {name: place for place, name in enumerate(names)}
    text = SourceText(*(tuple(each) for each in zip(*pairs, strict=True)), keys=tuple(query for query, _ in pairs))
    queries = np.array([row[query] for query, _ in pairs])
    return mined(text, queries, np.array([row[document] for _, document in pairs]), embeddings, count)


COSINES = {"good": 0.8, "near": 0.79, "hard": 0.7, "middle": 0.5, "far": 0.1, "other": -0.5}
PAIRS = [("q", "good"), ("other", "near"), ("other", "hard"), ("other", "middle"), ("other", "far")]


def test_the_nearest_that_are_not_too_near_are_mined_nearest_first() -> None:
    # 0.79 is above 0.95 * 0.8: it may be a positive that nobody marked.
    assert source(PAIRS, COSINES, 2).negatives[0] == ("hard", "middle")


def test_a_positive_of_the_query_is_never_mined() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((60, 4))
    embeddings = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    queries, documents = rng.integers(0, 20, 80), rng.integers(20, 60, 80)
    text = SourceText(
        tuple(f"q{row}" for row in queries), tuple(f"d{row}" for row in documents), tuple(map(str, queries))
    )
    found = mined(text, queries, documents, embeddings, 5)
    positives = set(zip(text.queries, text.documents, strict=True))
    brought = {(query, each) for query, own in zip(found.queries, found.negatives, strict=True) for each in own}
    assert brought and not brought & positives
    assert all(len(set(own)) == len(own) for own in found.negatives)


def test_the_least_similar_positive_of_a_query_decides_what_is_too_near() -> None:
    pairs = [*PAIRS, ("q", "middle")]
    # 0.95 * 0.5 leaves `far` alone, for both pairs of the query.
    assert source(pairs, COSINES, 2).negatives[0] == ("far",) == source(pairs, COSINES, 2).negatives[-1]


def test_negatives_are_found_however_many_documents_are_nearer_than_the_positive() -> None:
    near = {f"near {i}": 0.9 - i / 1000 for i in range(300)}
    pairs = [("q", "good"), *(("other", name) for name in near), ("other", "far")]
    assert source(pairs, {"good": 0.3, **near, "far": 0.2, "other": -0.5}, 2).negatives[0] == ("far",)


def test_beside_a_negative_cosine_the_margin_lies_below_it() -> None:
    cosines = {"good": -0.1, "near": -0.101, "hard": -0.2, "other": 0.5}
    pairs = [("q", "good"), ("other", "near"), ("other", "hard")]
    assert source(pairs, cosines, 2).negatives[0] == ("hard",)


def test_pairs_with_fewer_than_wanted_are_counted() -> None:
    cosines = {"good": 0.05, "near": 0.5, "hard": 0.6, "other": 0.0}
    pairs = [("q", "good"), ("other", "near"), ("other", "hard")]
    found = source(pairs, cosines, 1)
    assert found.negatives[0] == ()
    assert "1 of 3 pairs have fewer than 1 mined negatives (1 have none)" in found.notes[-1]
    assert found.notes[-2] == "2 hard negatives were mined for 3 pairs"


@pytest.mark.parametrize("batch", [1, 9, 1000])
def test_chunks_of_queries_change_nothing(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mixtune.training.preparing.mining._AT_ONCE", batch)
    assert source(PAIRS, COSINES, 2).negatives[0] == ("hard", "middle")
