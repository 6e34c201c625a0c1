"""What mixtune adds to the trials themselves: Ray, the store and the plan. Ratios come from one run.

    python benchmarks/speed.py overhead|trivial|listing [--quick] [--json FILE]

overhead: trials of about three seconds (proxy `head`, docstrings of installed packages) through tune() with one
worker, against the same trials run bare, one after the other in one process. trivial: trials that do nothing, on two
warm workers, in trials per second. listing: 10,000 trials listed from SQLite.
"""

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path

from mixtune.config.home import home
from mixtune.measurement import Cost, Measurement, Outcome
from mixtune.preparation import Preparation
from mixtune.proposal import Proposal, Role
from mixtune.proxy import Final, Proxy
from mixtune.recipe import Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.store.base import Store
from mixtune.store.sql import open_store
from mixtune.study import Study
from mixtune.target import Target, TargetFacts
from mixtune.training.base import Progress, Report, Task, Trainer
from mixtune.training.threads import at_most
from mixtune.training.trainer import EncoderTrainer
from mixtune.trial import Trial, TrialState
from mixtune.tuning.engine import WORKER_ENVIRONMENT
from mixtune.tuning.tuner import tune

Figures = dict[str, float]


@dataclass(frozen=True)
class TrivialTrainer:
    """A trainer that does nothing: what remains is the tuner's."""

    @property
    def provides(self) -> frozenset[str]:
        """All fields of a Measurement."""
        return frozenset(item.name for item in fields(Measurement))

    def prepare(self, study: Study, progress: Progress) -> Preparation:
        """Make up rows and queries."""
        return Preparation(
            key="trivial",
            sources={source.name: SourceFacts(1000, 1000, 40.0, "") for source in study.sources},
            targets={target.name: TargetFacts(100, 100, 1000, 1000, "") for target in study.targets},
            run_flops=1e12,
        )

    def train(self, study: Study, task: Task, report: Report) -> Outcome:
        """Score the mixture by its largest weight."""
        score = max(task.proposal.recipe.mixture.values())
        metrics = {target.name: {"ndcg@10": score} for target in study.targets}
        judged = task.proposal.role in (Role.SURVEY, Role.ANCHOR, Role.RERUN)
        scores = {target.name: {"ndcg@10": (score,) * 100} for target in study.targets} if judged else {}
        measurement = Measurement(
            study.proxy.steps, score, dev=metrics, test=metrics if judged else {}, cost=Cost(train=1e12)
        )
        return Outcome(measurement, scores)


def trivial_study(name: str, trials: int) -> Study:
    """Sixteen sources, two targets, random search on two workers."""
    return Study(
        name=name,
        sources=tuple(Source(f"s{index}", "docstrings", "numpy") for index in range(16)),
        targets=tuple(Target(f"t{index}", "docstrings", "numpy") for index in range(2)),
        search=Search("random"),
        budget=Budget(trials=trials, workers=2),
        final=Final(seeds=1, finalists=1),
    )


def proxy_study(name: str, steps: int, trials: int) -> Study:
    """Three small sources and one target from installed packages, random search on one worker."""
    return Study(
        name=name,
        sources=tuple(Source(each, "docstrings", each, limit=200) for each in ("numpy", "sqlalchemy", "plotly")),
        targets=(Target("numpy", "docstrings", "numpy", pool=500),),
        search=Search("random"),
        budget=Budget(trials=trials, workers=1),
        proxy=Proxy(steps=steps),
        final=Final(seeds=1, finalists=1),
    )


