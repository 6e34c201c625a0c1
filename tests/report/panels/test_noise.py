"""The noise floor, by hand."""

from dataclasses import replace

import pytest
from ledger import PROPORTIONAL, STUDY, TUNED, UNIFORM, Ledger

from mixtune.proposal import Role
from mixtune.recipe import Mixture, Recipe
from mixtune.report.panels.noise import noise, noise_document, noise_sheet, spread
from mixtune.trial import TrialState


@pytest.fixture
def three() -> Ledger:
    """Two baselines on three seeds each: deviations -1, 0, 1 and -2, 0, 2 hundredths."""
    ledger = Ledger(replace(STUDY, final=replace(STUDY.final, seeds=3)))
    for replicate, step in enumerate((-0.01, 0.0, 0.01)):
        ledger.add(Role.ANCHOR, UNIFORM, 0.3 + step, label="uniform", replicate=replicate)
        ledger.add(Role.ANCHOR, PROPORTIONAL, 0.4 + 2 * step, label="proportional", replicate=replicate)
    return ledger


def test_the_spread_is_pooled_within_recipes() -> None:
    found = spread({UNIFORM: {1: 1.0, 2: 3.0}, PROPORTIONAL: {1: 10.0, 2: 13.0, 3: 13.0}, TUNED: {1: 99.0}})
    assert found is not None
    # Squares within: 2 and 6; degrees of freedom 1 and 2.
    assert (found.value, found.freedom, found.runs, found.recipes) == (pytest.approx((8 / 3) ** 0.5), 3, 5, 2)
    # Chi-square quantiles with 3 degrees of freedom: 9.3484 and 0.2158.
    assert (found.low, found.high) == pytest.approx(((8 / 9.3484) ** 0.5, (8 / 0.21580) ** 0.5), rel=1e-4)
    # Student's t with 3 degrees of freedom: 3.1824. Two draws of SD 1 differ by 1.1284 on average.
    assert found.told(1, 3) == pytest.approx(3.18245 * (8 / 3) ** 0.5 * (4 / 3) ** 0.5, rel=1e-5)
    assert found.apart == pytest.approx(1.12838 * (8 / 3) ** 0.5, rel=1e-5)
    assert spread({UNIFORM: {1: 1.0}, PROPORTIONAL: {1: 10.0}}) is None


def test_dev_and_test_have_a_floor_each_from_baselines_finalists_and_reruns(three: Ledger) -> None:
    found = noise(three.study, three.trials)
    assert found is not None and found.dev is not None and found.test is not None
    assert found.dev.value == found.test.value == pytest.approx(((2e-4 + 8e-4) / 4) ** 0.5)
    for replicate, score in enumerate((0.5, 0.7)):
        three.add(Role.FINALIST, TUNED, score, replicate=replicate)
    more = noise(three.study, three.trials)
    assert more is not None and more.dev is not None and more.test is not None
    assert (more.dev.freedom, more.test.freedom) == (5, 4)
    assert more.dev.value == pytest.approx(((1e-3 + 0.02) / 5) ** 0.5)


def test_the_same_run_under_two_names_counts_once(three: Ledger) -> None:
    before = noise(three.study, three.trials)
    twin = three.trials[1]
    three.trials.append(replace(twin, number=6, proposal=replace(twin.proposal, role=Role.RERUN, label="best")))
    assert noise(three.study, three.trials) == before


def test_recipes_that_no_run_tells_apart_are_one(three: Ledger) -> None:
    """A copy of the weights to the last digit but one draws the same batches on the same seed: no new run."""
    before = noise(three.study, three.trials)
    twin, copy = three.trials[1], Recipe(Mixture({name: w + d for (name, w), d in zip(
        PROPORTIONAL.mixture.items(), (1e-5, -1e-5), strict=True)}))  # fmt: skip
    three.trials.append(replace(twin, number=6, proposal=replace(twin.proposal, role=Role.RERUN, recipe=copy)))
    assert noise(three.study, three.trials) == before
    three.add(Role.RERUN, copy, 0.4, label="best", replicate=7)
    more = noise(three.study, three.trials)
    assert more is not None and more.dev is not None and before is not None and before.dev is not None
    assert (more.dev.recipes, more.dev.freedom) == (before.dev.recipes, before.dev.freedom + 1)


def test_search_runs_beyond_the_noise_are_counted_on_either_side(three: Ledger) -> None:
    found = noise(three.study, three.trials)
    assert found is not None and found.beyond is not None and found.searched == 0
    # t with 4 degrees of freedom 2.7764; SD .015811; one run against the mean of three.
    assert found.beyond == pytest.approx(2.77645 * 0.0158114 * (4 / 3) ** 0.5, rel=1e-4)
    assert found.told == pytest.approx(2.77645 * 0.0158114 * (2 / 3) ** 0.5, rel=1e-4)
    for place, score in enumerate((0.4 + 0.0508, 0.4 + 0.0505, 0.4 - 0.06, 0.4 - 0.01)):
        three.add(Role.SEARCH, Recipe(Mixture({"big": 0.2 + place / 10, "small": 0.8 - place / 10})), score)
    three.add(Role.SEARCH, PROPORTIONAL, 0.9)
    three.add(Role.SEARCH, TUNED, 0.9, state=TrialState.FAILED)
    after = noise(three.study, three.trials)
    assert after is not None and (after.better, after.worse, after.searched) == (1, 1, 4)
    assert noise_sheet(after).lines[2].startswith("1 of 4 runs of the search lie above proportional on dev")


def test_with_one_judging_seed_there_is_no_floor_and_the_panel_says_so() -> None:
    ledger = Ledger(replace(STUDY, final=replace(STUDY.final, seeds=1)))
    ledger.add(Role.ANCHOR, PROPORTIONAL, 0.4, label="proportional")
    found = noise(ledger.study, ledger.trials)
    assert found is not None and found.dev is None and found.told is None
    assert "final.seeds is 1" in noise_sheet(found).lines[0] and noise_sheet(found).rows == ()
    assert noise_document(found)["dev"] is None


def test_before_a_baseline_has_run_nothing_is_said() -> None:
    assert noise(STUDY, []) is None


def test_the_sentence_tells_how_far_two_runs_differ(three: Ledger) -> None:
    found = noise(three.study, three.trials)
    assert found is not None
    assert found.sentence == "Two runs of one recipe differ by 0.0178 ndcg@10 on dev on average."
    assert noise_sheet(found).rows[0] == ("dev", "0.0158", "[0.0095, 0.0454]", "0.0178", "6")
    assert noise_document(found)["sentence"] == found.sentence
