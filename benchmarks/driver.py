"""Studies of real runs driven in this process: what is prepared once, searched in, judged and recommended."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mixtune.config.home import home
from mixtune.errors import SearchExhausted
from mixtune.measurement import Outcome
from mixtune.proposal import VISIBLE, Proposal, Role
from mixtune.recipe import Recipe
from mixtune.search import Budget, Search
from mixtune.searchers import make
from mixtune.study import Study
from mixtune.training.base import Task
from mixtune.training.trainer import EncoderTrainer
from mixtune.trial import Trial
from mixtune.tuning.inprocess import TOLERANCE, costs, drive, within_budget


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
        """A search under a budget in fresh runs, or in trials as well; what it recommends by itself is what counts."""
        final = replace(self.prepared.final, finalists=1)
        return replace(self.prepared, search=search, budget=Budget(trials, runs, workers=1), final=final, seed=seed)

    def run(self, study: Study) -> list[Trial]:
        """Drive a search to the end of its budget; of a mixture that is known beforehand nothing needs to run."""
        return drive(study, self.trainer)

    def found(self, study: Study, trials: Sequence[Trial], runs: float | None = None) -> Found:
        """Recommend from the trials that do not go over so many fresh runs, by default those of the budget.

        Which ones these are `within_budget` says.
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
        study = replace(study, final=replace(study.final, seeds=replicate + 1))  # or nothing would be read on test
        return self.trainer.train(study, Task(0, proposal, seed, Path("unused")), lambda step, score: None)


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
