"""The trainer of real text encoders: prepares a study and runs its trials."""

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mixtune.errors import TrainingError
from mixtune.measurement import Cost, Measurement, Outcome
from mixtune.preparation import Preparation
from mixtune.proposal import Role
from mixtune.proxy import Proxy
from mixtune.study import Study
from mixtune.training.base import Progress, Report, Task
from mixtune.training.checkpoint import Checkpoint, Standing, load_checkpoint, save_checkpoint
from mixtune.training.encoding import models
from mixtune.training.encoding.embedder import BaseModel
from mixtune.training.encoding.encodings import Encodings
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.measuring.examination import Examination, examine
from mixtune.training.mixed.mixing import open_mixed
from mixtune.training.prepared import Prepared
from mixtune.training.preparing import prepare
from mixtune.training.proxy import ProxyModel, open_proxy
from mixtune.training.randomness import own_randomness, rng_state, set_rng_state
from mixtune.training.run import Run
from mixtune.training.signals.gradients import Aligned, alignments
from mixtune.training.signals.probing import RoundEnd, end_round, probe_pools, probe_recipes
from mixtune.training.survey.clusters import clusters
from mixtune.training.survey.matched import matched_shares
from mixtune.training.survey.neighbours import neighbours
from mixtune.training.teaching.teachers import NO_TEACHING, Teaching, open_teaching
from mixtune.training.threads import at_most
from mixtune.training.walks.pruning import kept_rows
from mixtune.training.walks.topics import Topics
from mixtune.training.walks.walks import unbalanced, unfinished, walk_kind, with_epochs

REPORTS = 10
"""How often a run reports on its way."""

CONTINUED = frozenset({Role.ROUND, Role.REFERENCE})
"""Roles whose runs leave a checkpoint."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a worker keeps from trial to trial: a study's arrays, its proxy with the model loaded, its teachers.

    topics None: each run finds the topics of its sources by itself.
    """

    prepared: Prepared
    model: ProxyModel
    teaching: Teaching = NO_TEACHING
    topics: Topics | None = None


@lru_cache(maxsize=1)
def open_bench(root: Path, key: str, model: str, proxy: Proxy) -> Bench:
    """Open what the trials of a study share, once per process."""
    table = FeatureTable(root, models.resolve(model), max_length=proxy.max_length, precision=proxy.precision)
    prepared = prepare.load_prepared(root, key)
    teaching = open_teaching(prepared, proxy, table, root)
    return Bench(prepared, open_proxy(model, proxy, table), teaching, Topics(table, root))


@dataclass(frozen=True, slots=True)
class EncoderTrainer:
    """Trains sentence-transformers models on real text: an implementation of mixtune.training.base.Trainer.

    A worker process opens a study's arrays and model once and resets the model for each trial. A round is scored on
    the dev queries that influence is not measured on, and its dev loss is that of the others; other roles take all
    dev queries for both. A survey trains nothing and reads the base model's embeddings from the cache.

    Runs of equal study, proposal, seed and parent are equal bit for bit at an equal number of torch threads, and a
    chain of rounds without probes equals one run of all its steps at a constant rate. Measurement.step is the
    position of the schedule: a round that probes moves it on by the steps of one probe. A run is examined at each rung
    as at its end, its randomness and optimiser left alone, and the examinations are part of its dev cost.

    Args:
        root: the cache folder.
    """

    root: Path

    @property
    def provides(self) -> frozenset[str]:
        """All fields of a Measurement."""
        return frozenset(Measurement.__dataclass_fields__)

    def prepare(self, study: Study, progress: Progress) -> Preparation:
        """Read the data and compute everything that is needed once per study; a second call finds it done."""
        return prepare.prepare(study, self.root, progress)

    def train(self, study: Study, task: Task, report: Report) -> Outcome:
        """Run one trial.

        Raises:
            TrainingError: a loss is not finite, a checkpoint is missing or torn, or the recipe does not fit the study.
        """
        began = time.perf_counter()
        bench = open_bench(self.root, study.prepared.key, study.model, study.proxy)
        return run_trial(study, task, bench, report, began)


