from dataclasses import replace

import pytest
from arena import chained, walker
from ledger import STUDY

from mixtune.comparison import Comparison, Equal
from mixtune.report.comparing.anytime import curve, final_scores, paths, reach
from mixtune.report.comparing.compared import compared
from mixtune.search import Search

TWO = walker("two", [(1.0, 0.4), (2.0, 0.3), (3.0, 0.6)], [(1.5, 0.2), (2.5, 0.5)])


def test_a_path_holds_the_best_score_so_far() -> None:
    found = paths(STUDY, TWO, Equal.FLOPS)
    assert found == {0: ((1.0, 0.4), (2.0, 0.4), (3.0, 0.6)), 1: ((1.5, 0.2), (2.5, 0.5))}


def test_compute_is_told_in_the_measure_that_is_equal() -> None:
    assert [at for at, _ in paths(STUDY, TWO, Equal.TRIALS)[0]] == [1, 2, 3]


def test_a_curve_is_the_mean_of_steps_from_where_all_replicates_have_a_score() -> None:
    found = curve(paths(STUDY, TWO, Equal.FLOPS))
    assert found.compute == (1.5, 2.0, 2.5, 3.0)
    assert found.mean == pytest.approx((0.3, 0.3, 0.45, 0.55))
    # Two replicates: t with one degree of freedom is 12.706; at the end .6 and .5 deviate by .0707 from their mean.
    assert found.high[-1] - found.mean[-1] == pytest.approx(12.706 * 0.070711 / 2**0.5, rel=1e-3)
    assert found.at(1.4) is None
    assert [found.at(1.5), found.at(2.7), found.at(99)] == pytest.approx([0.3, 0.45, 0.55])


def test_one_replicate_has_no_interval() -> None:
    found = curve({0: ((1.0, 0.4),)})
    assert (found.low, found.mean, found.high, found.replicates) == ((0.4,), (0.4,), (0.4,), 1)
    assert found.half is None


def test_compute_to_reach_a_score_is_that_of_the_first_run_there() -> None:
    found = reach("given", 0.5, {"two": paths(STUDY, TWO, Equal.FLOPS)})
    assert found.compute == {"two": (3.0, 2.5)}
    assert (found.median("two"), found.reached("two")) == (2.75, 2)


def test_the_median_of_two_replicates_is_their_mean_and_none_where_one_never_got_there() -> None:
    found = reach(
        "given", 0.5, {"both": {0: ((1.0, 0.5),), 1: ((4.0, 0.5),)}, "one": {0: ((1.0, 0.5),), 1: ((1.0, 0.1),)}}
    )
    assert (found.median("both"), found.median("one")) == (2.5, None)


def test_replicates_that_never_get_there_come_last_in_the_median() -> None:
    three = {0: ((1.0, 0.5),), 1: ((1.0, 0.1), (4.0, 0.5)), 2: ((1.0, 0.1),)}
    found = reach("given", 0.5, {"three": three, "none": {}})
    assert (found.compute["three"], found.median("three"), found.reached("three")) == ((1.0, 4.0, None), 4.0, 2)
    assert reach("given", 0.9, {"three": three}).median("three") is None
    assert found.median("none") is None


def test_scores_to_reach_are_those_that_searches_ended_with() -> None:
    assert final_scores({"two": paths(STUDY, TWO, Equal.FLOPS)}) == {"two": pytest.approx(0.55)}


def test_a_chain_has_one_point_at_all_that_it_spent_and_a_baseline_at_nothing() -> None:
    comparison = Comparison(replace(STUDY, preparation=None), {"a": Search("infdds")}, replicates=1)
    found = compared(comparison, [chained("a", 0, 0.6)])
    assert found.curves["a"].compute == (1.5,)
    assert found.curves["a"].mean == pytest.approx((0.6 + 0.15 + 0.005,))
    assert found.curves["uniform"].compute == (0.0,)
