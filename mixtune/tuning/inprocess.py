"""Drives a study in this process, without Ray and without a database: for replays, and for hundreds of searches."""

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mixtune.errors import SearchExhausted, TrainingError
from mixtune.measurement import Cost
from mixtune.proposal import CHARGED, Role
from mixtune.searchers import make
from mixtune.searchers.baselines import Baseline
from mixtune.searchers.remembering import remembering
from mixtune.study import Study
from mixtune.training.base import Task, Trainer
from mixtune.trial import Trial, TrialState
from mixtune.tuning import plan

TOLERANCE = 1.005
"""Fresh runs differ a little in cost: seven of them count as seven."""


def drive(study: Study, trainer: Trainer) -> list[Trial]:
    """Drive a prepared study of one worker to the end of its plan.

    The plan, the searchers and the trainer are those of a tuner: a study proposes, trains and measures here what it
    does there, since proposals and seeds depend on the study and the number of the trial alone. A mixture that is known
    beforehand is not run. Runs are never ended early.
    """
    searcher = remembering(make(study.search))
    if isinstance(searcher, Baseline):
        return []
    trials = plan.opening(study)
    with tempfile.TemporaryDirectory() as name:
        folder, failures = Path(name), 0
        while failures < study.budget.max_failures:
            try:
                trial = plan.next_trial(study, searcher, trials)
            except SearchExhausted:
                break
            done = _finished(study, trainer, trial, folder)
            failures = failures + 1 if done.state is TrialState.FAILED else 0
            trials[trial.number : trial.number + 1] = [done]
            _forget(folder, trials, done)
    return trials


def within_budget(trials: Sequence[Trial], flops: float) -> list[Trial]:
    """The first trials, up to the one with which those that are paid for cost more than that.

    A tuner lets the last trial go over the budget by up to half of its cost; here it then does not count. But the first
    trial of a search over fresh runs always does: one run at other weights may cost a little more.
    """
    spent, within = 0.0, list[Trial]()
    for trial in trials:
        cost = costs([trial])
        lone = trial.role is Role.SEARCH and not costs(within)
        if cost and spent + cost[0].flops > flops and not lone:
            break
        spent += sum(one.flops for one in cost)
        within.append(trial)
    return within


def costs(trials: Iterable[Trial]) -> list[Cost]:
    """What the searcher paid for."""
    return [t.measurement.cost for t in trials if t.role in CHARGED and t.measurement is not None]


def _finished(study: Study, trainer: Trainer, trial: Trial, folder: Path) -> Trial:
    """The trial with its measurement; one that cannot go on has failed, as in the tuner."""
    parent, reference = trial.proposal.parent, trial.proposal.reference
    task = Task(
        trial.number,
        trial.proposal,
        trial.seed,
        folder / str(trial.number),
        None if parent is None else folder / str(parent),
        reference=None if reference is None else folder / str(reference),
    )
    try:
        outcome = trainer.train(study, task, lambda step, score: None)
    except TrainingError as error:
        return replace(trial, state=TrialState.FAILED, attempt=1, error=str(error))
    state = TrialState.PRUNED if outcome.pruned else TrialState.COMPLETE
    return replace(trial, state=state, attempt=1, measurement=outcome.measurement)


def _forget(folder: Path, trials: Sequence[Trial], done: Trial) -> None:
    """Drop the checkpoints that nothing continues: only the newest round, its parent and references are kept."""
    kept = {done.number, done.proposal.parent, *(t.number for t in trials if t.role is Role.REFERENCE)}
    for old in folder.iterdir():
        if old.name not in map(str, kept):
            shutil.rmtree(old)
