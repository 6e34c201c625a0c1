"""Each entrant against each other one: paired differences on test, and who has won."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from mixtune.recipe import FloatArray
from mixtune.report.comparing.entrant import Entrant, counted
from mixtune.report.contrast import Contrast, contrast
from mixtune.study import Study


@dataclass(frozen=True, slots=True)
class Duel:
    """One entrant against another, over the replicates that both have.

    overall is the difference of the objective on test, targets that of its metric per target, both paired by replicate
    and query; None or missing where there is no shared replicate, or a target has a single query. replicates holds
    each replicate's own, paired by judging seed and query: the answer that this replicate alone would have given, and
    all there is where only one is shared.
    """

    first: str
    second: str
    overall: Contrast | None = None
    targets: Mapping[str, Contrast] = field(default_factory=dict)
    replicates: Mapping[int, Contrast] = field(default_factory=dict)

    @property
    def winner(self) -> str | None:
        """Who is better, None where the interval holds zero or there is none."""
        if self.overall is None or self.overall.winner == 0:
            return None
        return self.first if self.overall.winner > 0 else self.second

    @property
    def wins(self) -> int:
        """Replicates that the first has won: its own interval lies above zero."""
        return sum(each.winner > 0 for each in self.replicates.values())

    @property
    def losses(self) -> int:
        """Replicates that the second has won."""
        return sum(each.winner < 0 for each in self.replicates.values())

    @property
    def ties(self) -> int:
        """Replicates that nobody has won."""
        return len(self.replicates) - self.wins - self.losses


def duels(study: Study, entrants: Sequence[Entrant]) -> Iterator[Duel]:
    """All pairs, each in the order of the entrants."""
    for first, second in combinations(entrants, 2):
        yield duel(study, first, second)


def duel(study: Study, first: Entrant, second: Entrant) -> Duel:
    """One entrant against another."""
    shared = sorted(first.showings.keys() & second.showings.keys())
    if not shared:
        return Duel(first.label, second.label)
    mine, others = first.parts(study, shared), second.parts(study, shared)
    told = {name: _contrast([mine[name]], [others[name]]) for name in mine}
    own = {replicate: _told(study, first, second, [replicate]) for replicate in shared}
    return Duel(
        first.label,
        second.label,
        _told(study, first, second, shared),
        {name: each for name, each in told.items() if each is not None},
        {replicate: each for replicate, each in own.items() if each is not None},
    )


def _told(study: Study, first: Entrant, second: Entrant, replicates: Sequence[int]) -> Contrast | None:
    """What these replicates say of the objective."""
    mine, others = first.parts(study, replicates), second.parts(study, replicates)
    return _contrast(counted(study, mine), counted(study, others))


def _contrast(mine: Sequence[FloatArray], others: Sequence[FloatArray]) -> Contrast | None:
    return contrast(mine, others) if all(part.shape[1] > 1 for part in mine) else None
