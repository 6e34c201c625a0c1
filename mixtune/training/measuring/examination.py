"""What a finished run is worth: dev metrics and dev loss for the search, test metrics for judged roles."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mixtune.errors import TrainingError
from mixtune.measurement import Metrics, Scores
from mixtune.proposal import JUDGED, Proposal, Role
from mixtune.recipe import FloatArray
from mixtune.study import Study
from mixtune.training.encoding.encodings import Encodings
from mixtune.training.measuring.devloss import DevPool
from mixtune.training.measuring.evaluation import evaluate, mean_metrics, metrics_for, select
from mixtune.training.prepared import Floats, Prepared, PreparedTarget, Rows, Split

PARTS = 4
"""Parts of the dev queries that a fresh run is also scored on (ours)."""

FEWEST = 16
"""Dev queries of a target below which there are no parts."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, fields as in Measurement and Outcome, and what it cost. score is None where none was asked."""

    score: float | None
    dev: Metrics
    dev_loss: Mapping[str, float]
    test: Metrics
    scores: Scores
    dev_flops: float
    test_flops: float
    dev_parts: tuple[float, ...] = ()
    dev_signal: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    values: Mapping[str, FloatArray]
    flops: float
    loss: float | None = None


def examine(study: Study, prepared: Prepared, encodings: Encodings, proposal: Proposal) -> Examination:
    """Evaluate a model as a proposal's role asks.

    A round is scored on the dev queries that influence is not measured on, and its dev loss is that of the others
    (none where it probed: the end of the round knows it). Other roles take all dev queries for both. JUDGED roles are
    evaluated on test too, with scores per query, unless the study judges nothing. Texts that dev has encoded are not
    encoded again for test, and are charged to dev. A proposal that is not to be scored is not looked at.

    Raises:
        TrainingError: an embedding is not finite.
    """
    if not proposal.scored:
        return Examination(None, {}, {}, {}, {}, 0.0, 0.0)
    metrics = metrics_for(study.objective.metric)
    temperature = study.proxy.temperature
    names = [target.name for target in study.targets]
    found = {name: _dev(name, prepared.targets[name], encodings, proposal, metrics, temperature) for name in names}
    dev = {name: mean_metrics(part.values) for name, part in found.items()}
    judged = names if proposal.role in JUDGED and study.final.seeds > 0 else []
    test = {name: _search(name, prepared.targets[name].test, encodings, metrics) for name in judged}
    fresh = {} if proposal.role is Role.ROUND else {name: part.values for name, part in found.items()}
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
        dev_parts=_parts(study, fresh),
        dev_signal=_signal(study, prepared, fresh),
    )


def _parts(study: Study, values: Mapping[str, Mapping[str, FloatArray]]) -> tuple[float, ...]:
    """The objective on each part of the dev queries: of every target those numbered k, k + PARTS, k + 2 PARTS, ..."""
    if not values or any(len(each[study.objective.metric]) < FEWEST for each in values.values()):
        return ()
    return tuple(
        study.score(
            {
                name: mean_metrics({metric: column[part::PARTS] for metric, column in each.items()})
                for name, each in values.items()
            }
        )
        for part in range(PARTS)
    )


def _signal(study: Study, prepared: Prepared, values: Mapping[str, Mapping[str, FloatArray]]) -> tuple[float, ...]:
    """The objective on the dev queries that signals are measured on, then on the others."""
    marks = {name: prepared.targets[name].signal for name in values}
    return tuple(
        study.score(
            {
                name: mean_metrics({metric: column[marks[name] == seen] for metric, column in each.items()})
                for name, each in values.items()
            }
        )
        for seen in (True, False)
        if values
    )


def _dev(
    name: str,
    target: PreparedTarget,
    encodings: Encodings,
    proposal: Proposal,
    metrics: tuple[str, ...],
    temperature: float,
) -> _Found:
    if proposal.role is Role.ROUND and proposal.probe is not None:
        return _search(name, select(target.dev, ~target.signal), encodings, metrics)
    everyone = np.ones(len(target.dev.queries), dtype=bool)
    scored, lossy = (~target.signal, target.signal) if proposal.role is Role.ROUND else (everyone, everyone)
    found = _search(name, target.dev, encodings, metrics)
    pool = DevPool(name, target, lossy)
    losses = pool.losses(encodings.of(pool.queries), encodings.of(pool.documents), temperature)
    return _Found(
        {metric: values[scored] for metric, values in found.values.items()},
        found.flops + encodings.model.flops.similarity(pool.products, 1),
        float(losses.mean()),
    )


def _search(name: str, split: Split, encodings: Encodings, metrics: tuple[str, ...]) -> _Found:
    before = encodings.flops
    queries, documents = _encode(encodings, split.queries, name), _encode(encodings, split.documents, name)
    products = encodings.model.flops.similarity(len(queries), len(documents))
    return _Found(evaluate(split, queries, documents, metrics), encodings.flops - before + products)


def _encode(encodings: Encodings, rows: Rows, name: str) -> Floats:
    embeddings = encodings.of(rows)
    if not np.isfinite(embeddings).all():
        raise TrainingError(f"embeddings of target {name!r} are not finite after training: lower proxy.learning_rate")
    return embeddings
