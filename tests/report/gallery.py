"""A study of three sources whose trials have something of every kind, so that a report has every figure."""

from dataclasses import dataclass, field, replace

from ledger import Ledger, StoredStudy

from mixtune.contamination import Contamination, Overlap, Shared
from mixtune.measurement import Cost, Drawn, Influence, Measurement
from mixtune.preparation import Preparation
from mixtune.proposal import Probe, Proposal, Role
from mixtune.proxy import Final, Proxy
from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe
from mixtune.report.correlation import Correlation
from mixtune.report.looks.audit import Audit, Audited, Change, Effect
from mixtune.report.looks.collected import Looks
from mixtune.report.looks.fidelity import Fidelity, Ranked
from mixtune.report.looks.matrix import Cell, Matrix
from mixtune.report.looks.replicates import Delta
from mixtune.report.page.story import Story, story
from mixtune.report.summary import Summary, summarise
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.study import Study
from mixtune.target import Target, TargetFacts
from mixtune.trial import Trial, TrialState


@dataclass
class Gallery(Ledger):
    """The study, its trials, and its summary; names are those of the sources, largest first."""

    names: tuple[str, str, str] = ("a", "b", "c")
    looks: Looks = field(default_factory=Looks)

    def __post_init__(self) -> None:
        self.study = study_of(self.names)
        self.recommended = self.recipe(0.2, 0.3, 0.5)

    def recipe(self, *weights: float, kept: float = 1.0) -> Recipe:
        return Recipe(Mixture(dict(zip(self.names, weights, strict=True))), Pruning({self.names[0]: kept}))

    def put(self, proposal: Proposal, measurement: Measurement) -> None:
        number = len(self.trials)
        self.trials.append(
            Trial(number, proposal, number, state=TrialState.COMPLETE, attempt=1, measurement=measurement)
        )

    def change(self, number: int, **measured: object) -> None:
        found = self.trials[number].measurement
        assert found is not None
        self.trials[number] = replace(
            self.trials[number],
            measurement=replace(found, **measured),  # type: ignore[arg-type]
        )

    @property
    def told(self) -> Summary:
        record = StoredStudy(self.study, versions={"numpy": "2.4.6", "torch": "2.13.0+cpu", "python": "3.11.7"})
        return summarise(record, self.trials, lambda number: self.scores.get(number, {}), self.recommend, self.looks)

    @property
    def story(self) -> Story:
        return story(self.told, self.trials, "name: gallery\n")


def study_of(names: tuple[str, str, str]) -> Study:
    rows = dict(zip(names, (600, 300, 100), strict=True))
    return Study(
        name="gallery",
        sources=tuple(Source(name, "docstrings", "numpy") for name in names),
        targets=(Target("easy", "docstrings", "x"), Target("hard", "docstrings", "y")),
        search=Search("tpe"),
        budget=Budget(trials=6),
        proxy=Proxy(steps=10),
        final=Final(steps=100, seeds=2),
        preparation=Preparation(
            key="k",
            sources={name: SourceFacts(count, count, 10.0, "x") for name, count in rows.items()},
            targets={"easy": TargetFacts(4, 4, 50, 20, "z"), "hard": TargetFacts(4, 4, 50, 50, "z")},
            run_flops=100.0,
            flops=50.0,
            contamination=Contamination({names[0]: {"easy": Overlap(dev_queries=Shared(2, 1))}}, {names[0]: 3}),
        ),
    )


def gallery(names: tuple[str, str, str] = ("a", "b", "c")) -> Gallery:
    """Every kind of trial: survey, baselines, a search with a choice, finalists, rounds under a rule, reruns."""
    found = Gallery(names=names)
    even, sized, tuned = found.recipe(1 / 3, 1 / 3, 1 / 3), found.recipe(0.6, 0.3, 0.1), found.recipe(0.2, 0.3, 0.5)
    found.add(Role.SURVEY, sized, 0.1, flops=0.0)
    shares = dict(zip(names, (0.5, 0.3, 0.2), strict=True))
    matched = dict(zip(names, (0.1, 0.9, 1.0), strict=True))
    found.change(0, matched=matched, neighbours={"easy": shares, "hard": shares})
    for replicate in (0, 1):
        found.add(Role.ANCHOR, even, 0.30 + 0.01 * replicate, label="uniform", replicate=replicate)
        found.add(Role.ANCHOR, sized, 0.20 + 0.01 * replicate, label="proportional", replicate=replicate)
    for place, score in enumerate((0.30, 0.25, 0.40, 0.35)):
        found.add(
            Role.SEARCH, found.recipe(0.6 - 0.1 * place, 0.3, 0.1 + 0.1 * place, kept=1 - 0.5 * (place % 2)), score
        )
    found.add(Role.SEARCH, tuned, 0.45)
    for replicate in (0, 1):
        found.add(Role.FINALIST, tuned, 0.42 + 0.01 * replicate, replicate=replicate)
    for index in range(3):
        told = {
            name: Influence(0.1 * (1 - place), 0.05, {"easy": 0.1, "hard": -0.1}) for place, name in enumerate(names)
        }
        rule = {
            "proxy_loss": (1.0, 2.0, 3.0),
            "reference_loss": (0.5, 1.9, 1.0),
            "log_w": (0.0,) * 3,
            "seen": (1.0,) * 3,
        }
        notes = {
            "weights": [0.2, 0.3, 0.5],
            "influence": [0.2, None, -0.1],
            "error": [0.1, None, 0.1],
            "visits": [3, 0, 2],
        }
        weights = (0.6 - 0.1 * index, 0.3, 0.1 + 0.1 * index)
        probe = Probe(names, 2)
        proposal = Proposal(found.recipe(*weights), 10, Role.ROUND, probe=probe, notes={**notes})
        found.put(proposal, Measurement(influence=told, rule=rule, cost=Cost(train=10.0, probe=30.0)))
    receipt = dict(zip(names, (Drawn(2, 64, 64, 0.1), Drawn(3, 96, 90, 0.3), Drawn(5, 160, 100, 1.6)), strict=True))
    for replicate in (0, 1):
        found.add(Role.RERUN, tuned, 0.5 + 0.01 * replicate, label="best", replicate=replicate)
        found.change(len(found.trials) - 1, receipt=receipt)
    found.looks = looks_of(names)
    return found


def looks_of(names: tuple[str, str, str]) -> Looks:
    ranked = Ranked({"r1": 0.1, "r2": 0.2}, {"r1": 0.3, "r2": 0.5}, Correlation(0.9, 0.7, 1.0), None, None)
    delta = Delta(-0.02, 0.01)
    effect = Effect(delta, {"easy": delta, "hard": delta}, {})
    cell = Cell(Delta(0.03, None), Delta(0.01, None), None)
    return Looks(
        fidelity=Fidelity("ndcg@10", "head, 10 steps", "last:1, 10 steps", 2, ranked, {}),
        audit=Audit(
            "ndcg@10", 2, 0.5, (), {names[0]: Audited(0.2, {Change.WITHOUT: effect, Change.MORE: effect})}, {}, {}
        ),
        matrix=Matrix(
            "ndcg@10",
            1,
            {"easy": 0.1, "hard": 0.2},
            {"easy": 0.2, "hard": 0.3},
            {name: {"easy": cell, "hard": cell} for name in names},
            {"easy": None, "hard": None},
        ),
    )
