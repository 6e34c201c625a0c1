"""A trainer without a model: it answers from surfaces that were fitted to finished studies."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt

from mixtune.errors import TrainingError
from mixtune.measurement import Cost, Drawn, Influence, Measurement, Outcome
from mixtune.preparation import Preparation
from mixtune.proposal import Probe, Role
from mixtune.recipe import FloatArray
from mixtune.study import Study
from mixtune.training.base import Progress, Report, Task
from mixtune.tuning.chains import losses_at, probed
from mixtune.tuning.recalled import Prices, Recalled, looked_at
from mixtune.tuning.surrogate import Surrogate, score_of_losses

Counts: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Chained:
    """Where a run stands: steps asked of and drawn from each source, shape (M,) each, and the seed that it began with.

    merged holds the steps that merges put in.
    """

    seed: int
    step: int
    asked: FloatArray
    drawn: FloatArray
    merged: FloatArray


@dataclass(frozen=True, slots=True)
class SurrogateTrainer:
    """Answers trials from a surrogate instead of training.

    A run's losses are those of the surface for the mixture that it was asked for, approached from the untrained
    model's as in `chains`, plus noise of two kinds: one drawn by the run's seed, one by the mixture and `world`, which
    a second run of the mixture shares in the same world: what the surface misses. Only the first averages away over
    runs. Influences are the recorded ones, moved by what the surface says of another point of a chain (see Recalled)
    and blurred by their recorded errors. The survey is the recorded one, costs are recorded means. There are no scores
    on test, no losses of sources, no gradients and no rules.
    """

    surrogate: Surrogate
    prices: Prices
    recalled: Recalled | None = None
    survey: Measurement | None = None
    surface: int = 0
    world: int = 0

    @property
    def provides(self) -> frozenset[str]:
        """Influence and checkpoints where rounds were recorded, neighbours and the like where a survey was."""
        found = {"step", "score", "rungs", "dev", "dev_loss", "receipt", "exposure", "cost"}
        if self.recalled is not None:
            found |= {"influence", "merge", "merge_weights", "checkpoint"}
        surveyed = ("neighbours", "clusters", "matched")
        return frozenset(found | {name for name in surveyed if self.survey is not None and getattr(self.survey, name)})

    def prepare(self, study: Study, progress: Progress) -> Preparation:
        """The recorded preparation."""
        return self.surrogate.study.prepared

    def train(self, study: Study, task: Task, report: Report) -> Outcome:
        """Answer one trial.

        Raises:
            TrainingError: it asks for a rule, gradients, pruning or mixed batches, or its checkpoint is not there.
        """
        proposal = task.proposal
        _require_plain(task)
        if proposal.role is Role.SURVEY and proposal.steps == 0 and self.survey is not None:
            return Outcome(self.survey)
        start = self._start(task)
        report(start.step, None)
        batches = _batches(start, task, study)
        rungs: dict[int, float] = {}
        run, pruned = start, False
        for steps in (*sorted(each for each in task.thresholds if each < proposal.steps), proposal.steps):
            run = replace(
                start,
                step=start.step + steps,
                asked=start.asked + steps * proposal.recipe.mixture.array(study.names),
                drawn=start.drawn + np.bincount(batches[:steps], minlength=len(study.names)),
            )
            if steps in task.thresholds:
                rungs[steps] = self._score(study, self._losses(run))
                pruned = rungs[steps] < task.thresholds[steps]
                report(steps, rungs[steps])
                if pruned:
                    break
        counts = np.bincount(batches[: run.step - start.step], minlength=len(study.names))
        measured = self._measured(study, task, run, counts)
        cost = replace(measured.cost, dev=measured.cost.dev + len(rungs) * self.prices.dev)
        measured = replace(measured, rungs=rungs, cost=cost)
        if proposal.role is Role.ROUND and not pruned:
            _save(task.checkpoint, _merged(study, run, proposal.probe, measured.merge_weights))
        if not rungs or not pruned:
            report(run.step - start.step, measured.score)
        return Outcome(measured, pruned=pruned)

    def _measured(self, study: Study, task: Task, run: Chained, counts: Counts) -> Measurement:
        proposal, names = task.proposal, study.names
        losses = self._losses(run)
        targets = [target.name for target in study.targets]
        steps = int(counts.sum())
        cost = Cost(train=steps * self.prices.step, dev=self.prices.dev if proposal.scored else 0.0)
        influence, merge, weights = dict[str, Influence](), "", dict[str, float]()
        if proposal.probe is not None:
            influence = self._influence(study, task, run)
            helped = {name: value for name, found in influence.items() if (value := found.value or 0.0) > 0}
            share = proposal.probe.epsilon / max(sum(helped.values()), 1e-300)
            weights = {name: share * value for name, value in helped.items()}
            merge = "merged" if weights else "no_merge"
            looks = (1 + len(influence)) * looked_at(study, proposal.probe)
            cost = replace(
                cost,
                probe=len(influence) * proposal.probe.steps * self.prices.probe_step,
                dev=cost.dev + looks * self.prices.look,
            )
        exposed = _merged(study, run, proposal.probe, weights)
        metric = study.objective.metric
        return Measurement(
            step=run.step,
            score=self._score(study, losses) if proposal.scored else None,
            dev={name: {metric: float(1 - losses[i])} for i, name in enumerate(targets)} if proposal.scored else {},
            dev_loss={name: float(losses[len(targets) + i]) for i, name in enumerate(targets)},
            influence=influence,
            merge=merge,
            merge_weights=weights,
            receipt=_receipt(study, counts),
            exposure=dict(zip(names, (exposed.drawn + exposed.merged).tolist(), strict=True)),
            cost=cost,
        )

    def _losses(self, run: Chained) -> FloatArray:
        """Losses (2 N,) of a run with its noise, those of metrics between 0 and 1."""
        surrogate = self.surrogate
        exposure = run.asked + run.merged
        seen = losses_at(surrogate.surfaces[self.surface], surrogate.base, exposure[None], surrogate.study.proxy.steps)
        mixture = (exposure / max(float(exposure.sum()), 1e-12)).round(6)
        by_seed = np.random.default_rng([run.seed, run.step, 0x73656564]).standard_normal(len(surrogate.seed_noise))
        by_mixture = np.random.default_rng([self.world, crc32(mixture.tobytes())])
        missed = by_mixture.standard_normal(len(surrogate.misfit)) @ surrogate.misfit
        losses = seen[0] + by_seed @ surrogate.seed_noise + missed
        half = len(losses) // 2
        return np.concatenate([np.clip(losses[:half], 0.0, 1.0), np.maximum(losses[half:], 1e-6)])

    def _score(self, study: Study, losses: FloatArray) -> float:
        return float(score_of_losses(study, losses[None])[0])

    def _influence(self, study: Study, task: Task, run: Chained) -> dict[str, Influence]:
        """What each probe shows, with noise drawn by the trial's seed."""
        probe, recalled = task.proposal.probe, self.recalled
        if probe is None or recalled is None:
            raise TrainingError("no round was recorded to take influences from: record a study of infdds or scout too")
        surrogate, names = self.surrogate, study.names
        surface, full = surrogate.surfaces[self.surface], surrogate.study.proxy.steps
        said = probed(surface, surrogate.base, run.asked + run.merged, full, probe.steps)
        size = probe.steps / recalled.probe_steps
        truth = size * recalled.mean + recalled.gain * (said - size * recalled.expected)
        error = recalled.error * np.sqrt(recalled.queries / looked_at(study, probe))
        noise = np.random.default_rng([task.seed, 0x70726F6265]).standard_normal(truth.shape)
        seen, importance, half = truth + noise * error, study.target_weights(), len(study.targets)
        found = {}
        for name, (source, level) in probe.arms.items():
            if level is not None or probe.options:
                raise TrainingError("keep levels and options are not replayed: replay studies of weights alone")
            row = seen[names.index(source)]
            found[name] = Influence(
                value=float(importance @ row[:half]),
                error=float(np.sqrt(importance**2 @ error[:half] ** 2)),
                per_target=_named(study, row[:half]),
                per_target_error=_named(study, error[:half]),
                rank=_named(study, row[half:]),
                rank_error=_named(study, error[half:]),
            )
        return found

    def _start(self, task: Task) -> Chained:
        size = len(self.surrogate.study.names)
        if task.parent is None:
            return Chained(task.seed, 0, np.zeros(size), np.zeros(size), np.zeros(size))
        try:
            held = json.loads((task.parent / "chain.json").read_text())
        except OSError as error:
            raise TrainingError(f"the checkpoint {task.parent} is gone: the chain cannot go on") from error
        return Chained(held["seed"], held["step"], *(np.array(held[name]) for name in ("asked", "drawn", "merged")))