def run_trial(study: Study, task: Task, bench: Bench, report: Report, began: float) -> Outcome:
    """Train, end the round, save and evaluate one trial on an open bench; began is its time.perf_counter()."""
    proposal, model = task.proposal, bench.model
    end: RoundEnd | None = None
    looks: dict[int, Examination] = {}
    pruned = False
    with own_randomness(model.device, task.seed), at_most(model.threads):
        run = _begin(study, task, bench)
        mixed = open_mixed(study, task, bench.prepared, run, _importances(study))
        trained = mixed or run
        completed = {name: walk.completed or 0 for name, walk in run.walks.items()}
        every = max(1, round(proposal.steps / REPORTS))
        for step in range(1, proposal.steps + 1):
            trained.advance()
            if step in task.thresholds:
                with own_randomness(model.device, task.seed):  # looking changes nothing in what is trained after it
                    look = looks[step] = examine(study, bench.prepared, Encodings(model), proposal)
                report(step, look.score)
                pruned = look.score is not None and look.score < task.thresholds[step]
                if pruned:
                    break
            elif step % every == 0 and step < proposal.steps:
                report(step, None)
        untrained = proposal.steps == 0 and proposal.parent is None
        measured = Encodings(BaseModel(model.table) if untrained else model)
        aligned: Aligned | None = None
        if proposal.gradients is not None and (mixed is None or not mixed.reads_gradients):
            pools = probe_pools(bench.prepared, proposal.gradients, task.seed)
            aligned = alignments(run, trained, pools, proposal.gradients, seed=task.seed, encodings=measured)
        if proposal.probe is not None:
            pools = probe_pools(bench.prepared, proposal.probe, task.seed)
            recipes = probe_recipes(study.space, proposal.recipe, proposal.probe)
            end = end_round(run, pools, _importances(study), proposal.probe, task.seed, recipes)
            for source, exposure in end.exposure.items():
                run.exposure[source] += exposure
        if proposal.role in CONTINUED:
            save_checkpoint(_checkpoint(run), task.checkpoint)
    encodings = end.encodings if end else measured
    rungs = {step: look.score for step, look in looks.items() if look.score is not None}
    if pruned:
        found = looks.pop(max(looks))
    else:
        found = examine(study, bench.prepared, encodings, proposal)
        report(proposal.steps, found.score)
    measurement = Measurement(
        step=run.optimiser.position,
        score=found.score,
        rungs=rungs,
        dev=found.dev,
        test=found.test,
        loss={source: float(np.mean(losses)) for source, losses in sorted(run.losses.items())},
        dev_loss=end.dev_loss if end else found.dev_loss,
        dev_parts=found.dev_parts,
        dev_signal=found.dev_signal,
        influence=end.influence if end else {},
        neighbours=neighbours(study, bench.prepared, encodings) if proposal.role is Role.SURVEY else {},
        clusters=clusters(study, bench.prepared, encodings) if proposal.role is Role.SURVEY else {},
        matched=matched_shares(study, bench.prepared, encodings) if proposal.role is Role.SURVEY else {},
        merge=end.merge if end else "",
        merge_weights=end.merge_weights if end else {},
        receipt=with_epochs(run.draw.receipt(), run.walks, completed),
        rule=mixed.stored if mixed else {},
        reference_loss=mixed.reference_loss if mixed else {},
        alignment=aligned.alignment if aligned else {},
        remarks=(
            *(unfinished(run.recipe, run.walks) if proposal.steps else ()),
            *(unbalanced(run.recipe, run.walks) if proposal.steps else ()),
            *(mixed.remarks() if mixed else ()),
        ),
        exposure=dict(sorted(run.exposure.items())),
        cost=Cost(
            train=run.flops,
            probe=(end.probe_flops if end else 0.0) + (aligned.source_flops if aligned else 0.0),
            dev=sum((look.dev_flops for look in looks.values()), found.dev_flops)
            + (end.dev_flops if end else 0.0)
            + (mixed.dev_flops if mixed else 0.0)
            + (aligned.target_flops if aligned else 0.0),
            test=found.test_flops,
            seconds=time.perf_counter() - began,
        ),
        checkpoint=task.checkpoint.name if proposal.role in CONTINUED else None,
    )
    return Outcome(measurement, found.scores, pruned)


def _begin(study: Study, task: Task, bench: Bench) -> Run:
    """Put the model where the run starts: at the base, or where the parent's checkpoint stands."""
    proposal, model = task.proposal, bench.model
    strange = sorted(name for name, weight in proposal.recipe.mixture.items() if weight > 0 and name not in study.names)
    if strange:
        raise TrainingError(f"the recipe gives weight to {', '.join(strange)}; the study has {', '.join(study.names)}")
    if proposal.parent is not None and task.parent is None:
        raise TrainingError(f"the run goes on from trial {proposal.parent}, but no checkpoint of it was given")
    parent = load_checkpoint(task.parent) if task.parent is not None else None
    sources = {name: bench.prepared.sources[name] for name in study.names}
    model.reset()
    run = Run(
        model,
        study.proxy,
        sources=sources,
        rows={name: kept_rows(pairs, name, proposal.recipe.pruning) for name, pairs in sources.items()},
        recipe=proposal.recipe,
        seed=task.seed if parent is None else parent.standing.seed,
        horizon=proposal.horizon,
        teaching=bench.teaching,
        topics=bench.topics,
    )
    if parent is not None:
        _continue(run, parent, task.parent)
    return run


def _continue(run: Run, parent: Checkpoint, path: Path | None) -> None:
    try:
        run.model.module.load_state_dict(dict(parent.parameters))
        run.optimiser.load(parent.optimiser)
    except (RuntimeError, KeyError) as error:
        raise TrainingError(f"checkpoint {path} is not of this proxy ({error}): run its trial again") from error
    standing = parent.standing
    run.optimiser.position = standing.position
    run.exposure.update(standing.exposure)
    # A source whose kept rows changed starts its walk anew: its old position means nothing in the new order.
    rows = {name: len(numbers) for name, numbers in run.rows.items()}
    run.renewed = standing.renewed
    if standing.kind == walk_kind(run.recipe):
        for name, state in standing.walks.items():
            if rows.get(name) == standing.rows.get(name):
                run.walks[name].restore(state, parent.walks.get(name, {}))
    sources = standing.draw.get("sources")
    same = (
        {n: where for n, where in sources.items() if rows.get(n) == standing.rows.get(n)}
        if isinstance(sources, dict)
        else {}
    )
    run.draw.restore({**standing.draw, "sources": same})
    set_rng_state(run.model.device, parent.rng)


def _checkpoint(run: Run) -> Checkpoint:
    standing = Standing(
        position=run.optimiser.position,
        seed=run.draw.seed,
        draw=run.draw.state(),
        rows={name: len(numbers) for name, numbers in run.rows.items()},
        exposure=dict(run.exposure),
        walks={name: state for name, walk in run.walks.items() if (state := walk.state())},
        kind=walk_kind(run.recipe),
        renewed=run.renewed,
    )
    return Checkpoint(
        standing,
        run.model.module.state_dict(),
        run.optimiser.tensors(),
        rng_state(run.model.device),
        {name: arrays for name, walk in run.walks.items() if (arrays := walk.arrays())},
    )


def _importances(study: Study) -> dict[str, float]:
    return dict(zip((target.name for target in study.targets), study.target_weights().tolist(), strict=True))