@contextmanager
def _store(folder: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{folder / 'mixtune.db'}", create=True)) as store:
        yield store


def _run(store: Store, study: Study, trainer: Trainer, folder: Path) -> list[Trial]:
    """Drive a study to its end; its trials in the order in which they finished."""
    store.create_study(study)
    record = tune(store, study.name, trainer, artifacts=folder / "artifacts", reuse=False)
    trials = store.trials(study.name)
    if record.state != "complete" or any(trial.state is not TrialState.COMPLETE for trial in trials):
        raise SystemExit(f"study {study.name} ended {record.state}: {record.reason}")
    return sorted(trials, key=lambda trial: trial.finished or 0.0)


def _gaps(trials: Sequence[Trial]) -> list[float]:
    """Seconds from the end of each trial to the end of the next."""
    ends = [trial.finished or 0.0 for trial in trials]
    return [after - before for before, after in pairwise(ends)]


def alone(trainer: Trainer, study: Study, trial: Trial, folder: Path) -> float:
    """Wall seconds of a trial that is run by itself."""
    began = time.perf_counter()
    task = Task(trial.number, trial.proposal, trial.seed, folder / f"bare-{study.name}-{trial.number}")
    with at_most(1):
        trainer.train(study, task, lambda step, score: None)
    return time.perf_counter() - began


@contextmanager
def _bare() -> Iterator[ProcessPoolExecutor]:
    """A process with the environment of a worker, and without Ray."""
    before = dict(os.environ)
    os.environ.update(WORKER_ENVIRONMENT, OMP_NUM_THREADS="1")
    try:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            pool.submit(int).result()  # it starts here, with this environment
            os.environ.clear()
            os.environ.update(before)
            yield pool
    finally:
        os.environ.clear()
        os.environ.update(before)


def overhead(quick: bool = False) -> Figures:
    """A warm trial through tune() over the same trial run bare; blocks of the two alternate."""
    seconds, blocks, trials = (1.0, 1, 3) if quick else (3.0, 3, 4)
    trainer = EncoderTrainer(home().ready().cache)
    tuned: list[float] = []
    bare: list[float] = []
    inside: list[float] = []
    with tempfile.TemporaryDirectory() as place, _store(Path(place)) as store, _bare() as pool:
        folder = Path(place)
        steps = _steps(seconds, trainer, pool, folder)
        for block in range(blocks):
            study = replace(proxy_study(f"block{block}", steps, trials), seed=block)
            ended = _run(store, study, trainer, folder)
            ready = store.study(study.name).study
            # The survey and the trial behind it start the worker; what follows is warm.
            for trial, gap in zip(ended[2:], _gaps(ended)[1:], strict=True):
                tuned.append(gap)
                inside.append(trial.measurement.cost.seconds if trial.measurement else 0.0)
                bare.append(pool.submit(alone, trainer, ready, trial, folder).result())
    return {
        "trials": len(tuned),
        "steps": steps,
        "bare seconds": statistics.median(bare),
        "tuned seconds": statistics.median(tuned),
        "of them in training": statistics.median(inside),
        "ratio": statistics.median(tuned) / statistics.median(bare),
        "median of the ratios": statistics.median(a / b for a, b in zip(tuned, bare, strict=True)),
    }


def _steps(seconds: float, trainer: Trainer, pool: ProcessPoolExecutor, folder: Path) -> int:
    """Optimiser steps of a trial of about that many seconds, from two lengths of it, run warm."""
    times: dict[int, float] = {}
    for number, steps in enumerate((100, 100, 1100)):  # the first one is cold, and replaced
        study = proxy_study(f"look{number}", steps, 1)
        study = replace(study, preparation=trainer.prepare(study, lambda what, done, total: None))
        trial = Trial(number, _search(study, study.recipe(study.proportional())), seed=1)
        times[steps] = pool.submit(alone, trainer, study, trial, folder).result()
    each = max(times[1100] - times[100], 0.01) / 1000
    return max(100, round((seconds - times[100]) / each) + 100)


def trivial(quick: bool = False) -> Figures:
    """Trials per second on two warm workers, of 100 trials that do nothing: the median of five studies."""
    trials, repeats, warm = (30, 1, 10) if quick else (100, 5, 10)
    rates = []
    with tempfile.TemporaryDirectory() as place, _store(Path(place)) as store:
        for repeat in range(repeats):
            ended = _run(store, trivial_study(f"trivial{repeat}", trials), TrivialTrainer(), Path(place))
            gaps = _gaps([trial for trial in ended if trial.role is Role.SEARCH])[warm:]
            rates.append(len(gaps) / sum(gaps))
    return {
        "trials": trials,
        "median trials/s": statistics.median(rates),
        "lowest": min(rates),
        "highest": max(rates),
    }


def listing(quick: bool = False, trials: int = 10_000) -> Figures:
    """Seconds to list finished trials from SQLite, as `mixtune trials` does: the median of five."""
    count = trials // 10 if quick else trials
    study = trivial_study("long", count)
    study = replace(study, preparation=TrivialTrainer().prepare(study, lambda what, done, total: None))
    proposal = _search(study, study.recipe(study.proportional()))
    rows = []
    for number in range(count):
        task = Task(number, proposal, study.trial_seed(number), Path("nowhere"))
        found = TrivialTrainer().train(study, task, lambda step, score: None).measurement
        rows.append(Trial(number, proposal, task.seed, state=TrialState.COMPLETE, attempt=1, measurement=found))
    with tempfile.TemporaryDirectory() as place, _store(Path(place)) as store:
        store.create_study(study)
        lease = store.acquire(study.name, "benchmark")
        store.update_study(lease, study=study, add=rows)
        listed, whole = _times(lambda: store.summaries("long")), _times(lambda: store.trials("long"))
        store.release(lease)
    return {"trials": count, "median seconds": listed, "with measurements": whole}


def _search(study: Study, recipe: Recipe) -> Proposal:
    return Proposal(recipe, study.proxy.steps, Role.SEARCH, horizon=study.proxy.steps)


def _times(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


BENCHMARKS: dict[str, tuple[Callable[[bool], Figures], str]] = {
    "overhead": (overhead, "goal: ratio at most 1.05"),
    "trivial": (trivial, "goal: at least 5 trials/s"),
    "listing": (listing, "goal: below 0.3 s for 10,000"),
}


def measured(name: str, quick: bool = False) -> Figures:
    """Run one of the BENCHMARKS and print its figures beside its goal."""
    benchmark, goal = BENCHMARKS[name]
    figures = benchmark(quick)
    print(f"{name} ({goal})")
    for what, value in figures.items():
        print(f"  {what:<22} {value:>10,.4g}")
    return figures
