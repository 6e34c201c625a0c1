"""Texts to tokens, tokens to tensors, and both through a model in batches of similar length."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer

from mixtune.training.encoding.models import is_static, quiet
from mixtune.training.encoding.truncated import capture_entering
from mixtune.training.threads import spread

Tokens = npt.NDArray[np.int32]

BATCH_TOKENS = 2048
"""Padded tokens per forward pass when encoding; a single longer text makes a batch of its own."""

_TOO_MANY = 1 << 40


def tokenise(model: SentenceTransformer, texts: Sequence[str], max_length: int) -> list[Tokens]:
    """Token ids of each text as the model itself makes them, special tokens included, cut at max_length."""
    if is_static(model):
        tokenizer: Any = model[0].tokenizer
        encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        ids = [encoding.ids[:max_length] for encoding in encodings]
    else:
        limit = min(max_length, int(model.max_seq_length or max_length))
        with quiet():
            ids = model.tokenizer(
                list(texts),
                truncation=True,
                max_length=limit,
                padding=False,
                return_attention_mask=False,
                return_token_type_ids=False,
            )["input_ids"]
    return [np.asarray(one, dtype=np.int32) for one in ids]


def model_inputs(model: SentenceTransformer, tokens: Sequence[Tokens]) -> dict[str, torch.Tensor]:
    """Tensors on the model's device that the model's forward takes for these texts.

    Transformers: input_ids and attention_mask, both (B, T), padded on the right. StaticEmbedding: flat input_ids and
    offsets (B,).
    """
    lengths = np.array([len(one) for one in tokens])
    if is_static(model):
        flat = np.concatenate([*tokens, np.empty(0, dtype=np.int32)]).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        arrays = {"input_ids": flat, "offsets": offsets}
    else:
        mask = np.arange(lengths.max()) < lengths[:, None]
        padded = np.full(mask.shape, int(model.tokenizer.pad_token_id or 0), dtype=np.int64)
        padded[mask] = np.concatenate(tokens)
        arrays = {"input_ids": padded, "attention_mask": mask.astype(np.int64)}
    return {name: torch.from_numpy(array).to(model.device) for name, array in arrays.items()}


def length_batches(lengths: npt.NDArray[np.int32], batch_tokens: int = BATCH_TOKENS) -> Iterator[npt.NDArray[np.int64]]:
    """Positions of texts in batches of similar length, longest first, each of at most batch_tokens padded tokens."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // max(1, int(lengths[order[start]])))
        yield order[start : start + size]
        start += size


def tight_batches(lengths: npt.NDArray[np.int32], batch_tokens: int, overhead: int) -> list[npt.NDArray[np.int64]]:
    """Positions of texts in batches of similar length, longest first, so that as little as possible is computed.

    The fewest padded tokens, where one more batch counts as `overhead` tokens and none but a single text goes beyond
    batch_tokens: exact, by dynamic programming over the texts in order of length. Meant for one step's texts.
    """
    order = np.argsort(-lengths, kind="stable")
    width = lengths[order].astype(np.int64)
    best = np.zeros(len(order) + 1, dtype=np.int64)
    begin = np.zeros(len(order) + 1, dtype=np.int64)
    for end in range(1, len(order) + 1):
        first = max(0, end - max(1, batch_tokens // max(1, int(width[end - 1]))))
        padded = np.arange(end - first, 0, -1) * width[first:end]
        cost = best[first:end] + np.where(padded <= batch_tokens, padded, _TOO_MANY) + overhead
        cost[-1] = best[end - 1] + width[end - 1] + overhead
        place = int(np.argmin(cost))
        best[end], begin[end] = cost[place], first + place
    batches = []
    end = len(order)
    while end > 0:
        batches.append(order[begin[end] : end])
        end = int(begin[end])
    return batches[::-1]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One batch that went through the model.

    positions are those of its texts among the texts given, embeddings (B, dim) have length 1; states are the bits of
    the bfloat16 hidden states (B, T, d) entering the last layers, None where nobody asked.
    """

    positions: npt.NDArray[np.int64]
    embeddings: npt.NDArray[np.float32]
    states: npt.NDArray[np.uint16] | None


def encode_all(
    model: SentenceTransformer, tokens: Sequence[Tokens], dtype: torch.dtype | None, layers: int | None = None
) -> Iterator[Encoded]:
    """Send any number of texts through the model, longest first, and yield each batch as it is done.

    On a CPU the batches are spread over threads, see `spread`; the result does not depend on their number.

    Args:
        model: in eval mode.
        tokens: token ids of each text.
        dtype: of matrix products, None for float32.
        layers: also give the hidden states that enter the last `layers` layers.
    """
    lengths = np.array([len(one) for one in tokens], dtype=np.int32)
    capture = nullcontext() if layers is None else capture_entering(model, layers)
    with capture as entering:

        def run(positions: npt.NDArray[np.int64]) -> Encoded:
            embeddings = encode(model, [tokens[i] for i in positions], dtype)
            if entering is None:
                return Encoded(positions, embeddings, None)
            bits = entering.states.to(torch.bfloat16).cpu().view(torch.int16).numpy()
            return Encoded(positions, embeddings, bits.view(np.uint16))

        yield from spread(run, length_batches(lengths), model.device)


@contextmanager
def inference(model: SentenceTransformer, dtype: torch.dtype | None) -> Iterator[None]:
    """No gradients, and matrix products in dtype (None: float32), in the calling thread."""
    device = model.device.type
    with torch.inference_mode(), torch.autocast(device, dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        yield


def encode(model: SentenceTransformer, tokens: Sequence[Tokens], dtype: torch.dtype | None) -> npt.NDArray[np.float32]:
    """Sentence embeddings of one batch, (B, dim), of length 1 each."""
    with inference(model, dtype):
        embeddings = model(model_inputs(model, tokens))["sentence_embedding"]
        normal = torch.nn.functional.normalize(embeddings.float(), dim=-1)
    return np.asarray(normal.cpu().numpy(), dtype=np.float32)
