from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mixtune.errors import DataError
from mixtune.training.prepared import Pairs, Prepared, PreparedTarget, Split, load, load_record, save


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def made(rows: int = 3) -> Prepared:
    pairs = Pairs(np.arange(rows), np.arange(rows) + 1, np.arange(rows), np.linspace(0, 1, rows, dtype=np.float32))
    empty = Split(ints(4), ints(5, 6), ints(0, 0), ints(), np.empty(0, dtype=np.float32), False)
    whole = Split(ints(7), ints(8), ints(0, 1), ints(0), np.ones(1, dtype=np.float32), True)
    return Prepared({"with/slash": pairs, "b": pairs}, {"t": PreparedTarget(empty, whole, np.array([True]), ints(1))})


def test_everything_comes_back_in_order_and_read_only(tmp_path: Path) -> None:
    save(made(), tmp_path / "x", {"note": [1]})
    found = load(tmp_path / "x")
    assert list(found.sources) == ["with/slash", "b"]
    np.testing.assert_array_equal(found.sources["b"].documents, ints(1, 2, 3))
    np.testing.assert_array_equal(found.sources["b"].similarity, np.array([0, 0.5, 1], dtype=np.float32))
    target = found.targets["t"]
    assert (target.dev.full, target.test.full, target.dev.judged.size) == (False, True, 0)
    np.testing.assert_array_equal(target.dev.documents, ints(5, 6))
    np.testing.assert_array_equal(target.test.judged, ints(0))
    np.testing.assert_array_equal(target.signal, [True])
    assert load_record(tmp_path / "x") == {"note": [1]}
    with pytest.raises(ValueError, match="read-only"):
        found.sources["b"].queries[0] = 9


def test_negatives_weights_and_scores_come_back_and_what_is_lacking_takes_no_file(tmp_path: Path) -> None:
    plain = made()
    floats = np.linspace(0, 1, 5, dtype=np.float32)
    rich = replace(
        plain.sources["b"], starts=ints(0, 2, 2, 2), negatives=ints(8, 9), weights=floats[:3], teacher=floats
    )
    save(replace(plain, sources={"plain": plain.sources["b"], "rich": rich}), tmp_path / "x", None)
    found = load(tmp_path / "x").sources
    for name in ("starts", "negatives", "weights", "teacher"):
        np.testing.assert_array_equal(getattr(found["rich"], name), getattr(rich, name))
        assert getattr(found["plain"], name).size == 0
        assert (tmp_path / "x" / f"source1.{name}.npy").is_file()
        assert not (tmp_path / "x" / f"source0.{name}.npy").exists()


def test_large_arrays_are_mapped(tmp_path: Path) -> None:
    save(made(100_000), tmp_path / "x", None)
    assert isinstance(load(tmp_path / "x").sources["b"].queries, np.memmap)


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    save(made(), tmp_path / "x", "first")
    save(made(5), tmp_path / "x", "second")
    assert load_record(tmp_path / "x") == "first"
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["x"]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        save(made(), tmp_path / "x", object())  # type: ignore[arg-type]
    assert not any(path.is_dir() for path in tmp_path.iterdir())


def test_what_was_never_prepared_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing is prepared in .*gone"):
        load(tmp_path / "gone")
