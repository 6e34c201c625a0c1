"""The scenarios that benchmarks are named after, over a folder of BEIR sets given with --data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mixtune.source import Source
from mixtune.target import Target

SETS = (
    "banking77", "cosqa", "covidqa", "drcd_zht", "gsm8k", "medquad", "newsgroups", "nl2bash",
    "policyqa", "pubmedqa", "scifact", "squad_wiki", "stacks_math", "tatqa", "tldr", "xquad_multi",
)  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """Targets, the sources that may be used, the hand-set expert weights (others count 0.5), and the oracle's sources.

    corrupt is the share of a source's pairs that are mismatched.
    """

    targets: tuple[str, ...]
    sources: tuple[str, ...]
    expert: Mapping[str, float]
    oracle: Mapping[str, float]
    corrupt: Mapping[str, float]

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

SCENARIOS = {
    "homes": Scenario(
        targets=_HOMES,
        sources=SETS,
        expert=_HOMES_EXPERT,
        oracle=dict.fromkeys(_HOMES, 1.0),
        corrupt={},
    ),
}
