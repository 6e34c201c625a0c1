"""The winner's curse, by hand."""

import pytest
from ledger import PROPORTIONAL, TUNED, UNIFORM, Ledger

from mixtune.proposal import Role
from mixtune.recipe import Mixture, Recipe
from mixtune.report.panels.crowning import crowning, crowning_document, crowning_sheet, luck

SD = (1e-4 / 2) ** 0.5
"""Of the fixture's baselines: two recipes whose two runs lie a hundredth apart."""


@pytest.fixture
def ledger(opened: Ledger) -> Ledger:
    """Two recipes searched, the tuned one with 0.40."""
    opened.add(Role.SEARCH, UNIFORM, 0.2)
    opened.add(Role.SEARCH, TUNED, 0.40)
    return opened


def test_the_score_in_the_search_is_compared_with_the_judging_seeds_that_chose_nothing(ledger: Ledger) -> None:
    for replicate, score in enumerate((0.39, 0.38)):
        ledger.add(Role.FINALIST, TUNED, score, replicate=replicate)
    on_finalists = crowning(ledger.study, ledger.trials, TUNED)
    assert on_finalists is not None
    assert (on_finalists.again, on_finalists.on) == (pytest.approx(0.385), "finalists'")
    for replicate, score in enumerate((0.36, 0.37)):
        ledger.add(Role.RERUN, TUNED, score, label="best", replicate=replicate)
    found = crowning(ledger.study, ledger.trials, TUNED)
    assert found is not None
    assert (found.search, found.again, found.seeds, found.on) == (0.40, pytest.approx(0.365), 2, "judging")
    assert found.curse == pytest.approx(0.035)


def test_a_run_of_a_recipe_that_no_run_tells_from_the_crowned_one_is_its_own(opened: Ledger) -> None:
    near = Recipe(Mixture({name: w + d for (name, w), d in zip(TUNED.mixture.items(), (1e-5, -1e-5), strict=True)}))
    opened.add(Role.SEARCH, UNIFORM, 0.2)
    opened.add(Role.SEARCH, near, 0.40)
    opened.add(Role.RERUN, TUNED, 0.37, label="best")
    found = crowning(opened.study, opened.trials, TUNED)
    assert found is not None and found.search == 0.40 and found.curse == pytest.approx(0.03)


def test_the_sentence_puts_seed_noise_beside_the_curse(ledger: Ledger) -> None:
    for replicate, score in enumerate((0.36, 0.37)):
        ledger.add(Role.RERUN, TUNED, score, label="best", replicate=replicate)
    found = crowning(ledger.study, ledger.trials, TUNED)
    assert found is not None
    # Three recipes with two runs each: t with 3 degrees of freedom, one run against two.
    assert found.sd == pytest.approx(SD) and found.half == pytest.approx(3.18245 * SD * 1.5**0.5, rel=1e-5)
    assert found.lucky == pytest.approx(SD * luck(2))
    assert found.sentence == (
        "Winner's curse: dev 0.4000 in the search, 0.3650 on 2 judging seeds: +0.0350 ± 0.0276 did not hold. Seed "
        "noise (SD 0.0071) alone would lift the best of 2 equal recipes by 0.0042."
    )
    assert crowning_document(found)["curse"] == pytest.approx(0.035)


def test_a_recipe_that_does_as_well_again_was_not_lucky(ledger: Ledger) -> None:
    ledger.add(Role.RERUN, TUNED, 0.41, label="best")
    found = crowning(ledger.study, ledger.trials, TUNED)
    assert found is not None and "-0.0100 ±" in found.sentence and "no sign of luck" in found.sentence


def test_luck_is_the_expected_highest_of_so_many_draws() -> None:
    # Expected order statistics of the normal distribution: 0.5642, 1.0294, 1.7660, 2.5076.
    assert [luck(count) for count in (1, 2, 4, 16, 100)] == pytest.approx([0, 0.5642, 1.0294, 1.7660, 2.5076], abs=0.03)


def test_finalists_are_listed_best_new_score_first_with_the_crowned_one_marked(ledger: Ledger) -> None:
    for recipe, score in ((TUNED, 0.3), (UNIFORM, 0.35)):
        ledger.add(Role.FINALIST, recipe, score)
    found = crowning(ledger.study, ledger.trials, UNIFORM)
    assert found is not None
    sheet = crowning_sheet(found)
    assert [row[:3] for row in sheet.rows] == [("trial 5", "crowned", "0.2000"), ("trial 6", "", "0.4000")]


def test_the_gain_over_proportional_stands_on_dev_and_on_test_with_its_noise(ledger: Ledger) -> None:
    for replicate, score in enumerate((0.30, 0.33)):
        ledger.add(Role.RERUN, TUNED, score, label="best", replicate=replicate)
    found = crowning(ledger.study, ledger.trials, TUNED)
    assert found is not None and found.gain is not None
    # The mean test value of the ledger's queries is its level and 0.15, for all recipes alike.
    assert (found.gain.dev, found.gain.test) == pytest.approx((0.11, 0.11))
    assert found.gain.dev_half > 0
    assert "+0.1100 ±" in crowning_sheet(found).lines[1]


def test_a_chain_has_no_score_to_compare_with(opened: Ledger) -> None:
    opened.add(Role.ROUND, UNIFORM, 0.5)
    opened.add(Role.RERUN, TUNED, 0.3, label="best")
    found = crowning(opened.study, opened.trials, TUNED)
    assert found is not None and found.curse is None
    assert "not applicable" in found.sentence and "rounds" in found.sentence


def test_a_predicted_recipe_has_no_score_in_the_search(ledger: Ledger) -> None:
    found = crowning(ledger.study, ledger.trials, PROPORTIONAL)
    assert found is not None and "none of its runs" in found.sentence


def test_before_it_has_run_again_nothing_is_claimed(ledger: Ledger) -> None:
    found = crowning(ledger.study, ledger.trials, TUNED)
    assert found is not None and found.sentence.endswith("not known before the crowned recipe has run on new seeds.")
    assert crowning(ledger.study, ledger.trials, None) is None


def test_a_search_of_a_single_recipe_chooses_nothing(opened: Ledger) -> None:
    opened.add(Role.SEARCH, TUNED, 0.4)
    assert crowning(opened.study, opened.trials, TUNED) is None