def _require_plain(task: Task) -> None:
    proposal = task.proposal
    for what, asked in (
        ("a rule that moves the weights", proposal.rule),
        ("gradients", proposal.gradients),
        ("batches that mix sources", proposal.recipe.batching.mixed),
    ):
        if asked:
            raise TrainingError(f"trial {task.number} asks for {what}, which no surrogate knows: run it for real")


def _batches(start: Chained, task: Task, study: Study) -> Counts:
    """Source of each batch, by numbers that depend on the seed of the run and the place in the whole chain alone."""
    edges = np.cumsum(task.proposal.recipe.mixture.array(study.names))
    drawn = np.random.default_rng(start.seed).random(start.step + task.proposal.steps)[start.step :]
    return np.searchsorted(edges / edges[-1], drawn, side="right")


def _merged(study: Study, run: Chained, probe: Probe | None, weights: Mapping[str, float]) -> Chained:
    """The run with the steps that its merge put in."""
    if probe is None or not weights:
        return run
    steps = np.array([probe.steps * weights.get(name, 0.0) for name in study.names])
    return replace(run, merged=run.merged + steps)


def _receipt(study: Study, counts: Counts) -> dict[str, Drawn]:
    found = {}
    for (name, rows), batches in zip(study.rows.items(), counts.tolist(), strict=True):
        if batches:
            drawn = batches * min(study.proxy.batch_size, rows)
            found[name] = Drawn(batches=batches, rows=drawn, unique_rows=min(drawn, rows), epochs=drawn / rows)
    return found


def _save(place: Path, run: Chained) -> None:
    """Leave a checkpoint in one step."""
    scratch = place.with_name(f"{place.name}.tmp")
    scratch.mkdir(parents=True)
    arrays = {name: getattr(run, name).tolist() for name in ("asked", "drawn", "merged")}
    (scratch / "chain.json").write_text(json.dumps({"seed": run.seed, "step": run.step, **arrays}))
    scratch.rename(place)


def _named(study: Study, values: FloatArray) -> dict[str, float]:
    return dict(zip((target.name for target in study.targets), values.tolist(), strict=True))
