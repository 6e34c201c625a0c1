"""Where a run stands, as one folder that appears whole or not at all."""

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import JsonValue as Json
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from mixtune.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Standing:
    """The part of a checkpoint that is plain numbers.

    position is the schedule's; draw and seed are those of the draw of batches, rows the usable pairs per source that
    it was drawn from; exposure counts steps per source since the base model.
    """

    position: int
    seed: int
    draw: dict[str, Json]
    rows: dict[str, int]
    exposure: dict[str, float]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that a run needs to go on as if it had never stopped; rng is the state of torch's generator."""

    standing: Standing
    parameters: Mapping[str, Tensor]
    optimiser: Mapping[str, Tensor]
    rng: Tensor


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint beside its place, then rename it.

    Raises:
        TrainingError: it cannot be written, or something is there already.
    """
    if path.exists():
        raise TrainingError(f"checkpoint {path} is there already: each attempt needs a path of its own")
    aside = path.with_name(f"{path.name}.tmp-{uuid.uuid4().hex}")
    tensors = {"parameters": checkpoint.parameters, "optimiser": checkpoint.optimiser, "rng": {"rng": checkpoint.rng}}
    try:
        aside.mkdir(parents=True)
        (aside / "standing.json").write_text(json.dumps(asdict(checkpoint.standing)))
        for name, part in tensors.items():
            save_file(_plain(part), aside / f"{name}.safetensors")
        for place in (*aside.iterdir(), aside):
            _sync(place)
        aside.rename(path)
        _sync(path.parent)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise TrainingError(f"checkpoint {path} cannot be written ({error}): free some space and resume") from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        TrainingError: it is not there, or not whole.
    """
    try:
        parts = {name: load((path / f"{name}.safetensors").read_bytes()) for name in ("parameters", "optimiser", "rng")}
        standing = TypeAdapter(Standing).validate_json((path / "standing.json").read_bytes())
        return Checkpoint(standing, parts["parameters"], parts["optimiser"], parts["rng"]["rng"])
    except FileNotFoundError as error:
        raise TrainingError(
            f"checkpoint {path} is missing or not whole ({error.filename} is not there): run its trial again"
        ) from error
    except (OSError, SafetensorError, ValidationError, KeyError) as error:
        raise TrainingError(f"checkpoint {path} cannot be read ({error}): run its trial again") from error


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def _sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
