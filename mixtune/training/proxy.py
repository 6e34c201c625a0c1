"""The proxy at work: what is trainable of a base model, turning rows of the feature table into embeddings."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from mixtune.errors import ModelError
from mixtune.proxy import Proxy
from mixtune.training.encoding import models
from mixtune.training.encoding.architecture import attention_flops, drop_pooler, layers_reached, transformer
from mixtune.training.encoding.embedder import Features
from mixtune.training.encoding.encoder import length_batches, model_inputs, tight_batches
from mixtune.training.encoding.flops import LENGTH, SEQUENCES, Flops, measure
from mixtune.training.encoding.truncated import continue_from, layer_list
from mixtune.training.prepared import Floats, Rows
from mixtune.training.threads import spread

STEP_TOKENS = 1024
"""Padded tokens that a training step sends through a model at once (ours, measured on a CPU with bf16 instructions)."""

STEP_OVERHEAD = 64
"""Tokens that one more pass through the model costs about as much as (ours, likewise)."""


class ProxyModel(ABC):
    """A trainable model on top of what is frozen and cached. One instance serves trial after trial: see `reset`.

    module holds what runs and nothing else, all of it trainable; device is where it is. Embeddings are normalised.
    flops counts its work and cost measures it anew, for the parameters that need a gradient then; dtype is what matrix
    products are computed in (None: float32). threads is how many threads its training steps gain from (None: all there
    are).
    """

    threads: ClassVar[int | None] = None

    def __init__(
        self, table: Features, module: nn.Module, cost: Callable[[], Flops], dtype: torch.dtype | None = None
    ) -> None:
        self.table = table
        self.module = module.requires_grad_(True)
        self.flops = cost()
        self._cost = cost
        self._partial: dict[frozenset[str], Flops] = {}
        self.device = next(module.parameters()).device
        self._dtype = dtype
        self._lengths = np.asarray(table.lengths)
        self._initial = {name: value.clone() for name, value in module.state_dict().items()}

    @abstractmethod
    def forward(self, rows: Rows) -> Tensor:
        """Embeddings of one batch of texts as the module gives them, (len(rows), dim)."""

    def embed(self, rows: Rows) -> Tensor:
        """Embed the texts of a training step, in the present mode and with gradient: (len(rows), dim), float32.

        Texts of like length go through the module together, at most STEP_TOKENS padded tokens at a time: less is
        computed on padding, and what is computed stays in the processor's caches.
        """
        batches = self._step_batches(rows)
        if len(batches) == 1:
            return self._embed_batch(rows)
        # One autocast region: parameters are cast once for all batches.
        with self._autocast():
            parts = [self._embed_batch(rows[positions]) for positions in batches]
        places = np.argsort(np.concatenate(batches))
        return torch.cat(parts)[torch.from_numpy(places).to(self.device)]

    def _embed_batch(self, rows: Rows) -> Tensor:
        with self._autocast():
            embeddings = self.forward(rows)
        return F.normalize(embeddings.float(), dim=-1)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=self._dtype or torch.bfloat16, enabled=self._dtype is not None)

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """The trainable parameters by name."""
        return dict(self.module.named_parameters())

    def reset(self) -> None:
        """Go back to the base model."""
        self.module.load_state_dict(self._initial)

    def encode(self, rows: Rows) -> Floats:
        """Embed any number of texts in evaluation mode, without gradient: (len(rows), dim)."""
        self.module.eval()
        embeddings = np.empty((len(rows), self.flops.dim), dtype=np.float32)

        def run(positions: Rows) -> None:
            with torch.inference_mode():
                embeddings[positions] = self._embed_batch(rows[positions]).cpu().numpy()

        for _ in spread(run, self._batches(rows), self.device):
            pass
        return embeddings

    def encode_flops(self, rows: Rows) -> float:
        """Cost of `encode`."""
        return sum(self.flops.encode(len(some), self._width(rows[some])) for some in self._batches(rows))

    def train_flops(self, rows: Rows) -> float:
        """Cost of `embed` and of its gradient."""
        return sum(self.flops.train(len(some), self._width(rows[some])) for some in self._step_batches(rows))

    def embed_flops(self, rows: Rows) -> float:
        """Cost of `embed` without its gradient."""
        return sum(self.flops.encode(len(some), self._width(rows[some])) for some in self._step_batches(rows))

    def gradient_flops(self, rows: Rows, names: frozenset[str]) -> float:
        """Cost of the gradient of `embed` in the named parameters, without `embed` itself."""
        flops = self._partial_flops(names)
        return sum(flops.backward(len(some), self._width(rows[some])) for some in self._step_batches(rows))

    def pieces(self, rows: Rows) -> Iterator[Rows]:
        """Positions of texts in parts that fit into memory with their gradient, however many texts there are."""
        return self._batches(rows)

    @contextmanager
    def only(self, names: frozenset[str]) -> Iterator[None]:
        """Inside the block gradients reach the named parameters alone, and nothing is kept for others."""
        for name, parameter in self.parameters.items():
            parameter.requires_grad_(name in names)
        try:
            yield
        finally:
            self.module.requires_grad_(True)

    def _partial_flops(self, names: frozenset[str]) -> Flops:
        if names not in self._partial:
            with self.only(names):
                self._partial[names] = self._cost()
        return self._partial[names]

    def _width(self, rows: Rows) -> int:
        return int(self._lengths[rows].max())

    def _batches(self, rows: Rows) -> Iterator[Rows]:
        return length_batches(self._lengths[rows])

    def _step_batches(self, rows: Rows) -> list[Rows]:
        return tight_batches(self._lengths[rows], STEP_TOKENS, STEP_OVERHEAD)


class HeadProxy(ProxyModel):
    """One dense layer, identity at the start and without bias, on the base model's frozen embeddings. Always fp32.

    Its products are too small to share: waiting for a second thread costs more than it brings, and on a busy machine
    tens of times more.
    """

    threads = 1

    def __init__(self, table: Features) -> None:
        # A plain view: fancy indexing of the memmap subclass is several times slower.
        self._embeddings = np.asarray(table.embeddings)
        dim = int(self._embeddings.shape[1])
        dense = nn.Linear(dim, dim, bias=False)
        nn.init.eye_(dense.weight)
        weight = 2.0 * dim * dim
        super().__init__(table, dense, lambda: Flops(dim=dim, sequence=weight, sequence_backward=weight))

    def forward(self, rows: Rows) -> Tensor:
        """Embeddings through the dense layer."""
        return torch.as_tensor(self.module(torch.from_numpy(self._embeddings[rows])))

    def _batches(self, rows: Rows) -> Iterator[Rows]:
        for start in range(0, len(rows), 8192):
            yield np.arange(start, min(start + 8192, len(rows)))

    def _step_batches(self, rows: Rows) -> list[Rows]:
        return [np.arange(len(rows))]


class LayersProxy(ProxyModel):
    """The last layers of a transformer, on the cached hidden states that enter them."""

    def __init__(self, table: Features, model: SentenceTransformer, layers: int, precision: str) -> None:
        drop_pooler(model)
        module = continue_from(model, layers).requires_grad_(True)
        self._layers = layers
        states = torch.zeros(SEQUENCES, LENGTH, int(transformer(model).config.hidden_size), device=model.device)
        mask = torch.ones(SEQUENCES, LENGTH, dtype=torch.long, device=model.device)
        dim, each = int(table.embeddings.shape[1]), attention_flops(model)

        def cost() -> Flops:
            reached = layers_reached(module.inner, layers)
            forward = partial(module, states, mask)
            return measure(module, forward, dim=dim, attention=layers * each, attention_backward=2 * reached * each)

        super().__init__(table, module, cost, models.autocast_dtype(precision))

    def forward(self, rows: Rows) -> Tensor:
        """Embeddings from the states that enter the trained layers, padded on the right."""
        states = self.table.states(self._layers, rows)
        lengths = np.array([len(one) for one in states])
        mask = np.arange(lengths.max()) < lengths[:, None]
        padded = np.zeros((*mask.shape, states[0].shape[1]), dtype=np.int16)
        padded[mask] = np.concatenate(states).view(np.int16)
        inputs = torch.from_numpy(padded).view(torch.bfloat16).to(self.device).float()
        return torch.as_tensor(self.module(inputs, torch.from_numpy(mask.astype(np.int64)).to(self.device)))


class FullProxy(ProxyModel):
    """A whole sentence-transformers model, on cached tokens. Static embeddings multiply nothing and cost nothing."""

    def __init__(self, table: Features, model: SentenceTransformer, precision: str) -> None:
        self.model = model
        dim = int(table.embeddings.shape[1])
        if models.is_static(model):
            super().__init__(table, model, lambda: Flops(dim=dim))
            return
        drop_pooler(model)
        inputs = model_inputs(model, [np.zeros(LENGTH, dtype=np.int32)] * SEQUENCES)
        layers, each = len(layer_list(model)), attention_flops(model)

        def cost() -> Flops:
            def forward() -> Tensor:
                return torch.as_tensor(model(dict(inputs))["sentence_embedding"])

            reached = layers_reached(model, layers)
            return measure(model, forward, dim=dim, attention=layers * each, attention_backward=2 * reached * each)

        super().__init__(table, model, cost, models.autocast_dtype(precision))

    def forward(self, rows: Rows) -> Tensor:
        """Embeddings from tokens."""
        inputs = model_inputs(self.model, self.table.tokens(rows))
        return torch.as_tensor(self.model(inputs)["sentence_embedding"])

    def _step_batches(self, rows: Rows) -> list[Rows]:
        return [np.arange(len(rows))] if models.is_static(self.model) else super()._step_batches(rows)


def open_proxy(model: str, proxy: Proxy, table: Features) -> ProxyModel:
    """Build what a study's proxy trains, at the base model's values. `head` loads no model at all.

    Raises:
        ModelError: the model is not there, or cannot be trained as asked.
    """
    kind, _, layers = proxy.trainable.partition(":")
    if proxy.trainable == "head":
        return HeadProxy(table)
    if proxy.trainable != "all" and not (kind == "last" and layers.isdecimal()):
        raise ModelError(
            f"proxy.trainable is {proxy.trainable!r}: use 'head', 'all', or 'last:n' with n the number of layers"
        )
    base = models.load(models.resolve(model), proxy.max_length)
    if kind == "all":
        return FullProxy(table, base, proxy.precision)
    return LayersProxy(table, base, int(layers), proxy.precision)
