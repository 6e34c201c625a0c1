from dataclasses import replace

import numpy as np
import pytest
from arena import entrant
from ledger import STUDY

from mixtune.report.comparing.duels import duel, duels
from mixtune.report.comparing.entrant import counted
from mixtune.report.contrast import contrast
from mixtune.search import Objective

RNG = np.random.default_rng(0)
BASE = RNG.uniform(0.2, 0.8, (5, 3, 2, 40))
NOISE = RNG.normal(0, 0.01, (2, 5, 3, 2, 40))


def test_a_planted_winner_wins_overall_on_each_target_and_in_every_replicate() -> None:
    found = duel(STUDY, entrant("good", BASE + 0.05 + NOISE[0]), entrant("bad", BASE + NOISE[1]))
    assert found.overall is not None
    assert found.winner == "good"
    assert found.overall.value == pytest.approx(0.05, abs=0.01)
    assert found.overall.low < 0.05 < found.overall.high
    assert found.overall.probability > 0.975
    assert [found.targets[name].winner for name in ("easy", "hard")] == [1, 1]
    assert (found.wins, found.ties, found.losses) == (5, 0, 0)


def test_turned_round_the_winner_stays_and_the_difference_changes_sign() -> None:
    good, bad = entrant("good", BASE + 0.05 + NOISE[0]), entrant("bad", BASE + NOISE[1])
    there, back = duel(STUDY, good, bad), duel(STUDY, bad, good)
    assert there.overall is not None and back.overall is not None
    assert back.winner == "good"
    assert back.overall.value == pytest.approx(-there.overall.value)
    assert back.overall.probability == pytest.approx(1 - there.overall.probability)
    assert (back.wins, back.losses) == (there.losses, there.wins)


def test_equal_runs_are_a_tie_in_every_replicate_and_no_winner() -> None:
    found = duel(STUDY, entrant("one", BASE), entrant("two", BASE))
    assert found.overall is not None
    assert (found.overall.value, found.overall.low, found.overall.high) == (0, 0, 0)
    assert found.overall.probability == 0.5
    assert found.winner is None
    assert (found.wins, found.ties, found.losses) == (0, 5, 0)


def test_replicates_that_contradict_each_other_leave_no_winner_though_each_has_one() -> None:
    shift = np.array([0.05, -0.05, 0.05, -0.05, 0.05])[:, None, None, None]
    found = duel(STUDY, entrant("one", BASE + shift + NOISE[0]), entrant("two", BASE + NOISE[1]))
    assert (found.wins, found.ties, found.losses) == (3, 0, 2)
    assert found.winner is None


def test_the_difference_is_that_of_contrast_on_means_over_judging_seeds() -> None:
    one, two = BASE + NOISE[0], BASE + NOISE[1]
    found = duel(STUDY, entrant("one", one), entrant("two", two)).overall
    parts = [[0.5 * each[:, :, target].mean(axis=1) for target in (0, 1)] for each in (one, two)]
    assert found == contrast(*parts)
    assert found.replicates == 5


def test_only_shared_replicates_are_paired() -> None:
    one, two = entrant("one", BASE + 0.05), entrant("two", BASE + NOISE[1])
    fewer = replace(two, showings={each: two.showings[each] for each in (1, 4)})
    found = duel(STUDY, one, fewer)
    assert found.overall is not None
    assert (found.overall.replicates, sorted(found.replicates)) == (2, [1, 4])
    assert duel(STUDY, replace(one, showings={0: one.showings[0]}), fewer).overall is None


def test_a_target_with_one_query_has_no_interval() -> None:
    found = duel(STUDY, entrant("one", BASE[..., :1] + 0.1), entrant("two", BASE[..., :1]))
    assert (found.overall, found.targets, found.replicates, found.winner) == (None, {}, {}, None)


def test_of_a_single_shared_replicate_the_judging_seeds_count() -> None:
    one, two = BASE[:1] + NOISE[0, :1], BASE[:1] + NOISE[1, :1]
    found = duel(STUDY, entrant("one", one), entrant("two", two))
    assert found.overall == found.replicates[0]
    assert found.overall is not None and found.overall.replicates == 3


def test_every_pair_meets_once_in_the_order_given() -> None:
    three = [entrant(name, BASE) for name in ("a", "b", "c")]
    assert [(each.first, each.second) for each in duels(STUDY, three)] == [("a", "b"), ("a", "c"), ("b", "c")]


@pytest.mark.parametrize(
    ("aggregate", "weights"), [("weighted", (0.75, 0.25)), ("macro", (0.5, 0.5)), ("worst", (0.0, 1.0))]
)
def test_targets_count_as_the_objective_puts_them_together(aggregate: str, weights: tuple[float, float]) -> None:
    targets = tuple(replace(each, weight=w) for each, w in zip(STUDY.targets, (3.0, 1.0), strict=True))
    study = replace(STUDY, targets=targets, objective=Objective(aggregate=aggregate))
    easy, hard = np.full((2, 3), 0.8), np.full((2, 3), 0.4)
    found = counted(study, {"easy": easy, "hard": hard})
    assert [float(part.mean()) for part in found] == pytest.approx([0.8 * weights[0], 0.4 * weights[1]])
