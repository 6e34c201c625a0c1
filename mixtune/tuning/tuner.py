"""Drives a study to its end: the database is the truth, Ray executes."""

import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mixtune.errors import ConfigError, LeaseLost, MixtuneError, SearchExhausted, StudyStopped
from mixtune.measurement import Scores
from mixtune.proposal import Role
from mixtune.searchers import make
from mixtune.searchers.base import Searcher
from mixtune.searchers.possible import require_possible
from mixtune.searchers.remembering import remembering
from mixtune.store.base import Lease, Store, StudyRecord, Twin
from mixtune.study import Study, StudyState
from mixtune.training.base import Prepare, Task, Trainer
from mixtune.trial import Trial, TrialState, headline
from mixtune.tuning import engine, plan, stopping
from mixtune.tuning.fingerprint import fingerprint
from mixtune.tuning.leased import leased
from mixtune.tuning.listener import Listener, Unwatched
from mixtune.tuning.search import StudySearch
from mixtune.tuning.versions import versions
from mixtune.tuning.wire import Answer, Progress

MAX_CRASHES = 3
"""Times that a worker may die under a trial, in one tuner's life, before the trial counts as failed."""

KEPT_CHECKPOINTS = 2
"""Newest rounds of a chain whose checkpoints are kept."""


def tune(
    store: Store,
    name: str,
    trainer: Trainer,
    *,
    artifacts: Path,
    listener: Listener | None = None,
    reuse: bool = True,
    prepare: Prepare | None = None,
) -> StudyRecord:
    """Drive a study to its end and return its record: complete, stopped (interrupted) or failed (reason says why).

    Takes the study's lease, prepares it, runs what is left to run, and gives the lease back whatever happens. Trials
    that a dead tuner left running start again under their own number, seed and recipe as a new attempt. With reuse,
    a fresh run that is stored already, in this study or another one, is taken over instead of run again: what it
    measured is equal (see mixtune.tuning.fingerprint), and its cost counts here too. prepare stands in for the
    trainer's own where several studies share one preparation.

    Raises:
        StudyNotFound: no study of that name.
        LeaseHeld: another living tuner drives it.
        LeaseLost: another tuner took it over meanwhile.
        ConfigError: the search algorithm reads what the trainer does not measure, or early stopping has nothing to
            stop.
        DataError: a source or target cannot be read or used. The study stays, as failed.
        ModelError: the base model is not there or cannot be trained as asked. The study stays, as failed.
    """
    record = store.study(name)
    searcher = make(record.study.search)
    missing = searcher.needs - trainer.provides
    if missing:
        raise ConfigError(
            f"{record.study.search.algorithm} reads {', '.join(sorted(missing))}, which this trainer does not measure: "
            f"choose another search algorithm"
        )
    if record.study.stopping is not None:
        stopping.require_useful(record.study.stopping, record.study.proxy, type(searcher))
    with leased(store, name) as lease:
        searching, folder = remembering(searcher), artifacts / record.uid
        run = _Run(store, lease, trainer, searching, folder, listener or Unwatched(), record, reuse, prepare)
        try:
            run.prepare()
            run.drive()
        except KeyboardInterrupt:
            run.stop(StudyState.STOPPED, "interrupted")
        except StudyStopped as stopped:
            run.stop(StudyState.FAILED, str(stopped))
        except LeaseLost:
            raise
        except MixtuneError as error:
            run.stop(StudyState.FAILED, f"{type(error).__name__}: {error}")
            raise
        except BaseException as error:
            run.stop(StudyState.STOPPED, f"the tuner died of {type(error).__name__}: {error}")
            raise
        return run.record


