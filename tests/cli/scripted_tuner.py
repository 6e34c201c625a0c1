from dataclasses import dataclass, field, replace
from pathlib import Path

from mixtune.errors import MixtuneError
from mixtune.measurement import Cost, Measurement
from mixtune.preparation import Preparation
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.source import SourceFacts
from mixtune.store.base import Store, StudyRecord
from mixtune.study import Study, StudyState
from mixtune.target import TargetFacts
from mixtune.training.base import Trainer
from mixtune.trial import Trial, TrialState
from mixtune.tuning.listener import Listener

TUNED = Recipe(Mixture({"alpha": 0.8, "beta": 0.2}))

ERROR = "Traceback (most recent call last):\n  File a.py, line 3\nValueError: no luck"


@dataclass
class ScriptedTuner:
    """Fills in what a tuner would have found, without training. Raises what stands in `trouble` first, one per call."""

    trouble: list[MixtuneError] = field(default_factory=list)
    end: tuple[StudyState, str] = (StudyState.COMPLETE, "")
    calls: list[tuple[str, Path]] = field(default_factory=list)
    reused: list[bool] = field(default_factory=list)

    def __call__(
        self, store: Store, name: str, trainer: Trainer, *, artifacts: Path, listener: Listener, reuse: bool = True
    ) -> StudyRecord:
        self.calls.append((name, artifacts))
        self.reused.append(reuse)
        if self.trouble:
            raise self.trouble.pop(0)
        record = store.study(name)
        lease = store.acquire(name, "host 1 2")
        study = replace(record.study, preparation=prepared(record.study))
        listener.preparing("reading", 0, 2)
        held = store.trials(name)
        trials = [] if held else finished_trials(study)
        store.update_study(lease, study=study, state=StudyState.RUNNING, versions={"mixtune": "0"}, add=trials)
        for trial in trials:
            if trial.state is TrialState.COMPLETE:
                store.update_trial(lease, trial, scores() if trial.role in (Role.ANCHOR, Role.RERUN) else None)
            listener.changed(record, trial, len(trials))
        state, reason = self.end
        record = store.update_study(lease, state=state, reason=reason)
        listener.changed(record, None, len(trials))
        store.release(lease)
        return record


def prepared(study: Study) -> Preparation:
    return Preparation(
        key="k",
        sources={name: SourceFacts(100, 100, 10.0, "x") for name in study.names},
        targets={target.name: TargetFacts(4, 4, 50, 50, "z") for target in study.targets},
        run_flops=100.0,
        encoded=3,
    )


def finished_trials(study: Study) -> list[Trial]:
    even = Recipe(Mixture.uniform(study.names))
    plan = [
        Proposal(even, 10, Role.ANCHOR, label="uniform"),
        Proposal(even, 10, Role.ANCHOR, label="proportional"),
        Proposal(TUNED, 10, Role.SEARCH),
        Proposal(TUNED, 10, Role.SEARCH),
        Proposal(TUNED, 10, Role.RERUN, label="best"),
    ]
    metrics = {target.name: {"ndcg@10": 0.5, "recall@20": 0.6} for target in study.targets}
    trials = []
    for number, proposal in enumerate(plan):
        test = metrics if proposal.role is not Role.SEARCH else {}
        measurement = Measurement(score=0.5, dev=metrics, test=test, cost=Cost(train=100.0, seconds=1.0))
        trial = Trial(number, proposal, seed=number, state=TrialState.COMPLETE, attempt=1, measurement=measurement)
        if number == 3:
            trial = replace(trial, state=TrialState.FAILED, measurement=None, error=ERROR)
        trials.append(replace(trial, node="here", pid=7, started=1.0, finished=2.0))
    return trials


def scores() -> dict[str, dict[str, tuple[float, ...]]]:
    return {"goal": {"ndcg@10": (0.4, 0.5, 0.5, 0.6), "recall@20": (0.5, 0.6, 0.6, 0.7)}}
