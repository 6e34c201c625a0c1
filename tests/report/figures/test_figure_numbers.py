"""The numbers behind figures, by hand-made trials."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from gallery import Gallery, gallery
from ledger import PROPORTIONAL, TUNED, UNIFORM, Ledger

from mixtune.measurement import Cost, Drawn, Influence, Measurement
from mixtune.proposal import Probe, Proposal, Role
from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Recipe
from mixtune.report.figures import FIGURES, anytime, matrix, parallel, receipts, rounds, scores, ternary, thresholds
from mixtune.report.figures import answer as gains
from mixtune.report.figures import audit as audits
from mixtune.report.figures import contamination as overlaps
from mixtune.report.figures import cost as spending
from mixtune.report.figures import noise as seeds
from mixtune.report.figures import weights as shares
from mixtune.study import StudyState
from mixtune.trial import Trial, TrialState


@pytest.fixture(scope="module")
def full() -> Gallery:
    return gallery()


def test_a_study_without_a_recommendation_has_no_figure_of_one(opened: Ledger) -> None:
    opened.recommended = None
    told = opened.summary(state=StudyState.RUNNING)
    shown = [name for name, each in FIGURES.items() if each.of(told, opened.trials) is not None]
    assert shown == ["scores", "noise", "cost"]


def test_gains_are_tuned_minus_baseline_with_their_verdict(judged: Callable[[float], Ledger]) -> None:
    ledger = judged(0.5)
    found = gains.points(ledger.summary(), ledger.trials)
    assert found is not None
    by_name = {row.baseline: row for row in found.rows}
    assert by_name["proportional"].difference == pytest.approx(0.3)
    assert (by_name["uniform"].difference, by_name["uniform"].verdict) == (pytest.approx(0.2), "yes")
    assert (by_name["uniform"].queries, by_name["uniform"].seeds) == (8, 2)


def test_a_baseline_that_is_the_recommendation_itself_has_no_gain(judged: Callable[[float], Ledger]) -> None:
    ledger = judged(0.5)
    ledger.recommended = UNIFORM
    assert gains.points(ledger.summary(), ledger.trials) is None


def test_weights_stand_beside_the_baselines_heaviest_first(judged: Callable[[float], Ledger]) -> None:
    ledger = judged(0.5)
    found = shares.points(ledger.summary(), ledger.trials)
    assert found is not None
    assert [(row.source, row.tuned, row.proportional, row.uniform) for row in found.rows] == [
        ("small", 0.9, 0.25, 0.5),
        ("big", 0.1, 0.75, 0.5),
    ]
    # 100 steps of 32 rows: 0.9 * 3200 / 100 passes over the small source.
    assert found.rows[0].epochs == pytest.approx(28.8)
    assert found.rows[0].expert is None and "expert" not in shares.sheet(found).right


def test_the_range_of_near_optimal_recipes_goes_with_the_weights(full: Gallery) -> None:
    found = shares.points(full.told, full.trials)
    near = full.told.panels.near_optimal
    assert found is not None and near is not None and len(near.members) > 1
    assert {row.source: (row.low, row.high) for row in found.rows} == dict(near.weights)


def test_scores_have_a_line_per_target_and_recipe_then_all_together(judged: Callable[[float], Ledger]) -> None:
    ledger = judged(0.5)
    found = scores.points(ledger.summary(), ledger.trials)
    assert found is not None
    assert [row.recipe for row in found.rows[:4]] == ["base model", "uniform", "proportional", "tuned"]
    tuned = [(row.target, row.value) for row in found.rows if row.recipe == "tuned"]
    assert tuned == [(name, pytest.approx(0.655)) for name in ("easy", "hard", scores.ALL)]


def test_the_best_score_so_far_rises_with_compute_in_fresh_runs(opened: Ledger) -> None:
    for level in (0.2, 0.4, 0.3):
        opened.add(Role.SEARCH, TUNED, level, flops=150.0)
    found = anytime.points(opened.summary(), opened.trials)
    assert found is not None
    searched = [(row.runs, row.score, row.best) for row in found.rows if row.kind == "search"]
    assert searched == [(1.5, 0.2, 0.2), (3.0, 0.4, 0.4), (4.5, 0.3, 0.4)]
    levels = {row.name: row.score for row in found.rows if row.kind == "baseline"}
    assert levels == {"uniform": pytest.approx(0.455), "proportional": pytest.approx(0.355)}


def test_a_chain_has_the_base_model_and_its_recommendation_at_all_that_it_spent(opened: Ledger) -> None:
    opened.add(Role.ROUND, UNIFORM, 0.9, flops=200.0)
    opened.add(Role.RERUN, TUNED, 0.5, label="best")
    found = anytime.points(opened.summary(), opened.trials)
    assert found is not None
    path = [(row.kind, row.runs, row.score) for row in found.rows if row.kind != "baseline"]
    assert path == [("base model", 0.0, pytest.approx(0.25)), ("recommended", 2.0, pytest.approx(0.65))]


def test_noise_has_a_point_per_seed_and_the_studys_noise_floor(opened: Ledger) -> None:
    found = seeds.points(opened.summary(), opened.trials)
    assert found is not None
    assert list(found.recipes) == ["uniform", "proportional"]
    assert found.recipes["proportional"] == pytest.approx([0.20, 0.21])
    assert found.floor.dev is not None
    assert found.floor.dev.value == pytest.approx(0.01 / 2**0.5)


def test_one_seed_says_nothing_about_noise() -> None:
    ledger = Ledger()
    ledger.add(Role.ANCHOR, UNIFORM, 0.3, label="uniform")
    assert seeds.points(ledger.summary(), ledger.trials) is None


def test_rounds_hold_each_rounds_weights_the_last_ones_heaviest_source_first(full: Gallery) -> None:
    found = rounds.points(full.told, full.trials)
    assert found is not None
    # The last round has a .4, and b and c .3 each but for the last bit.
    assert found.sources[0] == "a"
    assert found.of("a") == pytest.approx([0.6, 0.5, 0.4])
    assert found.of("c") == pytest.approx([0.1, 0.2, 0.3])


def test_a_single_round_is_no_movement(opened: Ledger) -> None:
    opened.add(Role.ROUND, UNIFORM)
    assert rounds.points(opened.summary(), opened.trials) is None


def probed(number: int, easy: float, error: float) -> Trial:
    told = {"big": Influence(easy, error, {"easy": easy, "hard": 0.0}, {"easy": error, "hard": 0.0})}
    proposal = Proposal(UNIFORM, 10, Role.ROUND, probe=Probe(("big",), 2))
    measurement = Measurement(influence=told)
    return Trial(number, proposal, 0, state=TrialState.COMPLETE, measurement=measurement)


def test_a_cell_is_the_mean_influence_over_probes_with_the_error_of_that_mean(opened: Ledger) -> None:
    trials = [probed(0, 0.2, 0.03), probed(1, 0.4, 0.04)]
    found = matrix.points(opened.summary(), trials)
    assert found is not None and found.kind == "influence"
    first = found.rows[0]
    assert (first.source, first.target, first.value, first.measured) == ("big", "easy", pytest.approx(0.3), 2)
    assert first.error == pytest.approx(0.025)


def test_measured_runs_on_single_sources_go_before_signals(full: Gallery) -> None:
    found = matrix.points(full.told, full.trials)
    assert found is not None and (found.kind, found.rows[0].value) == ("measured", 0.03)
    full_without = replace(full.told, looks=type(full.looks)())
    found = matrix.points(full_without, full.trials)
    assert found is not None and found.kind == "influence"
    found = matrix.points(full_without, full.trials[:5])
    assert found is not None and (found.kind, found.rows[0].value) == ("neighbours", 0.5)


def test_runs_come_best_first_with_the_heaviest_sources_of_the_best_runs_first(full: Gallery) -> None:
    found = parallel.points(full.told, full.trials)
    assert found is not None
    assert [row.score for row in found.rows[::3]] == [0.45, 0.40, 0.35, 0.30, 0.25]
    assert found.best == (9, 7, 8)
    # Means over the best three: a (.2 + .4 + .3) / 3, b .3, c (.5 + .3 + .4) / 3.
    assert found.sources == ("c", "a", "b")


def test_three_runs_are_too_few_for_parallel_coordinates(full: Gallery) -> None:
    assert parallel.points(full.told, [trial for trial in full.trials if trial.number < 8]) is None


def test_a_triangle_has_runs_baselines_and_the_tuned_recipe(full: Gallery) -> None:
    found = ternary.points(full.told, full.trials)
    assert found is not None and found.sources == ("a", "b", "c")
    assert [row.name for row in found.rows] == [
        *("trial 9", "trial 7", "trial 8", "trial 5", "trial 6"),
        *("uniform", "proportional", "tuned"),
    ]
    assert (found.rows[-1].first, found.rows[-1].second, found.rows[-1].third) == pytest.approx((0.2, 0.3, 0.5))


def test_two_sources_make_no_triangle(judged: Callable[[float], Ledger]) -> None:
    ledger = judged(0.5)
    assert ternary.points(ledger.summary(), ledger.trials) is None


def test_only_options_of_which_several_values_were_tried_are_shown(full: Gallery) -> None:
    found = thresholds.points(full.told, full.trials)
    assert found is not None
    assert found.tried == {("keep.a", 0.5): [0.25, 0.35], ("keep.a", 1.0): [0.30, 0.40, 0.45]}


def test_receipts_are_shares_of_all_that_the_judged_runs_drew(full: Gallery) -> None:
    found = receipts.points(full.told, full.trials)
    assert found is not None and found.unit == "batches"
    by_name = {row.source: row for row in found.rows}
    assert [row.source for row in found.rows] == ["c", "b", "a"]
    assert (by_name["a"].requested, by_name["a"].realised, by_name["a"].drawn) == (pytest.approx(0.2), 0.2, 4)
    assert by_name["c"].epochs == 1.6
    assert all(row.low <= row.requested <= row.high and row.outside == 0 for row in found.rows)


def test_a_run_beyond_chance_is_marked() -> None:
    off = gallery()
    wrong = {"a": Drawn(10, 320, 300, 0.5), "b": Drawn(), "c": Drawn()}
    off.change(len(off.trials) - 1, receipt=wrong)
    found = receipts.points(off.told, off.trials)
    assert found is not None
    assert {row.source: row.outside for row in found.rows} == {"a": 1, "b": 0, "c": 0}


def test_contamination_counts_queries_and_documents_apart(full: Gallery) -> None:
    found = overlaps.points(full.told, full.trials)
    assert found is not None
    assert [(row.source, row.dev_queries, row.test_queries, row.removed) for row in found.rows] == [("a", 3, 0, 3)]


def test_costs_are_charged_to_the_search_or_to_nobody(opened: Ledger) -> None:
    measurement = Measurement(cost=Cost(train=30.0, probe=20.0))
    opened.trials.append(
        Trial(9, Proposal(PROPORTIONAL, 10, Role.ROUND), 0, state=TrialState.COMPLETE, measurement=measurement)
    )
    found = spending.points(opened.summary(), opened.trials)
    assert found is not None
    assert [(row.part, row.charged, row.flops, row.runs) for row in found.rows] == [
        ("search: training", True, 30.0, 0.3),
        ("search: signals", True, 20.0, 0.2),
        ("judging", False, 401.0, 4.01),
        ("preparation", False, 1e9, 1e7),
    ]
    assert [row.part for row in found.barred] == ["search: training", "search: signals", "judging"]
    assert found.lines[-1] == "Preparation (as much as 10,000,000.0 fresh runs, done once) has no bar in the figure."


def test_preparation_alone_is_drawn() -> None:
    found = spending.Spending((spending.Part("preparation", False, 1e9, 1e7),), ())
    assert found.barred == found.rows and found.lines == ()


def test_weights_of_a_pruned_recipe_say_what_is_kept_and_how() -> None:
    pruned = gallery()
    recipe = Recipe(pruned.recipe(0.2, 0.3, 0.5).mixture, Pruning({"a": 0.25}, Schedule("dynamic")))
    pruned.recommended = recipe
    found = shares.points(pruned.told, pruned.trials)
    assert found is not None
    told = shares.sheet(found)
    place = (*told.left, *told.right).index("kept")
    assert {row[0]: row[place] for row in told.rows} == {"a": "25%", "b": "100%", "c": "100%"}
    assert told.lines[-1].startswith("Pruning: dynamic (")
    pruned.recommended = pruned.recipe(0.2, 0.3, 0.5)
    found = shares.points(pruned.told, pruned.trials)
    assert found is not None and "kept" not in shares.sheet(found).right


def test_an_effect_tells_where_its_interval_is_known_and_holds_no_zero() -> None:
    halves = (0.01, 0.03, None)
    assert [audits.Changed("a", 0.1, "more", -0.02, half).tells for half in halves] == [True, False, False]
