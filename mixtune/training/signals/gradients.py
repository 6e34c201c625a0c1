"""Gradients of sources and of targets, and how they lie to each other: one source at a time, however many there are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mixtune.errors import TrainingError
from mixtune.measurement import Alignment
from mixtune.proposal import Gradients
from mixtune.recipe import FloatArray
from mixtune.training.encoding import models
from mixtune.training.encoding.encodings import Encodings, distinct
from mixtune.training.encoding.truncated import layer_list
from mixtune.training.measuring.devloss import DevPool
from mixtune.training.prepared import Prepared, Rows
from mixtune.training.proxy import FullProxy, ProxyModel
from mixtune.training.randomness import own_randomness
from mixtune.training.run import Run
from mixtune.training.signals.probing import arm_walk, probe_pools
from mixtune.training.walks.walk import Taken

EVERYTHING = "*"
"""What Gradients.parameters says for all trainable parameters, whatever the proxy."""

_GRADIENTS = 0x67726164


class Trained(Protocol):
    """A run as gradients see it: its loss on pairs of one source."""

    def loss(self, source: str, taken: Taken) -> Tensor:
        """The loss, with its gradient; nothing moves."""
        ...

    def loss_flops(self, source: str, taken: Taken, names: frozenset[str]) -> float:
        """Cost of `loss` and of its gradient in the named parameters alone."""
        ...


@dataclass(frozen=True, slots=True)
class Aligned:
    """How the gradients of sources lie to those of targets, and what the gradients of either cost."""

    alignment: Mapping[str, Alignment]
    source_flops: float
    target_flops: float


@dataclass(frozen=True, slots=True)
class Pull:
    """The gradient of targets' dev loss in some parameters, one float32 vector, and its cost."""

    vector: Tensor
    flops: float


def default_parameters(model: ProxyModel) -> tuple[str, ...]:
    """Parameters that gradients are compared in where nothing else is said (ours).

    All that is trainable of `head`, `last:n` and StaticEmbedding models; of a whole transformer its last layer, whose
    gradient costs neither the backward pass nor the memory of the layers below it.
    """
    if not isinstance(model, FullProxy) or models.is_static(model.model):
        return tuple(model.parameters)
    last = {id(parameter) for parameter in layer_list(model.model)[-1].parameters()}
    return tuple(name for name, parameter in model.parameters.items() if id(parameter) in last)


def chosen_parameters(model: ProxyModel, text: str) -> frozenset[str]:
    """Names of the trainable parameters that Gradients.parameters means.

    Raises:
        TrainingError: none has the text in its name.
    """
    if text == EVERYTHING:
        return frozenset(model.parameters)
    names = [name for name in model.parameters if text in name] if text else default_parameters(model)
    if not names:
        raise TrainingError(
            f"no trainable parameter has {text!r} in its name: use '' for the default, {EVERYTHING!r} for all, or a"
            f" part of one of {', '.join(list(model.parameters)[:4])}, ..."
        )
    return frozenset(names)


def alignments(
    run: Run,
    trained: Trained,
    pools: Mapping[str, DevPool],
    gradients: Gradients,
    *,
    seed: int,
    encodings: Encodings,
) -> Aligned:
    """Compare the gradient of each source with that of each target; the run, and its random numbers, stay as they are.

    A source's gradient is that of the run's own loss, dropout as in training, averaged over gradients.batches batches
    drawn from it alone, as a probe draws them. A target's is that of its mean dev loss in evaluation mode. Memory holds
    the gradients of the targets and of one source. A source whose gradient is not finite is left out; where a gradient
    is 0, so are its cosines.

    Args:
        run: what is trained, and what its sources are.
        trained: gives the loss, the run itself or what draws mixed batches for it.
        pools: per target the dev queries and documents that its loss is of.
        gradients: what to compare.
        seed: decides the batches and dropout; which other sources are asked for makes no difference.
        encodings: of the model as it is; texts that it knows are not embedded again for the value of the dev loss.

    Raises:
        TrainingError: the gradient of a target is not finite, or no parameter is meant.
    """
    model, temperature = run.model, run.settings.temperature
    names = chosen_parameters(model, gradients.parameters)
    pulls = {name: target_gradient(model, [(1.0, pool)], temperature, names, encodings) for name, pool in pools.items()}
    for name, pull in pulls.items():
        if not torch.isfinite(pull.vector).all():
            raise TrainingError(f"the gradient of target {name!r} is not finite: lower proxy.learning_rate")
    norms = {name: _product(pull.vector, pull.vector) ** 0.5 for name, pull in pulls.items()}
    found: dict[str, Alignment] = {}
    flops = 0.0
    for source in gradients.sources:
        own = _seed(seed, list(run.rows).index(source))
        walk = arm_walk(run, source, None, own)
        total = torch.zeros(1, device=model.device)
        with own_randomness(model.device, own), model.only(names):
            model.module.train()
            for _ in range(gradients.batches):
                taken = walk.take(run.settings.batch_size, run.optimiser.position)
                total = total + gradient(trained.loss(source, taken), model, names) / gradients.batches
                flops += trained.loss_flops(source, taken, names)
        if torch.isfinite(total).all():
            norm = _product(total, total) ** 0.5
            products = {name: _product(total, pull.vector) for name, pull in pulls.items()}
            found[source] = Alignment(
                cosine={name: product / max(norm * norms[name], 1e-300) for name, product in products.items()},
                product=products,
                norm=norm,
            )
    return Aligned(found, flops, sum(pull.flops for pull in pulls.values()))


