from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest
from planted import World, explore, planted_study
from searcher_contract import FoldSearcherContract

from mixtune.errors import NotReady
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Recipe
from mixtune.search import Budget
from mixtune.searchers import FoldSearcher, InfDDS, Searcher
from mixtune.searchers.blackbox import Random
from mixtune.searchers.remembering import Remembering, remembering
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


@dataclass(frozen=True)
class Counting(FoldSearcher[int]):
    """Its state is how many trials it has seen; it counts its updates."""

    name: ClassVar[str] = "counting"
    updates: list[int] = field(default_factory=list)

    def start(self, study: Study) -> int:
        return 0

    def update(self, state: int, study: Study, trial: Trial) -> int:
        self.updates.append(trial.number)
        return state + 1

    def propose(self, state: int, study: Study, rng: np.random.Generator) -> Proposal:
        return Proposal(Recipe(study.proportional()), 1, Role.ROUND, notes={"seen": state})

    def recommend(self, study: Study, trials: list[Trial]) -> Recipe:  # type: ignore[override]
        return Recipe(study.proportional())


class TestRemembering(FoldSearcherContract):
    """Everything that holds for a searcher, with one that has seen other histories before."""

    @pytest.fixture
    def searcher(self) -> Searcher:
        return InfDDS()

    def answer(self, searcher: Searcher, study: Study, trials: list[Trial]) -> Proposal | str:
        plain = super().answer(searcher, study, trials)
        kept = remembering(searcher)
        for length in (1, len(trials) // 2, len(trials) - 1):
            super().answer(kept, study, trials[:length])
        assert super().answer(kept, study, trials) == plain
        return plain


def finished(study: Study, count: int) -> list[Trial]:
    proposal = Proposal(Recipe(study.proportional()), 1, Role.ROUND)
    return [Trial(number, proposal, 0, state=TrialState.COMPLETE) for number in range(count)]


def seen(searcher: Searcher, study: Study, trials: list[Trial]) -> object:
    return searcher.suggest(study, trials, study.rng(0)).notes["seen"]


def test_ten_thousand_trials_cost_one_update_each() -> None:
    study, searcher = planted_study(2), Counting()
    kept, trials = remembering(searcher), finished(study, 10_000)
    for length in range(0, 10_001, 100):
        assert seen(kept, study, trials[:length]) == length
    assert searcher.updates == list(range(10_000))


def test_a_history_that_differs_is_folded_from_the_start() -> None:
    study, searcher = planted_study(2), Counting()
    kept, trials = remembering(searcher), finished(study, 5)
    seen(kept, study, trials)
    other = [replace(trials[0], seed=1), *trials[1:]]
    assert seen(kept, study, other) == 5 and len(searcher.updates) == 10
    assert seen(kept, study, other[:3]) == 3 and len(searcher.updates) == 13
    assert seen(kept, replace(study, budget=Budget(trials=99)), other[:3]) == 3 and len(searcher.updates) == 16


def test_a_trial_that_was_running_is_read_once_it_has_finished() -> None:
    study = planted_study(3)
    trials = explore(InfDDS(), World(study), 4)
    kept = remembering(InfDDS())
    with pytest.raises(NotReady, match="infdds needs the answer of trial 4 first"):
        kept.suggest(study, [*trials[:-1], replace(trials[-1], state=TrialState.RUNNING)], study.rng(5))
    assert kept.suggest(study, trials, study.rng(5)) == InfDDS().suggest(study, trials, study.rng(5))
    assert kept.recommend(study, trials) == InfDDS().recommend(study, trials)


def test_it_bears_the_name_and_needs_of_the_searcher_inside() -> None:
    kept = remembering(InfDDS())
    assert isinstance(kept, Remembering)
    assert (kept.name, kept.needs, repr(kept)) == ("infdds", InfDDS.needs, repr(InfDDS()))


def test_a_searcher_that_is_no_fold_has_nothing_to_remember() -> None:
    searcher = Random()
    assert remembering(searcher) is searcher
