"""A trainer whose answers can be computed by hand: one number per target that each source pulls up or down."""

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from mixtune.errors import TrainingError
from mixtune.measurement import Cost, Influence, Measurement, Outcome
from mixtune.preparation import Preparation
from mixtune.proposal import JUDGED, Role
from mixtune.proxy import Final, Proxy
from mixtune.sampler import RecipeDraw
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.store.base import StudyRecord
from mixtune.study import Study
from mixtune.target import Target, TargetFacts
from mixtune.training.base import Progress, Report, Task
from mixtune.trial import Trial

PULL = {"good": 0.02, "useful": 0.01, "idle": 0.0, "harmful": -0.02}
ROWS = {"good": 40, "useful": 30, "idle": 200, "harmful": 120}
QUERIES = 20


def study(name: str = "toy", *, algorithm: str = "infdds", trials: int | None = 6, **changes: object) -> Study:
    given: dict[str, object] = {
        "name": name,
        "sources": tuple(Source(source, "docstrings", source) for source in PULL),
        "targets": (Target("task", "docstrings", "task"),),
        "search": Search(algorithm, {}),
        "budget": Budget(trials=trials, workers=2),
        "proxy": Proxy(steps=20, batch_size=4),
        "final": Final(steps=100, seeds=2),
    }
    return Study(**{**given, **changes})  # type: ignore[arg-type]


@dataclass(frozen=True)
class AnalyticTrainer:
    """Skill s in [0, 1] grows by pull * (1 - s) a step; the dev loss is (1 - s) ** 2, the score s.

    faults maps a trial's number to what befalls its first attempt: `raise`, `die` (the worker kills itself) or `nan`;
    `always-raise` befalls every attempt. seconds is how long a trial takes.
    """

    seconds: float = 0.0
    faults: Mapping[int, str] = field(default_factory=dict)

    @property
    def provides(self) -> frozenset[str]:
        return frozenset(item.name for item in fields(Measurement))

    def prepare(self, study: Study, progress: Progress) -> Preparation:
        progress("reading", 1, 1)
        return Preparation(
            key="toy",
            sources={name: SourceFacts(rows, rows, 10.0, "0" * 64) for name, rows in ROWS.items()},
            targets={"task": TargetFacts(QUERIES, QUERIES, 100, 100, "0" * 64)},
            run_flops=1000.0 * study.proxy.steps,
        )

    def train(self, study: Study, task: Task, report: Report) -> Outcome:
        self._befall(task)
        time.sleep(self.seconds / 2)
        report(0, None)
        time.sleep(self.seconds / 2)
        names = list(PULL)
        rows = {name: np.arange(ROWS[name]) for name in names}
        proposal = task.proposal
        draw = RecipeDraw(rows, proposal.recipe.mixture, study.proxy.batch_size, task.seed)
        skill, step, exposure = 0.2, 0, dict.fromkeys(names, 0.0)
        if task.parent is not None:
            held = json.loads((task.parent / "state.json").read_text())
            skill, step, exposure = held["skill"], held["step"], held["exposure"]
            draw.seed = held["seed"]
            draw.restore(held["draw"])
        rungs: dict[int, float] = {}
        pruned = False
        for _ in range(proposal.steps):
            name, _numbers = draw.draw()
            skill += PULL[name] * (1 - skill)
            step += 1
            exposure[name] += 1
            if step in task.thresholds:
                rungs[step] = skill
                pruned = skill < task.thresholds[step]
                if pruned:
                    break
        influence, merge = {}, ""
        base = (1 - skill) ** 2
        if proposal.probe is not None:
            deltas = {}
            for name in proposal.probe.sources:
                after = skill
                for _ in range(proposal.probe.steps):
                    after += PULL[name] * (1 - after)
                gain = (base - (1 - after) ** 2) / max(base, 0.01)
                deltas[name] = after - skill
                influence[name] = Influence(gain, 0.001, {"task": gain}, {"task": 0.001})
            positive = {name: item.value for name, item in influence.items() if item.value and item.value > 0}
            merge = "merged" if positive else "no_merge"
            for name, value in positive.items():
                share = value / sum(positive.values())
                skill += share * deltas[name]
                exposure[name] += share * proposal.probe.steps
        if proposal.role is Role.ROUND:
            scratch = task.checkpoint.with_name(f"{task.checkpoint.name}.tmp")
            scratch.mkdir(parents=True)
            state = {"skill": skill, "step": step, "exposure": exposure, "seed": draw.seed, "draw": draw.state()}
            (scratch / "state.json").write_text(json.dumps(state))
            scratch.rename(task.checkpoint)
        judged = proposal.role in JUDGED
        noise = np.random.default_rng(task.seed).normal(0, 0.01, QUERIES)
        scores = tuple(float(x) for x in skill + noise)
        metrics = {"task": {"ndcg@10": skill, "recall@20": skill}}
        measurement = Measurement(
            step=step,
            score=skill,
            rungs=rungs,
            dev=metrics,
            test=metrics if judged else {},
            dev_loss={"task": base},
            influence=influence,
            merge=merge,
            receipt=draw.receipt(),
            exposure=exposure,
            cost=Cost(train=1000.0 * (step if rungs else proposal.steps), dev=100.0 * len(rungs), seconds=self.seconds),
        )
        return Outcome(measurement, {"task": {"ndcg@10": scores, "recall@20": scores}} if judged else {}, pruned)

    def _befall(self, task: Task) -> None:
        fault = self.faults.get(task.number, "")
        first = task.checkpoint.name.endswith("attempt-1")
        if fault == "always-raise" or (fault == "raise" and first):
            raise ValueError(f"planted failure of trial {task.number}")
        if fault == "die" and first:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "nan":
            raise TrainingError("the loss is nan at step 3 on source good")


@dataclass(frozen=True)
class Contrary(AnalyticTrainer):
    """The analytic trainer, but under one proxy every score is upside down."""

    proxy: str = "all"

    def train(self, study: Study, task: Task, report: Report) -> Outcome:
        outcome = super().train(study, task, report)
        found = outcome.measurement
        if study.proxy.trainable != self.proxy or found.score is None:
            return outcome
        dev = {target: {metric: 1 - value for metric, value in own.items()} for target, own in found.dev.items()}
        return replace(outcome, measurement=replace(found, score=1 - found.score, dev=dev))


@dataclass
class Recorder:
    """A listener that keeps what it was told."""

    events: list[tuple[str, int, str]] = field(default_factory=list)

    def preparing(self, what: str, done: int, total: int) -> None:
        self.events.append(("preparing", done, what))

    def changed(self, record: StudyRecord, trial: Trial | None, planned: int | None) -> None:
        if trial is not None:
            self.events.append(("trial", trial.number, trial.state.value))

    def progress(self, number: int, step: int, score: float | None) -> None:
        self.events.append(("progress", number, str(step)))


def artifacts(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"
