"""What a run showed: scores, losses, signals of the sources, what was drawn, and what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Metrics: TypeAlias = Mapping[str, Mapping[str, float]]
"""Target -> metric (lower case, `ndcg@10`) -> value."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Floating-point operations, by what they were spent on, and wall seconds of the whole trial.

    train is for ordinary steps, with what a rule reads of their sources (reference losses, gradients); probe for the
    steps of probes and the gradients of sources at a run's end; dev for everything measured on dev (scores, dev losses
    and their gradients, the effects of probes); test for the scores of judged runs.
    """

    train: float = 0.0
    probe: float = 0.0
    dev: float = 0.0
    test: float = 0.0
    seconds: float = 0.0

    @property
    def flops(self) -> float:
        """All floating-point operations of the trial."""
        return self.train + self.probe + self.dev + self.test


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was really drawn from one source: batches, rows, distinct rows, and passes over its kept rows.

    A mixed batch counts for every source that it holds a row of. completed counts the epochs of a pruning schedule that
    were ended, None without one. pruned counts the pairs that it left out of the last epoch begun.
    """

    batches: int = 0
    rows: int = 0
    unique_rows: int = 0
    epochs: float = 0.0
    completed: int | None = None
    pruned: int = 0


@dataclass(frozen=True, slots=True)
class Influence:
    """Effect of a few steps on one source: the relative fall of the dev loss, with its standard error.

    per_target and per_target_error hold the same per target, before the target weights are applied. rank and
    rank_error hold, per target, the relative rise of nDCG on the same queries and documents: noisier, but blind to a
    loss that falls or rises by its scale alone. Values are None where the loss was not finite and the source was
    dropped from the round.
    """

    value: float | None
    error: float | None
    per_target: Mapping[str, float] = field(default_factory=dict)
    per_target_error: Mapping[str, float] = field(default_factory=dict)
    rank: Mapping[str, float] = field(default_factory=dict)
    rank_error: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alignment:
    """How a source's gradient lies to those of the targets: cosine and inner product per target, and its norm."""

    cosine: Mapping[str, float]
    product: Mapping[str, float]
    norm: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a finished run showed.

    step counts optimiser steps along the whole chain. rungs holds optimiser steps -> score on the way, where early
    stopping looked (the last one, of a run that ended there, is its score). dev and test hold mean metrics; test
    only for judged roles. loss is the mean training loss per source drawn; dev_loss the dev loss per target after
    the run (rounds: before probing). exposure counts, per source, the steps that went into the parameters (a merge
    of k probe steps adds k times its merge weight, a step on a mixed batch the source's share of its rows).
    influence and merge_weights go by the names of Probe.arms. score is the study's objective on dev: of a round, on
    dev queries that took no part in the influence. dev_parts holds the same on each of a few parts of the dev queries,
    of a fresh run alone, and is empty where they are too few; dev_signal on those that signals are measured on and on
    the others, likewise. neighbours holds, of the survey alone, target ->
    source -> its share of the training queries that are nearest to the target's dev queries, and clusters the same
    for the clusters of the training queries that the target's dev queries fall into; matched is the estimated share
    of each source's pairs that belong together. rule is the state of the proposal's rule at the end, reference_loss the
    mean reference loss of the pairs drawn, per source, alignment what the proposal's gradients showed. remarks say
    in words what the run did otherwise than asked for. merge is `merged`, `no_merge` (no probe helped) or "" where
    nothing was probed. checkpoint is the artifact, relative to the study's artifact folder.
    """

    step: int = 0
    score: float | None = None
    rungs: Mapping[int, float] = field(default_factory=dict)
    dev: Metrics = field(default_factory=dict)
    test: Metrics = field(default_factory=dict)
    loss: Mapping[str, float] = field(default_factory=dict)
    dev_loss: Mapping[str, float] = field(default_factory=dict)
    influence: Mapping[str, Influence] = field(default_factory=dict)
    neighbours: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    clusters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    matched: Mapping[str, float] = field(default_factory=dict)
    rule: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    reference_loss: Mapping[str, float] = field(default_factory=dict)
    alignment: Mapping[str, Alignment] = field(default_factory=dict)
    dev_parts: tuple[float, ...] = ()
    dev_signal: tuple[float, ...] = ()
    remarks: tuple[str, ...] = ()
    merge: str = ""
    merge_weights: Mapping[str, float] = field(default_factory=dict)
    receipt: Mapping[str, Drawn] = field(default_factory=dict)
    exposure: Mapping[str, float] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    checkpoint: str | None = None


Scores: TypeAlias = Mapping[str, Mapping[str, tuple[float, ...]]]
"""Target -> metric -> one value per test query, in the order of the prepared target."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trainer hands back: the measurement, and per-query test scores for judged roles.

    pruned says that the run ended at a rung, below the score that it needed there.
    """

    measurement: Measurement
    scores: Scores = field(default_factory=dict)
    pruned: bool = False
