"""The scenarios that benchmarks are named after, over a folder of BEIR sets given with --data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mixtune.proxy import Final, Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source
from mixtune.study import Study
from mixtune.target import Target

SETS = (
    "banking77", "cosqa", "covidqa", "drcd_zht", "gsm8k", "medquad", "newsgroups", "nl2bash",
    "policyqa", "pubmedqa", "scifact", "squad_wiki", "stacks_math", "tatqa", "tldr", "xquad_multi",
)  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """Targets, the sources that may be used, the hand-set expert weights (others count 0.5), and the oracle's weights.

    corrupt is the share of a source's pairs that are mismatched. An empty oracle is not known beforehand.
    """

    targets: tuple[str, ...]
    sources: tuple[str, ...]
    expert: Mapping[str, float]
    oracle: Mapping[str, float] = field(default_factory=dict)
    corrupt: Mapping[str, float] = field(default_factory=dict)

    def source_values(self, data: Path, weights: Mapping[str, float] | None = None) -> tuple[Source, ...]:
        """The sources with expert weights, or with the given ones (a source not named then gets 0)."""
        return tuple(
            Source(
                name=name,
                kind="beir",
                location=str(data / name),
                corrupt=self.corrupt.get(name, 0.0),
                weight=self.expert.get(name, 0.5) if weights is None else weights.get(name, 0.0),
            )
            for name in self.sources
        )

    def target_values(self, data: Path) -> tuple[Target, ...]:
        """The targets, equally important."""
        return tuple(Target(name, "beir", str(data / name), pool=1500) for name in self.targets)


_HOMES = ("scifact", "policyqa", "nl2bash", "tatqa", "cosqa", "stacks_math")
_HOMES_EXPERT = {**dict.fromkeys((*_HOMES, "pubmedqa"), 2.0), "covidqa": 1, "tldr": 1, "gsm8k": 1, "squad_wiki": 1}
_CORRUPT = {
    "banking77": 0.3, "gsm8k": 0.5, "tldr": 1.0, "policyqa": 0.3, "nl2bash": 0.5, "medquad": 1.0, "squad_wiki": 0.5,
    "scifact": 0.3,
}  # fmt: skip
_AWAY = ("banking77", "covidqa", "medquad", "tldr", "drcd_zht", "xquad_multi")
_MOVED = ("covidqa", "tatqa", "cosqa")

SCENARIOS = {
    # Each target's own training set is among the sources.
    "homes": Scenario(_HOMES, SETS, _HOMES_EXPERT, dict.fromkeys(_HOMES, 1.0)),
    # The same with six other targets: for choosing settings that are then judged on homes.
    "away": Scenario(_AWAY, SETS, {}, dict.fromkeys(_AWAY, 1.0)),
    # No target has a source of its own: what helps is a task of the same form.
    "transfer": Scenario(
        _MOVED,
        tuple(name for name in SETS if name not in _MOVED),
        {**dict.fromkeys(("pubmedqa", "scifact", "medquad", "nl2bash", "squad_wiki"), 2.0), "tldr": 1, "gsm8k": 1},
    ),
    # Two targets in other languages than most sources.
    "languages": Scenario(
        ("xquad_multi", "drcd_zht"),
        SETS,
        {"xquad_multi": 2, "drcd_zht": 2, "squad_wiki": 1},
        {"xquad_multi": 1.0, "drcd_zht": 1.0},
    ),
    # homes with half of the sources corrupted, some of them homes: those count by their clean share in the oracle.
    "noise": Scenario(_HOMES, SETS, _HOMES_EXPERT, {name: 1 - _CORRUPT.get(name, 0.0) for name in _HOMES}, _CORRUPT),
}


TRAINING = {
    "head": Proxy("head", steps=300),
    # 150 steps at this rate tell the languages of xquad_multi apart; the default rate of `all` is lower.
    "all": Proxy("all", steps=150, learning_rate=5e-5),
}
"""The proxy of each kind; `last:n` is not named and runs for 100 steps."""


@dataclass(frozen=True)
class Setting:
    """A scenario over a folder of sets and what trains: what a driver prepares.

    steps, batch_size and learning rate None mean those in TRAINING.
    """

    data: str
    scenario: str
    trainable: str = "head"
    steps: int | None = None
    batch_size: int | None = None
    rate: float | None = None

    @property
    def key(self) -> str:
        """What results are found by: everything but where the data lies."""
        proxy = self.proxy
        return f"{self.scenario}, {self.trainable}, {proxy.steps} steps of {proxy.batch_size} at {proxy.rate:g}"

    @property
    def proxy(self) -> Proxy:
        """What a run is."""
        usual = TRAINING.get(self.trainable, Proxy(self.trainable, steps=100))
        return replace(
            usual,
            steps=self.steps or usual.steps,
            batch_size=self.batch_size or usual.batch_size,
            learning_rate=self.rate or usual.learning_rate,
        )

    def study(self) -> Study:
        """The study, not prepared, with a search and a budget that do not matter."""
        scenario, data = SCENARIOS[self.scenario], Path(self.data)
        return Study(
            name=self.scenario,
            sources=scenario.source_values(data),
            targets=scenario.target_values(data),
            search=Search("uniform"),
            budget=Budget(runs=1.0, workers=1),
            proxy=self.proxy,
            final=Final(steps=2000, seeds=0),
        )

    def of(self, steps: int) -> "Setting":
        """The same with runs of so many steps."""
        return replace(self, steps=steps)

    def known(self, weights: Mapping[str, float]) -> Recipe:
        """The recipe of weights that need no search; a source that is not named has none."""
        return Recipe(Mixture.normalised({name: weights.get(name, 0.0) for name in SCENARIOS[self.scenario].sources}))
