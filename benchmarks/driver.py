"""Drives studies in this process, without Ray and without a database, for benchmarks that need hundreds of searches.

The plan, the searchers and the trainer are the product's own, so a study of one worker proposes, trains and measures
here what it does under `mixtune run`: proposals and seeds depend on the study and the number of the trial alone.
"""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mixtune.config.home import home
from mixtune.errors import SearchExhausted, TrainingError
from mixtune.measurement import Cost, Outcome
from mixtune.proposal import CHARGED, VISIBLE, Proposal, Role
from mixtune.recipe import Recipe
from mixtune.search import Budget, Search
from mixtune.searchers import make
from mixtune.searchers.baselines import Baseline
from mixtune.searchers.remembering import remembering
from mixtune.study import Study
from mixtune.training.base import Task
from mixtune.training.trainer import EncoderTrainer
from mixtune.trial import Trial, TrialState
from mixtune.tuning import plan

TOLERANCE = 1.005
"""Fresh runs differ a little in cost: seven of them count as seven."""


@dataclass(frozen=True)
class Found:
    """What a search recommends, and what it cost: in fresh runs, and FLOPs by what they were spent on.

    recipe is None where the compute was too little for any recommendation. influence is, of a guided search, target ->
    source -> mean influence over the rounds that probed the source.
    """

    recipe: Recipe | None
    runs: float = 0.0
    trials: int = 0
    train: float = 0.0
    probe: float = 0.0
    dev: float = 0.0
    seconds: float = 0.0
    influence: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def gflops(self) -> float:
        """All that the search paid for, in 10 ** 9 floating-point operations."""
        return (self.train + self.probe + self.dev) / 1e9


class Driver:
    """Runs the searches and judged runs of one study, which is prepared once.

    Args:
        bare: the study; what it searches by, for how long and from which seed does not matter.
    """

    def __init__(self, bare: Study) -> None:
        self.trainer = EncoderTrainer(home().ready().cache)
        self.prepared = replace(bare, preparation=self.trainer.prepare(bare, lambda what, done, total: None))

    def study(self, search: Search, *, runs: float, seed: int, trials: int | None = None) -> Study:
        """A search under a budget in fresh runs, or in trials as well."""
        return replace(self.prepared, search=search, budget=Budget(trials, runs, workers=1), seed=seed)

    def run(self, study: Study) -> list[Trial]:
        """Drive a search to the end of its budget; of a mixture that is known beforehand nothing needs to run."""
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
                done = self._finished(study, trial, folder)
                failures = failures + 1 if done.state is TrialState.FAILED else 0
                trials[trial.number :] = [done]
                kept = {trial.number, trial.proposal.parent, *(t.number for t in trials if t.role is Role.REFERENCE)}
                for old in folder.iterdir():
                    if old.name not in map(str, kept):
                        shutil.rmtree(old)
        return trials

    def found(self, study: Study, trials: Sequence[Trial], runs: float | None = None) -> Found:
        """Recommend from the trials that do not go over so many fresh runs, by default those of the budget.

        A tuner lets the last trial go over the budget by up to half of its cost; here it then does not count. But the
        first trial of a search over fresh runs always does: one run at other weights may cost a little more.
        """
        unit = study.prepared.run_flops
        within = within_budget(trials, (runs or study.budget.runs or float("inf")) * unit * TOLERANCE)
        paid = costs(within)
        try:
            recipe = make(study.search).recommend(study, [trial for trial in within if trial.role in VISIBLE])
        except SearchExhausted:
            recipe = None
        return Found(
            recipe=recipe,
            runs=sum(cost.flops for cost in paid) / unit,
            trials=len(paid),
            train=sum(cost.train for cost in paid),
            probe=sum(cost.probe for cost in paid),
            dev=sum(cost.dev for cost in paid),
            seconds=sum(cost.seconds for cost in paid),
            influence=influences(within),
        )

    def judge(self, study: Study, recipe: Recipe, replicate: int) -> Outcome:
        """Train a recipe fresh on a judging seed of the study, which no search uses, and score it on dev and test."""
        steps = study.proxy.steps
        proposal = Proposal(recipe, steps, Role.RERUN, horizon=steps, replicate=replicate)
        seed = study.judging_seed(replicate)
        return self.trainer.train(study, Task(0, proposal, seed, Path("unused")), lambda step, score: None)

    def _finished(self, study: Study, trial: Trial, folder: Path) -> Trial:
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
            outcome = self.trainer.train(study, task, lambda step, score: None)
        except TrainingError as error:
            return replace(trial, state=TrialState.FAILED, attempt=1, error=str(error))
        state = TrialState.PRUNED if outcome.pruned else TrialState.COMPLETE
        return replace(trial, state=state, attempt=1, measurement=outcome.measurement)


def within_budget(trials: Sequence[Trial], flops: float) -> list[Trial]:
    """The first trials, up to the one with which those that are paid for cost more than that."""
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
