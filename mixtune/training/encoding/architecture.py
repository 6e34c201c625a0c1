"""What a proxy must know of a transformer's inside: where its layers stand and what attention costs."""

from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import PreTrainedModel

from mixtune.errors import ModelError


def drop_pooler(model: SentenceTransformer) -> None:
    """Take off a pooler that nothing reads, so that it never runs: sentence-transformers pools the last states."""
    inner = transformer(model)
    if getattr(inner, "pooler", None) is not None:
        inner.register_module("pooler", None)


def attention_flops(model: SentenceTransformer) -> float:
    """Forward operations of one attention layer per sequence and squared length: two products of its full width."""
    config = transformer(model).config
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 4.0 * int(config.num_attention_heads) * int(size)


def layers_reached(model: SentenceTransformer, layers: int) -> int:
    """Layers, of so many, that a gradient reaches: those from the first on that holds a part that needs one."""
    inner = transformer(model)
    stack = next(part for part in inner.modules() if isinstance(part, nn.ModuleList) and len(part) == layers)
    parts = [inner.get_submodule("embeddings"), *stack]
    needing = [any(parameter.requires_grad for parameter in part.parameters()) for part in parts]
    return layers - max(0, needing.index(True) - 1) if any(needing) else 0


def transformer(model: SentenceTransformer) -> PreTrainedModel:
    """The transformer that a model starts with.

    Raises:
        ModelError: it starts with something else.
    """
    inner = getattr(model[0], "model", None)
    if not isinstance(inner, PreTrainedModel):
        raise ModelError(
            f"a model that starts with {type(model[0]).__name__} cannot be trained as a proxy: use a transformer or"
            " StaticEmbedding model, or proxy.trainable: head"
        )
    return inner
