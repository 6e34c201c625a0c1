from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from mixtune.errors import TrainingError
from mixtune.training import checkpoint as module
from mixtune.training.checkpoint import Checkpoint, Standing, load_checkpoint, save_checkpoint

NONE = np.empty(0, dtype=np.int64)
STANDING = Standing(
    7, 11, {"batch": 7, "sources": {"a": [1, 2, 3]}}, {"a": 9}, {"a": 4.5}, {"a|b": {"epochs": 2}}, "dynamic", 5
)
WALKS = {"a|b": {"left": np.array([3, 1]), "memory": np.array([0.5, np.nan], dtype=np.float32)}, "c": {"left": NONE}}


def some() -> Checkpoint:
    optimiser = {"w|step": torch.tensor(7.0)}
    return Checkpoint(STANDING, {"w": torch.randn(3, 3).T}, optimiser, torch.get_rng_state(), WALKS)


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    saved = some()
    save_checkpoint(saved, tmp_path / "deep" / "0007")
    read = load_checkpoint(tmp_path / "deep" / "0007")
    assert read.standing == STANDING
    assert torch.equal(read.parameters["w"], saved.parameters["w"])
    assert torch.equal(read.optimiser["w|step"], saved.optimiser["w|step"])
    assert torch.equal(read.rng, saved.rng)
    assert {name: sorted(arrays) for name, arrays in read.walks.items()} == {"a|b": ["left", "memory"], "c": ["left"]}
    for name, arrays in WALKS.items():
        for part, array in arrays.items():
            assert read.walks[name][part].dtype == array.dtype
            np.testing.assert_array_equal(read.walks[name][part], array)


def test_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    save_checkpoint(some(), tmp_path / "c")
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_a_failed_write_leaves_nothing_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(TrainingError, match=r"c cannot be written .*No space left"):
        save_checkpoint(some(), tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_under_the_tensors_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: object, path: Path) -> None:
        path.write_bytes(b"torn")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(TrainingError, match=r"c cannot be written .*No space left"):
        save_checkpoint(some(), tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_never_written_over(tmp_path: Path) -> None:
    save_checkpoint(some(), tmp_path / "c")
    with pytest.raises(TrainingError, match="is there already"):
        save_checkpoint(some(), tmp_path / "c")


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"gone is missing or not whole .*run its trial again"):
        load_checkpoint(tmp_path / "gone")


@pytest.mark.parametrize(
    "file",
    ["parameters.safetensors", "optimiser.safetensors", "rng.safetensors", "walks.safetensors", "standing.json"],
)
@pytest.mark.parametrize("damage", ["torn", "empty", "lost"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, file: str, damage: str) -> None:
    save_checkpoint(some(), tmp_path / "c")
    path = tmp_path / "c" / file
    if damage == "lost":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: -1 if damage == "torn" else 0])
    with pytest.raises(TrainingError, match=r"checkpoint .*c (cannot be read|is missing or not whole)"):
        load_checkpoint(tmp_path / "c")
