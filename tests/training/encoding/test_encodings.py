import numpy as np
from small_study import bench_of, study_of, synthetic

from mixtune.proposal import Proposal, Role
from mixtune.training.encoding.encodings import Encodings, distinct
from mixtune.training.encoding.flops import Flops
from mixtune.training.measuring.examination import examine


class Recorder:
    """Embeds row r as (r, 1), costs one operation per text, and keeps what it was asked."""

    def __init__(self) -> None:
        self.flops = Flops(dim=2)
        self.asked: list[list[int]] = []

    def encode(self, rows: np.ndarray) -> np.ndarray:
        self.asked.append(rows.tolist())
        return np.stack([rows, np.ones(len(rows))], axis=1).astype(np.float32)

    def encode_flops(self, rows: np.ndarray) -> float:
        return float(len(rows))


def test_each_text_is_encoded_once_in_the_order_of_asking() -> None:
    model = Recorder()
    encodings = Encodings(model)
    for rows in ([7, 3, 7, 5], [5, 9, 3, 1, 9], [1, 9, 5, 7, 3]):
        assert encodings.of(np.array(rows))[:, 0].tolist() == rows
    assert model.asked == [[7, 3, 5], [9, 1]]
    assert encodings.flops == 5


def test_asking_for_nothing_encodes_nothing() -> None:
    model = Recorder()
    assert Encodings(model).of(np.empty(0, dtype=np.int64)).shape == (0, 2)
    assert model.asked == []


def test_distinct_rows_keep_the_order_of_their_first_appearance() -> None:
    rows = np.random.default_rng(0).integers(0, 30, 200)
    found, which = distinct(rows)
    assert found.tolist() == list(dict.fromkeys(rows.tolist()))
    assert found[which].tolist() == rows.tolist()


def test_a_judged_run_encodes_no_text_of_dev_again_for_test() -> None:
    table, prepared = synthetic()
    study, model = study_of(prepared), bench_of(table, prepared).model
    target = prepared.targets["left"]
    shared = {**prepared.targets, "left": type(target)(target.dev, target.dev, target.signal, target.negatives)}
    prepared = type(prepared)(prepared.sources, shared)
    found = examine(study, prepared, Encodings(model), Proposal(study.recipe(study.proportional()), 0, Role.ANCHOR))
    alone = examine(study, prepared, Encodings(model), Proposal(study.recipe(study.proportional()), 0, Role.SEARCH))
    assert found.test["left"] == found.dev["left"]
    assert (found.dev, found.dev_flops) == (alone.dev, alone.dev_flops)
    right = prepared.targets["right"].test
    products = sum(len(one.queries) * len(one.documents) for one in (target.dev, right))
    assert found.test_flops == 2 * 16 * 16 * (len(right.queries) + len(right.documents)) + 2 * 16 * products