class StepGradients:
    """Inner products of sources' gradients with those of the targets, at every step of a run.

    The targets' gradient is the mean of their dev losses' gradients by importance. Where Gradients.queries is a number,
    the dev queries are drawn anew at every step, from (seed, step) alone.

    Args:
        model: the proxy.
        prepared: the study's arrays.
        importances: weight per target, summing to 1.
        gradients: queries, negatives and parameters are read.
        temperature: of the dev loss.
        seed: of the run.

    Raises:
        TrainingError: no parameter is meant.
    """

    def __init__(
        self,
        model: ProxyModel,
        prepared: Prepared,
        importances: Mapping[str, float],
        gradients: Gradients,
        *,
        temperature: float,
        seed: int,
    ) -> None:
        self._model = model
        self._importances = importances
        self._temperature = temperature
        self._names = chosen_parameters(model, gradients.parameters)
        fixed = probe_pools(prepared, gradients, seed) if gradients.queries is None else None

        def pools(position: int) -> Mapping[str, DevPool]:
            if fixed is not None:
                return fixed
            return probe_pools(prepared, gradients, _seed(seed, position))

        self._pools: Callable[[int], Mapping[str, DevPool]] = pools

    def target(self, position: int) -> Pull:
        """The targets' gradient at a step; torch's random numbers are left alone."""
        pools = [(self._importances[name], pool) for name, pool in self._pools(position).items()]
        return target_gradient(self._model, pools, self._temperature, self._names, Encodings(self._model))

    def products(self, losses: Mapping[int, Tensor], target: Tensor, sources: int) -> tuple[FloatArray, FloatArray]:
        """Inner products with the target's gradient of gradients scaled down to norm 1, and norms before: (sources,).

        Source by source, so that memory holds one of their gradients; nan where a source is absent.

        Args:
            losses: loss per position of a present source; their graphs are kept.
            target: the targets' gradient.
            sources: how many sources there are.
        """
        product, norm = np.full(sources, np.nan), np.full(sources, np.nan)
        for place, loss in losses.items():
            own = gradient(loss, self._model, self._names, keep=True)
            norm[place] = _product(own, own) ** 0.5
            product[place] = _product(own, target) / max(1.0, norm[place])
        return product, norm

    def flops(self, texts: Sequence[Rows]) -> float:
        """Cost of `products` over losses of these texts."""
        return sum(self._model.gradient_flops(rows, self._names) for rows in texts)


def target_gradient(
    model: ProxyModel,
    pools: Sequence[tuple[float, DevPool]],
    temperature: float,
    names: frozenset[str],
    encodings: Encodings,
) -> Pull:
    """Gradient of the weighted sum of pools' mean dev losses in the named parameters, in evaluation mode.

    The loss is differentiated in the embeddings first, and their gradient is then carried through the model in parts
    (GradCache, arXiv 2101.06983): exact without dropout, and memory does not grow with the pools.
    """
    before = encodings.flops
    texts, which = distinct(np.concatenate([rows for _, pool in pools for rows in (pool.queries, pool.documents)]))
    embeddings = torch.from_numpy(encodings.of(texts)).requires_grad_()
    lengths = [len(rows) for _, pool in pools for rows in (pool.queries, pool.documents)]
    sides = torch.split(embeddings[torch.from_numpy(which)], lengths)
    loss = torch.zeros((), dtype=torch.float64)
    for (weight, pool), queries, documents in zip(pools, sides[::2], sides[1::2], strict=True):
        loss = loss + weight * pool.tensor(queries, documents, temperature).mean()
    (pulled,) = torch.autograd.grad(loss, embeddings)
    pulled = pulled.to(model.device)
    products = sum(pool.products for _, pool in pools)
    flops = encodings.flops - before + 3 * model.flops.similarity(products, 1)
    total = torch.zeros(1, device=model.device)
    model.module.eval()
    with model.only(names):
        for part in model.pieces(texts):
            share = (model.embed(texts[part]) * pulled[torch.from_numpy(part)]).sum()
            total = total + gradient(share, model, names)
            flops += model.embed_flops(texts[part]) + model.gradient_flops(texts[part], names)
    return Pull(total, flops)


def gradient(loss: Tensor, model: ProxyModel, names: frozenset[str], *, keep: bool = False) -> Tensor:
    """Gradient of a loss in the named parameters as one vector; keep keeps the graph for another backward pass."""
    parameters = [parameter for name, parameter in model.parameters.items() if name in names]
    found = torch.autograd.grad(loss, parameters, retain_graph=keep, materialize_grads=True)
    return torch.cat([part.reshape(-1) for part in found])


def _seed(seed: int, part: int) -> int:
    return int(np.random.SeedSequence([seed, _GRADIENTS, part]).generate_state(1)[0])


def _product(one: Tensor, other: Tensor) -> float:
    return float((one.double() * other.double()).sum())
