"""Where a run stands, as one folder that appears whole or not at all."""

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from pydantic import JsonValue as Json
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from mixtune.errors import TrainingError
from mixtune.training.walks.walk import Arrays

PARTS = ("parameters", "optimiser", "rng", "walks")
"""Files of tensors in a checkpoint."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The part of a checkpoint that is plain numbers.

    position is the schedule's; draw and seed are those of the draw of batches, rows the usable pairs per source that
    it was drawn from; exposure counts steps per source since the base model. walks holds the small part of the state
    of each source's walk, kind what they are (see walk_kind), renewed the position at which their stored cosines were
    last refreshed.
    """

    position: int
    seed: int
    draw: dict[str, Json]
    rows: dict[str, int]
    exposure: dict[str, float]
    walks: dict[str, dict[str, Json]] = field(default_factory=dict)
    kind: str = ""
    renewed: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that a run needs to go on as if it had never stopped.

    rng is the state of torch's generator; walks holds the long part of the state of each source's walk.
    """

    standing: Standing
    parameters: Mapping[str, Tensor]
    optimiser: Mapping[str, Tensor]
    rng: Tensor
    walks: Mapping[str, Arrays] = field(default_factory=dict)


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint beside its place, then rename it.

    Raises:
        TrainingError: it cannot be written, or something is there already.
    """
    if path.exists():
        raise TrainingError(f"checkpoint {path} is there already: each attempt needs a path of its own")
    aside = path.with_name(f"{path.name}.tmp-{uuid.uuid4().hex}")
    tensors = {
        "parameters": checkpoint.parameters,
        "optimiser": checkpoint.optimiser,
        "rng": {"rng": checkpoint.rng},
        "walks": {
            f"{source}|{name}": torch.from_numpy(array)
            for source, arrays in checkpoint.walks.items()
            for name, array in arrays.items()
        },
    }
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
        parts = {name: load((path / f"{name}.safetensors").read_bytes()) for name in PARTS}
        standing = TypeAdapter(Standing).validate_json((path / "standing.json").read_bytes())
        walks: dict[str, dict[str, npt.NDArray[Any]]] = {}
        for label, value in parts["walks"].items():
            source, _, name = label.rpartition("|")
            walks.setdefault(source, {})[name] = value.numpy()
        return Checkpoint(standing, parts["parameters"], parts["optimiser"], parts["rng"]["rng"], walks)
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
