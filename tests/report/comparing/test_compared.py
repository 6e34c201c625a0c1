import json
from dataclasses import replace

import pytest
from arena import COMPARISON, member
from ledger import TUNED, UNIFORM

from mixtune.report.comparing.compared import Played, compared
from mixtune.report.comparing.document import compared_document
from mixtune.report.comparing.sheets import compared_sheets
from mixtune.search import Budget
from mixtune.study import StudyState


def played(*levels: tuple[str, float]) -> list[Played]:
    return [member(label, replicate, level) for replicate in range(3) for label, level in levels]


def given(played: Played, runs: float) -> Played:
    return replace(played, study=replace(played.study, budget=Budget(runs=runs)))


def test_contenders_and_baselines_stand_in_the_order_of_their_test_score() -> None:
    found = compared(COMPARISON, played(("a", 0.5), ("b", 0.1)))
    assert list(found.entrants) == ["a", "uniform", "proportional", "b"]
    overall = found.entrants["a"].overall(found.study)
    assert overall is not None
    assert overall.value == pytest.approx(0.5 + 0.15 + 0.005)
    assert (found.entrants["a"].search, found.entrants["uniform"].search) == (COMPARISON.contenders["a"], None)
    assert found.entrants["uniform"].showings[2].recipe == UNIFORM
    assert found.entrants["b"].showings[0].recipe == TUNED


def test_whoever_beats_all_others_wins() -> None:
    found = compared(COMPARISON, played(("a", 0.5), ("b", 0.1)))
    assert found.answer == (
        "a wins: it beats uniform, proportional and b on test ndcg@10 (uniform, the nearest, by +0.2000, 95 % interval "
        "[+0.2000, +0.2000])."
    )
    assert [duel.winner for duel in found.duels] == ["a", "a", "a", "uniform", "uniform", "proportional"]


def test_two_that_cannot_be_told_apart_leave_no_winner() -> None:
    found = compared(COMPARISON, played(("a", 0.5), ("b", 0.5)))
    assert found.answer == (
        "No winner: a is highest on test ndcg@10, but not told apart from b (+0.0000, 95 % interval [+0.0000, "
        "+0.0000]); it beats uniform and proportional."
    )


def test_a_contender_counts_once_its_recommendation_is_judged_on_every_seed() -> None:
    members = [member("a", 0, 0.5), member("b", 0, 0.4, state=StudyState.RUNNING)]
    found = compared(COMPARISON, members)
    assert sorted(found.entrants["a"].showings) == [0]
    assert found.entrants["b"].showings == {}
    assert not found.complete
    assert list(found.entrants)[-1] == "b"
    one_seed = replace(members[0], trials=members[0].trials[:-1])
    assert compared(COMPARISON, [one_seed]).entrants["a"].showings == {}


def test_what_a_search_used_is_its_own_trials_and_what_it_took_over() -> None:
    found = compared(COMPARISON, [member("a", 0, 0.5, searched=(0.3, 0.2, 0.4), reused={1: "x/1", 6: "x/6"})])
    spent = found.entrants["a"].showings[0].spent
    assert (spent.flops, spent.runs, spent.seconds, spent.trials, spent.reused) == (450.0, 4.5, 6.0, 3, 2)
    assert [score for _, score in found.entrants["a"].showings[0].path] == [0.3, 0.2, 0.4]
    assert found.curves["a"].mean == (0.3, 0.3, 0.4)


def test_asked_for_levels_take_the_place_of_the_usual_ones() -> None:
    members = played(("a", 0.5), ("b", 0.1))
    assert [each.name for each in compared(COMPARISON, members).reaches] == ["a", "uniform", "proportional", "b"]
    asked = compared(COMPARISON, members, levels=[0.25]).reaches
    assert [(each.name, each.score, each.median("a")) for each in asked] == [("0.25", 0.25, 1.5)]


def test_nothing_yet_is_said() -> None:
    found = compared(COMPARISON, [])
    assert found.answer == "Nothing to compare yet."
    assert [sheet.title for sheet in compared_sheets(found)] == ["Nothing to compare yet"]
    assert compared_document(found)["pairs"] == []


def test_the_tables_show_results_pairs_targets_ranks_curves_reach_and_use() -> None:
    sheets = list(compared_sheets(compared(COMPARISON, played(("a", 0.5), ("b", 0.1)))))
    assert [sheet.title.split()[0] for sheet in sheets] == [
        *("Test", "Who", "Difference", "Ranks", "Best", "Compute", "What"),
    ]
    for sheet in sheets:
        assert sheet.rows
        assert {len(row) for row in sheet.rows} == {len(sheet.left) + len(sheet.right)}
    results, pairs = sheets[0], sheets[1]
    assert [row[0] for row in results.rows] == ["a", "uniform", "proportional", "b"]
    assert results.rows[0][-1] == "3" and results.rows[0][1].startswith("0.655±.")
    assert pairs.rows[0][:3] == ("a - uniform", "a", "+.2000")
    assert pairs.rows[0][-1] == "3/0/0"