@dataclass
class _Run:
    """One tuner's run of a study: the driver behind Ray's searcher, and the single writer of the study's rows."""

    store: Store
    lease: Lease
    trainer: Trainer
    searcher: Searcher
    artifacts: Path
    listener: Listener
    record: StudyRecord
    reuse: bool = True
    prepared_by: Prepare | None = None
    trials: list[Trial] = field(default_factory=list)
    crashes: dict[int, int] = field(default_factory=dict)
    failures_in_a_row: int = 0

    @property
    def study(self) -> Study:
        return self.record.study

    def prepare(self) -> None:
        """Read and encode what is needed, and number the opening trials. A prepared study finds its own work."""
        preparation = (self.prepared_by or self.trainer.prepare)(self.study, self.listener.preparing)
        held = self.study.preparation
        self.trials = self.store.trials(self.study.name)
        if held is not None and held.key != preparation.key and self.trials:
            raise MixtuneError(
                f"the data, model or proxy behind study {self.study.name!r} has changed since it was started "
                f"(prepared as {held.key}, now {preparation.key}): its trials cannot be compared with new ones. "
                f"Restore the data, or start a study under another name"
            )
        study = replace(self.study, preparation=held if held is not None else preparation)
        require_possible(study, self.searcher)
        opening = plan.opening(study) if not self.trials else []
        self._update(study=study, state=StudyState.RUNNING, reason="", versions=versions(), add=opening)
        self.trials.extend(opening)
        for trial in self.trials:
            if trial.state is TrialState.RUNNING:
                self._write(replace(trial, state=TrialState.QUEUED))

    def drive(self) -> None:
        """Run trials through Ray until the plan is done."""
        try:
            self._due()
        except SearchExhausted:
            self.stop(StudyState.COMPLETE, "")
            return
        with engine.cluster(self.study.budget.workers) as scratch:
            search = StudySearch(self)
            run = f"{self.record.uid[:8]}-{uuid.uuid4().hex[:8]}"
            try:
                engine.fit(self.study, self.trainer, search, run=run, scratch=scratch)
            finally:
                if search.failure is not None:
                    raise search.failure
        if search.exhausted:
            self.stop(StudyState.COMPLETE, "")
        else:  # Ray answers Ctrl-C by itself: it lets its workers go and returns
            self.stop(StudyState.STOPPED, "interrupted")

    def stop(self, state: StudyState, reason: str) -> None:
        """Close the study's rows: what was running waits for a new attempt."""
        for trial in self.trials:
            if trial.state is TrialState.RUNNING:
                self._write(replace(trial, state=TrialState.QUEUED))
        self._update(state=state, reason=reason)

    def start_next(self) -> Task:
        """Number, commit and describe the trial to start now."""
        started, task = self._due()
        self._begin(started)
        self.artifacts.mkdir(parents=True, exist_ok=True)
        return task

    def _due(self) -> tuple[Trial, Task]:
        """The attempt to start now and its task; on the way there, runs that are stored already are taken over."""
        while True:
            trial = plan.next_trial(self.study, self.searcher, self.trials)
            started = replace(trial, state=TrialState.RUNNING, attempt=trial.attempt + 1, started=time.time())
            task = Task(
                number=trial.number,
                proposal=trial.proposal,
                seed=trial.seed,
                checkpoint=self._folder(started),
                parent=self._checkpoint(trial.proposal.parent),
                reference=self._checkpoint(trial.proposal.reference),
                thresholds=stopping.thresholds(self.study, self.trials, started),
            )
            threads, versions = engine.threads(self.study), self.record.versions or {}
            found = fingerprint(self.study, task, self.trainer, versions, threads)
            started = replace(started, finished=None, node=None, pid=None, fingerprint=found)
            twin = self.store.twin(found) if self.reuse and found else None
            if twin is None:
                return started, task
            self._begin(started)
            self._take_over(started, twin)

    def _begin(self, started: Trial) -> None:
        """Commit an attempt, of a new trial or of one that waits."""
        if started.number == len(self.trials):
            self.store.add_trial(self.lease, started)
            self.trials.append(started)
            self._tell(started)
        else:
            self._write(started)

    def _take_over(self, started: Trial, twin: Twin) -> None:
        """Commit an equal run's measurement and scores as those of an attempt that has just begun."""
        self._complete(
            replace(
                started,
                state=TrialState.COMPLETE,
                measurement=twin.trial.measurement,
                error=None,
                finished=time.time(),
                reused=f"{twin.study}/{twin.trial.number}",
            ),
            twin.scores,
        )

    def alive(self, number: int, progress: Progress) -> None:
        """Note where a trial runs, and pass its progress on."""
        trial = self.trials[number]
        if (trial.node, trial.pid) != (progress.node, progress.pid):
            self._write(replace(trial, node=progress.node, pid=progress.pid))
        self.listener.progress(number, progress.step, progress.score)

    def finish(self, number: int, answer: Answer | None) -> None:
        """Commit an answer. A worker that died without a word costs an attempt, MAX_CRASHES of them the trial."""
        trial = replace(self.trials[number], finished=time.time())
        if answer is None:
            self.crashes[number] = self.crashes.get(number, 0) + 1
            error = f"the worker of attempt {trial.attempt} died (killed, or out of memory)"
            again = self.crashes[number] < MAX_CRASHES
            self._end(replace(trial, state=TrialState.QUEUED if again else TrialState.FAILED, error=error))
        elif answer.outcome is None:
            self._end(replace(trial, state=TrialState.FAILED, error=answer.error, node=answer.node, pid=answer.pid))
        else:
            measurement = answer.outcome.measurement
            folder = self._folder(trial)
            measurement = replace(measurement, checkpoint=folder.name if folder.exists() else None)
            done = replace(
                trial,
                state=TrialState.PRUNED if answer.outcome.pruned else TrialState.COMPLETE,
                measurement=measurement,
                error=None,
                node=answer.node,
                pid=answer.pid,
            )
            self._complete(done, answer.outcome.scores)
            self._forget_old_checkpoints()

    def _complete(self, done: Trial, scores: Scores) -> None:
        """Commit a trial that has succeeded."""
        self.store.update_trial(self.lease, done, scores)
        self.trials[done.number] = done
        self._tell(done)
        self.failures_in_a_row = 0

    def _end(self, trial: Trial) -> None:
        """Commit a failed or interrupted attempt; give the study up after too many failures in a row."""
        self._write(trial)
        if trial.state is TrialState.FAILED:
            self.failures_in_a_row += 1
            if self.failures_in_a_row >= self.study.budget.max_failures:
                raise StudyStopped(
                    f"{self.failures_in_a_row} trials failed in a row, the last one (trial {trial.number}) with: "
                    f"{headline(trial.error)}"
                )

    def _folder(self, trial: Trial) -> Path:
        """Where the trial's attempt leaves its checkpoint; no two attempts share a folder."""
        return self.artifacts / f"trial-{trial.number}-attempt-{trial.attempt}"

    def _checkpoint(self, parent: int | None) -> Path | None:
        if parent is None:
            return None
        measurement = self.trials[parent].measurement
        if measurement is None or measurement.checkpoint is None:
            raise MixtuneError(
                f"trial {parent} left no checkpoint to continue: this is a defect of the search algorithm"
            )
        return self.artifacts / measurement.checkpoint

    def _forget_old_checkpoints(self) -> None:
        """Remove the checkpoints of all but the newest rounds; a round only ever continues the last complete one."""
        rounds = [t for t in self.trials if t.role is Role.ROUND and t.measurement is not None]
        for trial in rounds[:-KEPT_CHECKPOINTS]:
            if trial.measurement is not None and trial.measurement.checkpoint is not None:
                shutil.rmtree(self.artifacts / trial.measurement.checkpoint, ignore_errors=True)

    def _write(self, trial: Trial) -> None:
        self.store.update_trial(self.lease, trial)
        self.trials[trial.number] = trial
        self._tell(trial)

    def _tell(self, trial: Trial | None) -> None:
        self.listener.changed(self.record, trial, plan.planned(self.study, self.searcher, self.trials))

    def _update(
        self,
        *,
        study: Study | None = None,
        state: StudyState | None = None,
        reason: str | None = None,
        versions: dict[str, str] | None = None,
        add: Sequence[Trial] = (),
    ) -> None:
        self.record = self.store.update_study(
            self.lease, study=study, state=state, reason=reason, versions=versions, add=add
        )
        if self.study.preparation is not None:
            self._tell(None)
