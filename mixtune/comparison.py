"""A comparison: searchers on one study, at equal compute, several times over."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from mixtune.search import Search
from mixtune.study import Study


class Equal(StrEnum):
    """What every contender gets alike: the only limit of its search."""

    FLOPS = "flops"
    """Floating-point operations, as Budget.runs."""
    TRIALS = "trials"
    """Trials that the searcher asks for, as Budget.trials; a round of a chain counts as one."""
    SECONDS = "seconds"
    """Wall seconds of the search's trials added up, as Budget.seconds: it depends on the machine."""


LIMIT = {Equal.FLOPS: "runs", Equal.TRIALS: "trials", Equal.SECONDS: "seconds"}
"""What is equal -> the field of a budget that says how much of it."""


@dataclass(frozen=True, slots=True)
class Member:
    """One search of a comparison: a contender in one replicate. Its study is an ordinary one."""

    label: str
    replicate: int
    study: Study


@dataclass(frozen=True, slots=True)
class Comparison:
    """Contenders on one study description, `replicates` times, with equal compute.

    base holds all that the members have in common, under the comparison's name; its search is that of the first
    contender, its budget has the one limit that `equal` names. contenders maps a label to a search. Members of
    replicate r have the seed base.seed + r, so within a replicate they train on the same batches where their recipes
    are the same, and are judged on the same training seeds; their baselines are the same runs.
    """

    base: Study
    contenders: Mapping[str, Search]
    replicates: int = 5
    equal: Equal = Equal.FLOPS

    @property
    def name(self) -> str:
        """Its name, which is no study's."""
        return self.base.name

    def member(self, label: str, replicate: int) -> Member:
        """The search of a contender in a replicate, as NAME.LABEL.R."""
        study = replace(
            self.base,
            name=f"{self.name}.{_safe(label)}.{replicate}",
            search=self.contenders[label],
            seed=self.base.seed + replicate,
            of=self.name,
        )
        return Member(label, replicate, study)

    def members(self) -> Iterator[Member]:
        """All members, replicate by replicate: after the first one there is something to compare."""
        for replicate in range(self.replicates):
            for label in self.contenders:
                yield self.member(label, replicate)


def clashing(labels: Mapping[str, Search]) -> tuple[str, str] | None:
    """Two labels whose members would have the same name, None where there are none."""
    met: dict[str, str] = {}
    for label in labels:
        other = met.setdefault(_safe(label), label)
        if other != label:
            return other, label
    return None


def _safe(label: str) -> str:
    """A label as part of a study's name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", label).strip("-") or "contender"