def test_the_tables_say_who_is_not_complete_and_that_one_replicate_is_little() -> None:
    stopped = replace(member("b", 0, 0.1), state=StudyState.FAILED, reason="no luck")
    pairs = list(compared_sheets(compared(COMPARISON, [member("a", 0, 0.5), stopped], notes=["mind the gap"])))[1]
    assert any("shares one replicate" in line for line in pairs.lines)
    assert "duo.b.0 is failed: no luck" in pairs.lines
    assert "mind the gap" in pairs.lines


def test_one_replicate_is_shown_without_an_interval() -> None:
    found = compared(COMPARISON, [member("a", 0, 0.5), member("b", 0, 0.1)])
    curves = next(sheet for sheet in compared_sheets(found) if sheet.title.startswith("Best"))
    assert curves.rows[0][0] == "a" and curves.rows[0][-1] == "0.300"
    told = compared_document(found)["anytime"]
    assert isinstance(told, dict) and isinstance(told["a"], dict)
    assert (told["a"]["low"], told["a"]["high"]) == (None, None)


def test_levels_that_lie_close_are_told_apart() -> None:
    found = compared(COMPARISON, played(("a", 0.5), ("b", 0.1)), levels=[0.25, 0.2501, 0.25000001])
    reaches = next(sheet for sheet in compared_sheets(found) if sheet.title.startswith("Compute"))
    assert [row[0] for row in reaches.rows] == ["0.250", "0.2501", "0.25000001"]


def test_seeds_are_those_of_the_members() -> None:
    members = [member(label, replicate, 0.5) for replicate in range(2) for label in ("a", "b")]
    other = [replace(each, study=replace(each.study, seed=7 - 4 * each.replicate)) for each in members]
    assert compared_document(compared(COMPARISON, other))["seeds"] == [7, 3, 2]


def test_a_search_with_nothing_to_recommend_is_named_and_stands_among_what_was_used() -> None:
    vain = replace(member("b", 0, 0.1), recipe=None)
    found = compared(COMPARISON, [given(member("a", 0, 0.5), 3), given(vain, 3)])
    assert found.notes == (
        "b found nothing to recommend within 3 fresh runs in replicate 0: give it more (budget.runs)",
    )
    used = next(sheet for sheet in compared_sheets(found) if sheet.title.startswith("What each"))
    assert [row[:2] for row in used.rows] == [("a", "3.00"), ("b", "3.00")]
    entrants = compared_document(found)["entrants"]
    assert isinstance(entrants, dict) and isinstance(entrants["b"], dict)
    told = entrants["b"]["in_vain"]
    assert isinstance(told, dict) and list(told) == ["0"]


def test_a_search_that_still_runs_has_not_failed_to_find_anything() -> None:
    running = replace(member("b", 0, 0.1, state=StudyState.RUNNING), recipe=None)
    found = compared(COMPARISON, [given(member("a", 0, 0.5), 3), given(running, 3)])
    assert found.notes == () and found.entrants["b"].used == {}


def test_searches_of_unequal_budgets_are_not_called_equal() -> None:
    found = compared(COMPARISON, [given(member("a", 0, 0.5), 3), given(member("b", 0, 0.1), 2)])
    assert found.notes == ("their budgets differ: this is no comparison at equal compute",)
    told = compared_document(found)
    assert (told["equal"], told["budget"]) == (None, {})


def test_the_document_holds_all_of_it_as_plain_json() -> None:
    found = compared(COMPARISON, played(("a", 0.5), ("b", 0.1)))
    told = json.loads(json.dumps(compared_document(found), allow_nan=False))
    assert told["answer"] == found.answer
    assert told["replicates"] == 3 and told["seeds"] == [0, 1, 2]
    assert told["entrants"]["a"]["test"]["easy"]["ndcg@10"]["value"] == pytest.approx(0.655)
    assert told["entrants"]["a"]["replicates"]["1"]["weights"] == dict(TUNED.mixture)
    pair = told["pairs"][0]
    assert (pair["first"], pair["winner"], pair["win_tie_loss"]) == ("a", "a", [3, 0, 0])
    assert pair["overall"]["ci"][0] > 0
    assert set(pair["targets"]) == {"easy", "hard"}
    assert told["ranking"]["mean"]["a"] == 1.0
    assert told["anytime"]["a"]["compute"] == [1.5, 3.0]
    assert told["reach"][0]["median"]["a"] == 1.5
