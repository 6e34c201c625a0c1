"""The scenarios that benchmarks are named after, over a folder of BEIR sets given with --data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mixtune.source import Source
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
