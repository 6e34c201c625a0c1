from dataclasses import dataclass, field, replace

from mixtune.errors import SearchExhausted
from mixtune.measurement import Cost, Measurement, Scores
from mixtune.preparation import Preparation
from mixtune.proposal import Proposal, Role
from mixtune.proxy import Final, Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.report.summary import Summary, summarise
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.study import Study, StudyState
from mixtune.target import Target, TargetFacts
from mixtune.trial import Trial, TrialState

UNIFORM = Recipe(Mixture({"big": 0.5, "small": 0.5}))
PROPORTIONAL = Recipe(Mixture({"big": 0.75, "small": 0.25}))
TUNED = Recipe(Mixture({"big": 0.1, "small": 0.9}))

STUDY = Study(
    name="duo",
    sources=(Source("big", "docstrings", "numpy"), Source("small", "docstrings", "scipy")),
    targets=(Target("easy", "docstrings", "a"), Target("hard", "docstrings", "b")),
    search=Search("random"),
    budget=Budget(trials=2),
    proxy=Proxy(steps=10),
    final=Final(steps=100, seeds=2),
    preparation=Preparation(
        key="k",
        sources={"big": SourceFacts(300, 300, 10.0, "x"), "small": SourceFacts(100, 90, 10.0, "y")},
        targets={"easy": TargetFacts(4, 4, 50, 20, "z"), "hard": TargetFacts(4, 4, 50, 50, "z")},
        run_flops=100.0,
        encoded=7,
        tokenised=8,
        reused=9,
        seconds=3.0,
        flops=1e9,
    ),
)


@dataclass(frozen=True)
class StoredStudy:
    study: Study
    state: StudyState = StudyState.COMPLETE
    reason: str = ""
    versions: dict[str, str] | None = None


@dataclass
class Ledger:
    """Trials and their scores, written by hand."""

    study: Study = STUDY
    trials: list[Trial] = field(default_factory=list)
    scores: dict[int, Scores] = field(default_factory=dict)
    recommended: Recipe | None = TUNED

    def add(
        self,
        role: Role,
        recipe: Recipe,
        level: float = 0.0,
        *,
        label: str = "",
        replicate: int = 0,
        state: TrialState = TrialState.COMPLETE,
        flops: float = 100.0,
    ) -> None:
        number = len(self.trials)
        proposal = Proposal(recipe, 10, role, label=label, replicate=replicate)
        judged = role in (Role.SURVEY, Role.ANCHOR, Role.RERUN) and state is TrialState.COMPLETE
        values = {name: [level + spread for spread in (0.0, 0.1, 0.2, 0.3)] for name in ("easy", "hard")}
        metrics = {name: {"ndcg@10": level + 0.15, "recall@20": level + 0.15} for name in values}
        measurement = Measurement(
            score=level, dev=metrics, test=metrics if judged else {}, cost=Cost(train=flops, seconds=2.0)
        )
        trial = Trial(number, proposal, seed=number, state=state, attempt=1)
        self.trials.append(replace(trial, measurement=measurement) if state is TrialState.COMPLETE else trial)
        if judged:
            self.scores[number] = {
                name: {"ndcg@10": tuple(column), "recall@20": tuple(column)} for name, column in values.items()
            }

    def recommend(self, study: Study, trials: object) -> Recipe:
        if self.recommended is None:
            raise SearchExhausted("nothing")
        return self.recommended

    def summary(self, **changes: object) -> Summary:
        record = replace(StoredStudy(self.study), **changes)  # type: ignore[arg-type]
        return summarise(record, self.trials, lambda number: self.scores.get(number, {}), self.recommend)
