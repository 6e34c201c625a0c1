import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from ledger import PROPORTIONAL, TUNED, UNIFORM, Ledger

from mixtune.proposal import Role
from mixtune.report.document import document
from mixtune.report.summary import Verdict
from mixtune.search import Objective
from mixtune.study import StudyState
from mixtune.trial import TrialState

Judge = Callable[[float], Ledger]


def test_the_best_trial_is_the_search_trial_that_ran_the_recommendation(judged: Judge) -> None:
    best = judged(0.5).summary().best
    assert best is not None and best.trial == 6


def test_metrics_of_the_best_are_means_over_the_judging_seeds(judged: Judge) -> None:
    best = judged(0.5).summary().best
    assert best is not None and best.judged.test is not None
    assert best.judged.test["easy"]["ndcg@10"] == pytest.approx(0.5 + 0.005 + 0.15)
    assert sorted(best.judged.scores) == [0, 1]


def test_a_recommendation_that_no_search_trial_ran_takes_its_first_rerun(opened: Ledger) -> None:
    opened.add(Role.ROUND, UNIFORM, 0.4)
    opened.add(Role.RERUN, TUNED, label="best", state=TrialState.FAILED)
    opened.add(Role.RERUN, TUNED, 0.5, label="best", replicate=1)
    best = opened.summary().best
    assert best is not None and best.trial == 7


def test_reruns_of_an_older_recommendation_do_not_count(judged: Judge) -> None:
    ledger = judged(0.5)
    ledger.recommended = UNIFORM
    best = ledger.summary().best
    assert best is not None and best.trial == 5
    assert not best.judged.scores


def test_before_judging_the_best_has_dev_but_no_test(opened: Ledger) -> None:
    opened.add(Role.SEARCH, TUNED, 0.4)
    shown = document(opened.summary())
    best = shown["best"]
    assert isinstance(best, dict)
    assert best["trial"] == 5 and best["test"] is None and best["test_ci"] is None
    assert best["dev"] == {name: {"ndcg@10": 0.55, "recall@20": 0.55} for name in ("easy", "hard")}


def test_nothing_is_best_while_nothing_can_be_recommended(opened: Ledger) -> None:
    opened.recommended = None
    summary = opened.summary()
    assert summary.best is None and summary.answer == "Nothing to recommend yet."


def test_an_unprepared_study_can_be_summed_up(opened: Ledger) -> None:
    empty = Ledger(study=replace(opened.study, preparation=None))
    shown = document(empty.summary(state=StudyState.QUEUED))
    assert shown["best"] is None and shown["baselines"] == {} and shown["cost_flops"] == 0


def test_the_search_pays_for_its_own_trials_only(judged: Judge) -> None:
    costs = judged(0.5).summary().costs
    assert costs.search == 200.0
    assert costs.runs == 2.0
    assert costs.judging == 601.0
    assert (costs.preparation, costs.preparation_seconds) == (1e9, 3.0)


@pytest.mark.parametrize(
    "level, verdict, begin",
    [
        (0.60, Verdict.YES, "Yes, tuning beats proportional"),
        (0.05, Verdict.NO, "No, tuning does worse than proportional"),
    ],
)
def test_a_clear_difference_is_said_plainly(judged: Judge, level: float, verdict: Verdict, begin: str) -> None:
    comparison = judged(level).summary().comparisons["proportional"]
    assert comparison.verdict is verdict
    assert comparison.difference is not None
    assert comparison.difference.value == pytest.approx(level - 0.2)
    assert comparison.sentence.startswith(begin)


def test_no_winner_is_an_answer(judged: Judge) -> None:
    ledger = judged(0.2)
    # One run far above, one far below: two seeds tell nothing.
    ledger.scores[7] = {name: {"ndcg@10": (0.9, 0.8, 0.9, 0.8)} for name in ("easy", "hard")}
    ledger.scores[8] = {name: {"ndcg@10": (0.1, 0.0, 0.1, 0.0)} for name in ("easy", "hard")}
    for number in (2, 4):
        ledger.scores[number] = {name: {"ndcg@10": ledger.scores[number][name]["ndcg@10"]} for name in ("easy", "hard")}
    comparison = ledger.summary().comparisons["proportional"]
    assert comparison.verdict is Verdict.NO_WINNER
    assert comparison.sentence.startswith("No winner between tuning and proportional")


