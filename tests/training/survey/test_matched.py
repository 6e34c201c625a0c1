import numpy as np
import pytest
from small_study import study_of, synthetic

from mixtune.training.encoding.encodings import Encodings
from mixtune.training.prepared import Floats, Pairs, Prepared, Rows
from mixtune.training.proxy import HeadProxy
from mixtune.training.survey.matched import matched_shares, nearer


class Fixed:
    """Embeddings that are given."""

    def __init__(self, embeddings: Floats) -> None:
        self.embeddings = embeddings

    def of(self, rows: Rows) -> Floats:
        return self.embeddings[rows]


def planted(matched: float, size: int = 1000, dim: int = 16) -> tuple[Fixed, Pairs]:
    """Pairs of one source, each query a noisy copy of its document, but for a share whose documents are permuted."""
    rng = np.random.default_rng(3)
    documents = rng.standard_normal((size, dim))
    queries = documents + 0.5 * rng.standard_normal((size, dim))
    table = np.concatenate([queries, documents]).astype(np.float32)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    rows = np.arange(size, 2 * size)
    wrong = np.arange(size) >= matched * size
    rows[wrong] = rng.permutation(rows[wrong])
    return Fixed(table), Pairs(np.arange(size), rows, np.arange(size), np.zeros(size, np.float32))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_the_share_of_matched_pairs_is_recovered(share: float) -> None:
    table, pairs = planted(share)
    study = study_of(synthetic()[1])
    prepared = Prepared(dict.fromkeys(study.names, pairs), {})
    found = matched_shares(study, prepared, table)  # type: ignore[arg-type]
    assert set(found) == set(study.names)
    for value in found.values():
        assert value == pytest.approx(share, abs=0.08)


def test_a_source_of_one_document_has_nothing_to_be_held_against() -> None:
    table, pairs = planted(1.0, size=4)
    one = Pairs(pairs.queries, np.full(4, 4), pairs.groups, pairs.similarity)
    study = study_of(synthetic()[1])
    assert set(matched_shares(study, Prepared(dict.fromkeys(study.names, one), {}), table).values()) == {1.0}  # type: ignore[arg-type]


def test_other_documents_are_compared_with_the_positive_and_ties_count_half() -> None:
    table = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], dtype=np.float32)
    rng = np.random.default_rng(0)
    documents = np.array([1, 2])
    found = nearer(np.array([0, 0]), np.array([1, 2]), documents, Fixed(table), rng)  # type: ignore[arg-type]
    assert found.tolist() == [0.0, 1.0]
    tied = nearer(np.array([0]), np.array([1]), np.array([1, 3]), Fixed(table), rng)  # type: ignore[arg-type]
    assert tied.tolist() == [0.5]


def test_it_is_measured_on_the_base_models_embeddings() -> None:
    table, prepared = synthetic()
    found = matched_shares(study_of(prepared), prepared, Encodings(HeadProxy(table)))
    assert all(0 <= value <= 1 for value in found.values())
    assert found["shuffled"] < found["good"]
