"""What a run costs in floating-point operations, before it runs and while it does."""

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from mixtune.preparation import MixedCost
from mixtune.proposal import NEGATIVES
from mixtune.recipe import Mixture
from mixtune.sampler import RecipeDraw
from mixtune.source import SourceFacts
from mixtune.study import Study
from mixtune.training.encoding.embedder import Embedder
from mixtune.training.encoding.encodings import distinct
from mixtune.training.measuring.devloss import DevPool
from mixtune.training.mixed.own_negatives import OwnNegatives
from mixtune.training.mixed.step import MixedStep, mixed_step
from mixtune.training.prepared import Pairs, Prepared, PreparedTarget, Split
from mixtune.training.proxy import ProxyModel
from mixtune.training.step import step_of
from mixtune.training.teaching.teachers import NO_TEACHING, Teaching
from mixtune.training.walks.walk import Taken

SAMPLED_STEPS = 1000
"""Steps that are drawn to find what a step costs on average."""

SAMPLED_MIXED = 20
"""The same for mixed batches: each of them holds rows of many sources."""


def search_flops(model: Embedder, split: Split) -> float:
    """Cost of evaluating a split: its distinct texts encoded, and every query against every document."""
    queries, documents = distinct(split.queries)[0], distinct(split.documents)[0]
    encoding = model.encode_flops(queries) + model.encode_flops(documents[~np.isin(documents, queries)])
    return encoding + model.flops.similarity(len(split.queries), len(split.documents))


def judging_flops(model: Embedder, targets: Collection[PreparedTarget]) -> float:
    """What evaluating test as well costs a run that has evaluated dev: a text that both hold is encoded once."""
    splits = [target.test for target in targets]
    tested = distinct(np.concatenate([rows for split in splits for rows in (split.queries, split.documents)]))[0]
    held = np.concatenate([rows for target in targets for rows in (target.dev.queries, target.dev.documents)])
    products = sum(model.flops.similarity(len(split.queries), len(split.documents)) for split in splits)
    return model.encode_flops(tested[~np.isin(tested, held)]) + products


def fresh_run_flops(
    study: Study,
    facts: Mapping[str, SourceFacts],
    prepared: Prepared,
    model: ProxyModel,
    teaching: Teaching = NO_TEACHING,
) -> float:
    """Expected cost of one fresh full-length run at proportional weights with its dev evaluation.

    This is the unit of Budget.runs. Batches are drawn as a run would draw them, and only their lengths are read. Where
    the study's space mixes sources in a batch, so does the run.

    Args:
        study: may be unprepared.
        facts: what reading the sources showed.
        prepared: the study's arrays.
        model: the proxy; of its table only lengths and embedding size are read.
        teaching: of the study.

    Raises:
        DataError: a target has fewer than 2 dev queries with a positive.
    """
    rows = {name: np.arange(len(prepared.sources[name].queries)) for name in study.names}
    mixture = Mixture.normalised({name: float(facts[name].rows) for name in study.names})
    draw = RecipeDraw(rows, mixture, study.proxy.batch_size, study.seed)
    sampled = min(study.proxy.steps, SAMPLED_STEPS)
    if study.space.batching.mixed:
        sources = {name: prepared.sources[name] for name in study.names}
        total = sum(model.train_flops(step.texts()) for step in mixed_steps(sources, draw, sampled, NEGATIVES))
    else:
        total = 0.0
        for position in range(sampled):
            name, chosen = draw.draw()
            step = step_of(prepared.sources[name], Taken(chosen), study.proxy.negatives, study.seed, position, teaching)
            total += step.flops(model, study.proxy)
    return total * study.proxy.steps / max(1, sampled) + dev_flops(model, prepared.targets)


def dev_flops(model: ProxyModel, targets: Mapping[str, PreparedTarget]) -> float:
    """Cost of a dev evaluation: scores, and the dev loss of all queries. Raises DataError as `fresh_run_flops`."""
    total = 0.0
    for name, target in targets.items():
        products = DevPool(name, target, np.ones(len(target.dev.queries), dtype=bool)).products
        total += search_flops(model, target.dev) + model.flops.similarity(products, 1)
    return total


def mixed_cost(study: Study, prepared: Prepared, model: ProxyModel) -> MixedCost:
    """Cost of steps on mixed batches of all sources alike, whatever the study's own batches are."""
    sources = {name: prepared.sources[name] for name in study.names}
    rows = {name: np.arange(len(pairs.queries)) for name, pairs in sources.items()}
    draw = RecipeDraw(rows, Mixture.uniform(study.names), study.proxy.batch_size, study.seed)
    pairs = negatives = forward = 0.0
    for step in mixed_steps(sources, draw, SAMPLED_MIXED, NEGATIVES):
        own = model.train_flops(np.concatenate([step.queries, step.documents]))
        whole = model.train_flops(step.texts())
        pairs, negatives = pairs + own, negatives + (whole - own) / NEGATIVES
        forward += model.embed_flops(step.texts())
    return MixedCost(
        pairs / SAMPLED_MIXED, negatives / SAMPLED_MIXED, forward / max(pairs + NEGATIVES * negatives, 1e-300)
    )


def mixed_steps(sources: Mapping[str, Pairs], draw: RecipeDraw, steps: int, negatives: int) -> Iterator[MixedStep]:
    """Steps on mixed batches as a run would draw them, with so many own negatives per example."""
    pairs, places = list(sources.values()), {name: place for place, name in enumerate(sources)}
    own = OwnNegatives(pairs, negatives, seed=draw.seed)
    for position in range(steps):
        taken = {places[name]: Taken(draw.walk(name, size)) for name, size in draw.choose_rows().items()}
        yield mixed_step(taken, pairs, own.of(taken, draw.seed, position).documents)