def test_the_difference_is_paired_by_seed(judged: Judge) -> None:
    ledger = judged(0.5)
    difference = ledger.summary().comparisons["proportional"].difference
    # Level and replicate shift both arms alike: after pairing nothing varies.
    assert difference is not None and difference.high - difference.low == pytest.approx(0, abs=1e-9)


def test_a_seed_that_only_one_side_ran_is_left_out_of_the_difference(opened: Ledger) -> None:
    opened.add(Role.RERUN, TUNED, 0.5, label="best", replicate=1)
    difference = opened.summary().comparisons["proportional"].difference
    assert difference is not None and difference.replicates == 1
    assert difference.value == pytest.approx(0.5 - 0.21)


def test_equal_recipes_are_called_equal(opened: Ledger) -> None:
    opened.recommended = PROPORTIONAL
    opened.add(Role.RERUN, PROPORTIONAL, 0.2, label="best")
    assert opened.summary().answer == "The best recipe is proportional sampling itself."


def test_one_seed_is_owned_up_to(opened: Ledger) -> None:
    opened.add(Role.RERUN, TUNED, 0.5, label="best")
    assert "one training seed, whose own noise is not in it" in opened.summary().answer


def test_the_worst_target_decides_where_the_objective_says_so(judged: Judge) -> None:
    ledger = judged(0.5)
    ledger.study = replace(ledger.study, objective=Objective(aggregate="worst"))
    for number in (7, 8):
        easy = ledger.scores[number]["easy"]
        hard = {metric: tuple(value - 0.4 for value in column) for metric, column in easy.items()}
        ledger.scores[number] = {"easy": easy, "hard": hard}
    best = ledger.summary().best
    assert best is not None
    overall = best.judged.overall(ledger.study, "ndcg@10")
    assert overall is not None
    assert overall.value == pytest.approx(0.5 + 0.005 + 0.15 - 0.4)
    assert overall.queries == 4


def test_the_json_has_the_keys_of_the_contract(judged: Judge) -> None:
    shown = document(judged(0.5).summary(versions={"mixtune": "0"}))
    wanted = {"name", "state", "trials", "cost_flops", "seeds", "versions", "best", "baselines"}
    assert wanted <= shown.keys()
    best, baselines, counts = shown["best"], shown["baselines"], shown["trials"]
    assert isinstance(best, dict) and isinstance(baselines, dict) and isinstance(counts, dict)
    assert {"trial", "weights", "pruning", "dev", "test", "test_ci"} <= best.keys()
    assert {"weights", "dev", "test", "test_ci"} <= baselines["uniform"].keys() & baselines["proportional"].keys()
    assert counts == {"queued": 0, "running": 0, "complete": 9, "pruned": 0, "failed": 0}
    low, high = best["test_ci"]["hard"]["recall@20"]
    assert low < best["test"]["hard"]["recall@20"] < high
    assert best["weights"] == {"big": 0.1, "small": 0.9}
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown


def test_every_result_says_which_documents_it_ranks(judged: Judge) -> None:
    preparation = document(judged(0.5).summary())["preparation"]
    assert isinstance(preparation, dict)
    assert preparation["targets"]["easy"]["dev"] == "4 queries, candidate pool of 20 of 50 documents"
    assert preparation["targets"]["hard"]["dev"] == "4 queries, full corpus of 50 documents"
    assert preparation["targets"]["easy"]["test"] == "4 queries, full corpus of 50 documents"


def test_implied_epochs_are_those_of_the_final_budget(judged: Judge) -> None:
    best = judged(0.5).summary().best
    # 100 steps of 32 pairs, 0.9 of them from 100 rows
    assert best is not None and best.epochs["small"] == pytest.approx(0.9 * 3200 / 100)


def test_intervals_in_the_document_stay_within_what_a_metric_can_be(judged: Judge) -> None:
    shown = document(judged(0.84).summary())
    best = shown["best"]
    assert isinstance(best, dict)
    assert best["test_ci"]["hard"]["ndcg@10"][1] == 1.0  # type: ignore[index, call-overload]
    assert 0 < best["test_ci"]["hard"]["ndcg@10"][0] < 1.0  # type: ignore[index, call-overload, operator]
