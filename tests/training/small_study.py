"""A study without text: random embeddings with a planted linear map from queries to their documents."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mixtune.preparation import Preparation
from mixtune.proxy import Proxy
from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.study import Study
from mixtune.target import Target, TargetFacts
from mixtune.training.prepared import Pairs, Prepared, PreparedTarget, Split
from mixtune.training.proxy import HeadProxy
from mixtune.training.run import Run
from mixtune.training.trainer import Bench

DIM = 16
SOURCES = ("good", "other", "shuffled")


@dataclass
class Table:
    embeddings: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        return np.full(len(self.embeddings), 7, dtype=np.int32)

    def tokens(self, rows: np.ndarray) -> list[np.ndarray]:
        raise AssertionError("a head reads embeddings only")

    def states(self, layers: int, rows: np.ndarray) -> list[np.ndarray]:
        raise AssertionError("a head reads embeddings only")


def _unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def _rotation(matrix: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd(matrix)
    return left @ right


def synthetic(seed: int = 0, pairs: int = 200, queries: int = 40, noise: float = 0.2) -> tuple[Table, Prepared]:
    """`good` pairs and both targets follow one map, `other` follows another, `shuffled` follows none."""
    rng = np.random.default_rng(seed)
    # The rotation nearest to a disturbed identity: the untrained head is mediocre and can learn.
    good, other = (_rotation(np.eye(DIM) + amount * rng.standard_normal((DIM, DIM))) for amount in (0.35, 5))
    blocks: list[np.ndarray] = []

    def add(block: np.ndarray) -> np.ndarray:
        start = sum(map(len, blocks))
        blocks.append(_unit(block))
        return np.arange(start, start + len(block))

    def matched(count: int, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q = rng.standard_normal((count, DIM))
        return add(q), add(_unit(q) @ matrix + noise * rng.standard_normal((count, DIM)) / np.sqrt(DIM))

    sources = {}
    for name, matrix in zip(SOURCES, (good, other, good), strict=True):
        q, d = matched(pairs, matrix)
        if name == "shuffled":
            d = rng.permutation(d)
        sources[name] = Pairs(q, d, np.arange(pairs), rng.random(pairs).astype(np.float32))
    targets = {}
    for name in ("left", "right"):
        splits = []
        for _ in range(2):
            q, d = matched(queries, good)
            corpus = np.concatenate([d, add(rng.standard_normal((60, DIM)))])
            splits.append(
                Split(q, corpus, np.arange(queries + 1), np.arange(queries), np.ones(queries, np.float32), True)
            )
        signal = np.arange(queries) % 2 == 0
        targets[name] = PreparedTarget(splits[0], splits[1], signal, np.arange(0, queries + 60, 3))
    return Table(np.concatenate(blocks)), Prepared(sources, targets)


def study_of(prepared: Prepared, **proxy: object) -> Study:
    settings: dict[str, object] = {"steps": 20, "batch_size": 16, "learning_rate": 5e-3, **proxy}
    return Study(
        name="small",
        sources=tuple(Source(name, "synthetic", "") for name in prepared.sources),
        targets=tuple(Target(name, "synthetic", "") for name in prepared.targets),
        search=Search("infdds"),
        budget=Budget(trials=4),
        proxy=Proxy(**settings),
        preparation=Preparation(
            key="",
            sources={n: SourceFacts(len(p.queries), len(p.queries), 14.0, n) for n, p in prepared.sources.items()},
            targets={
                n: TargetFacts(len(t.dev.queries), len(t.test.queries), len(t.test.documents), len(t.dev.documents), n)
                for n, t in prepared.targets.items()
            },
            run_flops=1.0,
        ),
    )


def bench_of(table: Table, prepared: Prepared) -> Bench:
    return Bench(prepared, HeadProxy(table))


def recipe(**weights: float) -> Recipe:
    return Recipe(Mixture(weights))


def run_of(
    bench: Bench, study: Study, weights: Mapping[str, float], seed: int = 0, pruning: Pruning | None = None
) -> Run:
    bench.model.reset()
    return Run(
        bench.model,
        study.proxy,
        sources=bench.prepared.sources,
        rows={name: np.arange(len(pairs.queries)) for name, pairs in bench.prepared.sources.items()},
        recipe=Recipe(Mixture(weights), pruning or Pruning()),
        seed=seed,
    )
