"""A trial: one short run under one recipe, from its proposal to what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from pydantic import JsonValue as Json

from mixtune.recipe import Recipe

Metrics: TypeAlias = Mapping[str, Mapping[str, float]]
"""Target -> metric (lower case, `ndcg@10`) -> value."""


class Role(StrEnum):
    """Why a trial runs. Survey, anchor and rerun are the tuner's plan; reference, round and search a searcher's."""

    SURVEY = "survey"
    """Zero steps: the base model as it is."""
    ANCHOR = "anchor"
    """A baseline mixture, run fresh on a judging seed."""
    REFERENCE = "reference"
    """A run that a searcher needs as a yardstick."""
    ROUND = "round"
    """A link of a chain: continues its parent, probes and merges."""
    SEARCH = "search"
    """A fresh full-length run that competes for best."""
    RERUN = "rerun"
    """The recommended recipe, run fresh on a judging seed."""
    FINAL = "final"
    """The full training."""


class TrialState(StrEnum):
    """Where a trial is in its life: queued -> running -> one of the last three, or back to queued for a new attempt."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    """Ended early at a rung; its measurement is that of the steps it had."""
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        """No attempt is running or waiting."""
        return self in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED)


JUDGED = frozenset({Role.SURVEY, Role.ANCHOR, Role.RERUN})
"""Roles whose runs are also scored on test. Their cost is charged to nobody."""

CHARGED = frozenset({Role.REFERENCE, Role.ROUND, Role.SEARCH})
"""Roles whose cost the searcher pays: those that it asked for."""

VISIBLE = CHARGED | {Role.SURVEY}
"""Roles that a searcher is shown, and that its recommendation follows from."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What happens at the end of a round: short runs on single sources whose effect on the targets is measured.

    reptile is the weighting of the merge (`linear` or `softmax`), epsilon its step, temperature that of the softmax.
    levels says, source by source, at which keep level it is probed, None at that of the round's recipe; empty means
    None for all. A source may be probed at several levels. options says likewise which values of Space.choices each
    short run takes, name -> value, of a choice that is not named the space's first; empty means those of the round's
    recipe for all. The effect is measured on so many dev queries per target, drawn anew in each round, each with one
    positive, the other positives and so many sampled documents; queries None means all queries that influence may be
    measured on, with all their positives and all sampled documents. splits above 1 divide those queries once and for
    all into so many parts, of which this round takes part number `split`.
    """

    sources: tuple[str, ...]
    steps: int
    reptile: str = "linear"
    epsilon: float = 1.0
    temperature: float | None = None
    levels: tuple[float | None, ...] = ()
    queries: int | None = None
    negatives: int = 0
    split: int = 0
    splits: int = 1
    options: tuple[Mapping[str, float], ...] = ()

    @property
    def tried(self) -> dict[str, Mapping[str, float]]:
        """Open choices that each short run takes by itself, by the names of `arms`; empty where it takes none."""
        return dict(zip(self.arms, self.options, strict=True)) if self.options else {}

    @property
    def arms(self) -> dict[str, tuple[str, float | None]]:
        """Source and level of each short run, by the name under which its influence is reported."""
        levels = self.levels or (None,) * len(self.sources)
        return {arm_name(name, level): (name, level) for name, level in zip(self.sources, levels, strict=True)}


def arm_name(source: str, level: float | None) -> str:
    """Name of a short run on a source: the source's own, with `@level` behind it where it has its own keep level."""
    return source if level is None else f"{source}@{level}"


@dataclass(frozen=True, slots=True)
class Gradients:
    """Gradients of sources compared with those of the targets, at the end of a run.

    For each source the gradient of the training loss on `batches` batches drawn from it alone, for each target that of
    its dev loss on a sample of queries as in Probe (queries None: all that signals may be measured on). parameters
    restricts both to the trainable parameters whose names hold that text; "*" is all of them. "", the default, is all
    of them for `head`, `last:n` and StaticEmbedding models, and the last layer alone for `all` on a transformer. Beside
    a rule that reads inner products they are taken at every step instead, for the sources in its batch.
    """

    sources: tuple[str, ...]
    batches: int = 1
    queries: int | None = None
    negatives: int = 0
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that moves the weights at every step of a run, by its name in mixtune.rules.RULES.

    settings are the rule's own. state is where it stands at the start: name -> one number per usable source in the
    order of Study.names, or a single number; empty means the rule's own start. negatives is the number of own hard
    negatives that an example's loss is told from (the paper of tDRO: 7); no other document of the batch takes part.
    """

    name: str
    settings: Mapping[str, Json] = field(default_factory=dict)
    state: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    negatives: int = 7


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a trial is to do. Everything that its run depends on besides the seed stands here.

    parent is the trial whose checkpoint the run continues, None for the base model. reference is the trial whose
    checkpoint gives reference losses, rule what moves the weights during the run (the recipe's are those it starts
    with), gradients what is compared at its end. horizon is the number of steps
    that the learning-rate schedule spans, None for a constant rate. label names the baseline of an anchor. replicate
    numbers the judging seed of an anchor or rerun. scored says that the run is evaluated on dev at its end. notes are
    what the searcher wants to read again (coordinates of the mapping, how the policy stood).
    """

    recipe: Recipe
    steps: int
    role: Role
    parent: int | None = None
    probe: Probe | None = None
    gradients: Gradients | None = None
    rule: Rule | None = None
    reference: int | None = None
    horizon: int | None = None
    label: str = ""
    replicate: int = 0
    scored: bool = True
    notes: Mapping[str, Json] = field(default_factory=dict)


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
    dev queries that took no part in the influence. neighbours holds, of the survey alone, target -> source -> its
    share of the training queries that are nearest to the target's dev queries, and clusters the same for the
    clusters of the training queries that the target's dev queries fall into; matched is the estimated share of each
    source's pairs that belong together. rule is the state of the proposal's rule at the end, reference_loss the
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


@dataclass(frozen=True, slots=True)
class Trial:
    """A numbered trial of a study. Numbers, seeds and proposals depend on the study's seed and the number alone.

    seen is the highest number whose trials were finished and known when the searcher proposed this one (-1: none).
    attempt counts from 1 once started; a new attempt keeps number, seed and proposal. error holds the traceback of
    the last failed attempt.
    """

    number: int
    proposal: Proposal
    seed: int
    seen: int = -1
    state: TrialState = TrialState.QUEUED
    attempt: int = 0
    measurement: Measurement | None = None
    error: str | None = None
    node: str | None = None
    pid: int | None = None
    started: float | None = None
    finished: float | None = None

    @property
    def role(self) -> Role:
        """Why this trial runs."""
        return self.proposal.role


def headline(error: str | None) -> str:
    """What a failed attempt died of, in one line: the first line of the exception, behind the traceback's frames."""
    lines = (error or "no message").strip().splitlines()
    frames = [index for index, line in enumerate(lines) if line.startswith((" ", "Traceback "))]
    return lines[min(frames[-1] + 1, len(lines) - 1) if frames else 0]
