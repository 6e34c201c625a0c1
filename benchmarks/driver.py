"""Drives studies in this process, without Ray and without a database, for benchmarks that need hundreds of searches.

The plan, the searchers and the trainer are the product's own, so a study of one worker proposes, trains and measures
here what it does under `mixtune run`: proposals and seeds depend on the study and the number of the trial alone.
"""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from scenarios import SCENARIOS

from mixtune.config.home import home
from mixtune.errors import SearchExhausted
from mixtune.proxy import Final, Proxy
from mixtune.recipe import Recipe
from mixtune.search import Budget, Search
from mixtune.searchers import make
from mixtune.searchers.remembering import remembering
from mixtune.study import Study
from mixtune.training.base import Task
from mixtune.training.trainer import EncoderTrainer
from mixtune.trial import CHARGED, VISIBLE, Cost, Outcome, Proposal, Role, Trial, TrialState
from mixtune.tuning import plan

TOLERANCE = 1.005
"""Fresh runs differ a little in cost: seven of them count as seven."""


@dataclass(frozen=True)
class Found:
    """What a search recommends, and what it cost: in fresh runs, and FLOPs by what they were spent on.

    influence is, of a guided search, target -> source -> mean influence over the rounds that probed the source.
    """

    recipe: Recipe
    runs: float
    trials: int
    train: float = 0.0
    probe: float = 0.0
    dev: float = 0.0
    seconds: float = 0.0
    influence: dict[str, dict[str, float]] = field(default_factory=dict)


class Driver:
    """Runs the searches and judged runs of one scenario, which is prepared once.

    Args:
        data: folder of the BEIR sets.
        scenario: its name in SCENARIOS.
        proxy: what trains.
    """

    def __init__(self, data: Path, scenario: str, proxy: Proxy) -> None:
        self.scenario = SCENARIOS[scenario]
        self.trainer = EncoderTrainer(home().ready().cache)
        bare = Study(
            name=scenario,
            sources=self.scenario.source_values(data),
            targets=self.scenario.target_values(data),
            search=Search("uniform"),
            budget=Budget(runs=1.0, workers=1),
            proxy=proxy,
            final=Final(steps=2000, seeds=0),
        )
        self.prepared = replace(bare, preparation=self.trainer.prepare(bare, lambda what, done, total: None))

    def study(self, search: Search, *, runs: float, seed: int) -> Study:
        """A search of this scenario under a budget in fresh runs."""
        return replace(self.prepared, search=search, budget=Budget(runs=runs, workers=1), seed=seed)

    def search(self, study: Study) -> Found:
        """Drive a search to the end of its budget, and recommend from what did not go over it.

        A tuner lets the last trial go over the budget by up to half of its cost; here it then does not count.
        """
        searcher, trials = remembering(make(study.search)), plan.opening(study)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            while True:
                try:
                    trial = plan.next_trial(study, searcher, trials)
                except SearchExhausted:
                    break
                outcome = self._train(study, trial, folder)
                state = TrialState.PRUNED if outcome.pruned else TrialState.COMPLETE
                trials[trial.number :] = [replace(trial, state=state, attempt=1, measurement=outcome.measurement)]
                for old in folder.iterdir():
                    if old.name not in (str(trial.number), str(trial.proposal.parent)):
                        shutil.rmtree(old)
        limit = (study.budget.runs or float("inf")) * study.prepared.run_flops * TOLERANCE
        while sum(cost.flops for cost in costs(trials)) > limit:
            trials.pop()
        paid = costs(trials)
        return Found(
            recipe=searcher.recommend(study, [trial for trial in trials if trial.role in VISIBLE]),
            runs=sum(cost.flops for cost in paid) / study.prepared.run_flops,
            trials=len(paid),
            train=sum(cost.train for cost in paid),
            probe=sum(cost.probe for cost in paid),
            dev=sum(cost.dev for cost in paid),
            seconds=sum(cost.seconds for cost in paid),
            influence=influences(trials),
        )

    def judge(self, study: Study, recipe: Recipe, replicate: int) -> Outcome:
        """Train a recipe fresh on a judging seed of the study, which no search uses, and score it on dev and test."""
        steps = study.proxy.steps
        proposal = Proposal(recipe, steps, Role.RERUN, horizon=steps, replicate=replicate)
        seed = study.judging_seed(replicate)
        return self.trainer.train(study, Task(0, proposal, seed, Path("unused")), lambda step, score: None)

    def _train(self, study: Study, trial: Trial, folder: Path) -> Outcome:
        parent = trial.proposal.parent
        task = Task(
            trial.number,
            trial.proposal,
            trial.seed,
            folder / str(trial.number),
            None if parent is None else folder / str(parent),
        )
        return self.trainer.train(study, task, lambda step, score: None)


def costs(trials: Iterable[Trial]) -> list[Cost]:
    """What the searcher paid for."""
    return [t.measurement.cost for t in trials if t.role in CHARGED and t.measurement is not None]


def influences(trials: Iterable[Trial]) -> dict[str, dict[str, float]]:
    """Target -> source -> mean influence over all probes."""
    seen: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for trial in trials:
        for source, found in (trial.measurement.influence if trial.measurement else {}).items():
            for target, value in found.per_target.items():
                seen[target][source].append(value)
    return {
        target: {source: sum(values) / len(values) for source, values in sorted(by_source.items())}
        for target, by_source in seen.items()
    }
