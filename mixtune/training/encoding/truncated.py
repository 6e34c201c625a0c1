"""The last layers of a transformer as a model of their own, fed with hidden states instead of tokens."""

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from mixtune.errors import ModelError


class ContinuedModel(nn.Module):
    """A sentence-transformers model without its frozen layers.

    inner is that model; its embeddings pass hidden states through and its layer list holds the last layers only, so
    parameters() are what `last:n` may train (and what follows the layers: poolers, norms, dense modules).
    """

    def __init__(self, inner: SentenceTransformer) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Sentence embeddings (B, dim), not normalised, from hidden states (B, T, d) and a mask (B, T)."""
        out = self.inner({"inputs_embeds": states, "attention_mask": attention_mask})
        return torch.as_tensor(out["sentence_embedding"])


class _PassThrough(nn.Module):
    """Stands where the embeddings stood; the argument order is that of DistilBERT, the others pass keywords."""

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        *_: torch.Tensor | None,
        **__: object,
    ) -> torch.Tensor:
        if inputs_embeds is None:
            raise ValueError("a continued model takes hidden states, not tokens")
        return inputs_embeds


def layer_list(model: SentenceTransformer) -> nn.ModuleList:
    """The transformer layers of a model, first to last.

    Raises:
        ModelError: the model has none, or they cannot be found.
    """
    return _find(model)[2]


def continue_from(model: SentenceTransformer, layers: int) -> ContinuedModel:
    """Copy the last `layers` transformer layers, and what follows them, into a model of their own.

    The given model is left as it is; frozen layers and token embeddings are not copied.

    Raises:
        ModelError: the architecture cannot be split, or it has fewer layers.
    """
    transformer, path, stack = _find(model)
    _check_depth(layers, len(stack))
    # deepcopy takes what stands in the memo for the copy of that object: the frozen parts are never copied.
    memo: dict[int, object] = {id(transformer.embeddings): _PassThrough()}
    memo |= {id(layer): nn.Identity() for layer in stack[:-layers]}
    inner = copy.deepcopy(model, memo)
    copied = _transformer(inner)
    parent, _, name = path.rpartition(".")
    setattr(copied.get_submodule(parent), name, nn.ModuleList(list(copied.get_submodule(path).children())[-layers:]))
    return ContinuedModel(inner)


class Entering(threading.local):
    """The hidden states (B, T, d) of the calling thread's latest forward pass."""

    states: torch.Tensor


@contextmanager
def capture_entering(model: SentenceTransformer, layers: int) -> Iterator[Entering]:
    """Keep the hidden states that enter the last `layers` layers in forward passes inside the block.

    Raises:
        ModelError: as continue_from.
    """
    stack = layer_list(model)
    _check_depth(layers, len(stack))
    entering = Entering()

    def keep(_: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        states = args[0] if args else kwargs["hidden_states"]
        entering.states = torch.as_tensor(states).detach()

    handle = stack[len(stack) - layers].register_forward_pre_hook(keep, with_kwargs=True)
    try:
        yield entering
    finally:
        handle.remove()


def _check_depth(layers: int, depth: int) -> None:
    if not 1 <= layers <= depth:
        raise ModelError(f"last:{layers} is not possible: the model has {depth} layers, use last:1 to last:{depth}")


def _transformer(model: SentenceTransformer) -> nn.Module:
    inner = getattr(model[0], "model", None)
    if not isinstance(inner, nn.Module) or not isinstance(getattr(inner, "embeddings", None), nn.Module):
        raise ModelError(_unsupported(model))
    return inner


def _find(model: SentenceTransformer) -> tuple[nn.Module, str, nn.ModuleList]:
    transformer = _transformer(model)
    count = getattr(getattr(transformer, "config", None), "num_hidden_layers", None)
    for path, module in transformer.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return transformer, path, module
    raise ModelError(_unsupported(model))


def _unsupported(model: SentenceTransformer) -> str:
    inner = getattr(model[0], "model", model[0])
    return (
        f"last:n is not supported for this architecture ({type(inner).__name__}): use a BERT, RoBERTa, XLM-RoBERTa,"
        " MPNet, DistilBERT or ModernBERT encoder, or trainable: head or all"
    )
