"""What a finished run is worth: dev metrics and dev loss for the search, test metrics for judged roles."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mixtune.errors import TrainingError
from mixtune.recipe import FloatArray
from mixtune.study import Study
from mixtune.training.cost import search_flops
from mixtune.training.devloss import DevPool
from mixtune.training.evaluation import evaluate, mean_metrics, metrics_for, select
from mixtune.training.prepared import Floats, Prepared, PreparedTarget, Rows, Split
from mixtune.training.proxy import Embedder
from mixtune.trial import JUDGED, Metrics, Proposal, Role, Scores


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, fields as in Measurement and Outcome, and what it cost."""

    score: float
    dev: Metrics
    dev_loss: Mapping[str, float]
    test: Metrics
    scores: Scores
    dev_flops: float
    test_flops: float


@dataclass(frozen=True, slots=True)
class _Found:
    values: Mapping[str, FloatArray]
    flops: float
    loss: float | None = None


def examine(study: Study, prepared: Prepared, model: Embedder, proposal: Proposal) -> Examination:
    """Evaluate a model as a proposal's role asks.

    A round is scored on the dev queries that influence is not measured on, and its dev loss is that of the others
    (none where it probed: the end of the round knows it). Other roles take all dev queries for both. JUDGED roles
    are evaluated on test too, with scores per query.

    Raises:
        TrainingError: an embedding is not finite.
    """
    metrics = metrics_for(study.objective.metric)
    temperature = study.proxy.temperature
    names = [target.name for target in study.targets]
    found = {name: _dev(name, prepared.targets[name], model, proposal, metrics, temperature) for name in names}
    dev = {name: mean_metrics(part.values) for name, part in found.items()}
    judged = names if proposal.role in JUDGED else []
    test = {name: _search(name, prepared.targets[name].test, model, metrics) for name in judged}
    return Examination(
        score=study.score(dev),
        dev=dev,
        dev_loss={name: part.loss for name, part in found.items() if part.loss is not None},
        test={name: mean_metrics(part.values) for name, part in test.items()},
        scores={
            name: {metric: tuple(values.tolist()) for metric, values in part.values.items()}
            for name, part in test.items()
        },
        dev_flops=sum((part.flops for part in found.values()), 0.0),
        test_flops=sum((part.flops for part in test.values()), 0.0),
    )


def _dev(
    name: str, target: PreparedTarget, model: Embedder, proposal: Proposal, metrics: tuple[str, ...], temperature: float
) -> _Found:
    if proposal.role is Role.ROUND and proposal.probe is not None:
        return _search(name, select(target.dev, ~target.signal), model, metrics)
    everyone = np.ones(len(target.dev.queries), dtype=bool)
    scored, lossy = (~target.signal, target.signal) if proposal.role is Role.ROUND else (everyone, everyone)
    queries = _encode(model, target.dev.queries, name)
    documents = _encode(model, target.dev.documents, name)
    pool = DevPool(name, target, lossy)
    losses = pool.losses(queries[pool.used], documents[pool.positions], temperature)
    values = evaluate(target.dev, queries, documents, metrics)
    flops = search_flops(model, target.dev) + model.flops.similarity(pool.products, 1)
    return _Found({metric: array[scored] for metric, array in values.items()}, flops, float(losses.mean()))


def _search(name: str, split: Split, model: Embedder, metrics: tuple[str, ...]) -> _Found:
    queries, documents = _encode(model, split.queries, name), _encode(model, split.documents, name)
    return _Found(evaluate(split, queries, documents, metrics), search_flops(model, split))


def _encode(model: Embedder, rows: Rows, name: str) -> Floats:
    embeddings = model.encode(rows)
    if not np.isfinite(embeddings).all():
        raise TrainingError(f"embeddings of target {name!r} are not finite after training: lower proxy.learning_rate")
    return embeddings
