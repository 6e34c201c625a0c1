from dataclasses import replace

import numpy as np
import pytest
from ledger import STUDY, TUNED
from scipy.stats import spearmanr

from mixtune.measurement import Measurement
from mixtune.proposal import Probe, Proposal, Role
from mixtune.report.panels.tracking import Tracking, tracking, tracking_document, tracking_sheet
from mixtune.trial import Trial, TrialState


def runs(easy: list[tuple[float, float]], hard: list[tuple[float, float]]) -> list[Trial]:
    """Runs with (dev loss, ndcg@10) of both targets."""
    found = []
    for number, (one, two) in enumerate(zip(easy, hard, strict=True)):
        measurement = Measurement(
            dev={"easy": {"ndcg@10": one[1]}, "hard": {"ndcg@10": two[1]}},
            dev_loss={"easy": one[0], "hard": two[0]},
        )
        found.append(
            Trial(number, Proposal(TUNED, 10, Role.SEARCH), 0, state=TrialState.COMPLETE, measurement=measurement)
        )
    return found


def told(trials: list[Trial]) -> Tracking:
    found = tracking(STUDY, trials)
    assert found is not None
    return found


FALLING = [(1.0, 0.1), (0.9, 0.2), (0.8, 0.3), (0.7, 0.4), (0.6, 0.5)]
RISING = [(0.1, 0.1), (0.2, 0.2), (0.3, 0.3), (0.4, 0.4), (0.5, 0.5)]


def test_a_metric_that_rises_as_the_loss_falls_correlates_with_1() -> None:
    found = told(runs(FALLING, RISING))
    easy, hard = found.targets["easy"], found.targets["hard"]
    assert easy is not None and hard is not None and found.pooled is not None
    assert (easy.value, hard.value, found.pooled.value) == pytest.approx((1.0, -1.0, 0.0))
    assert found.runs == 5


def test_a_perfect_correlation_of_few_runs_has_a_wide_interval() -> None:
    easy = told(runs(FALLING, RISING)).targets["easy"]
    assert easy is not None and easy.high == 1.0 and 0.0 < easy.low < 0.5


def test_the_correlation_is_spearmans_with_ties() -> None:
    rng = np.random.default_rng(3)
    loss, value = rng.integers(0, 6, 40).astype(float), rng.integers(0, 6, 40).astype(float)
    pairs = list(zip(loss.tolist(), value.tolist(), strict=True))
    easy = told(runs(pairs, pairs)).targets["easy"]
    assert easy is not None
    assert easy.value == pytest.approx(spearmanr(-loss, value).statistic)
    assert easy.low < easy.value < easy.high


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        x = rng.normal(size=30)
        y = 0.5 * x + np.sqrt(0.75) * rng.normal(size=30)
        pairs = list(zip((-x).tolist(), y.tolist(), strict=True))
        easy = told(runs(pairs, pairs)).targets["easy"]
        truth = 6 / np.pi * np.arcsin(0.25)  # Spearman of a bivariate normal of correlation .5
        held += easy is not None and easy.low <= truth <= easy.high
    assert 0.92 < held / 400 < 0.98


def test_pooling_ranks_within_each_target_so_that_levels_do_not_count() -> None:
    shifted = [(loss + 5, value + 0.5) for loss, value in FALLING]
    pooled = told(runs(FALLING, shifted)).pooled
    assert pooled is not None and pooled.value == pytest.approx(1.0)


def test_below_five_runs_nothing_is_said_but_that_there_are_too_few() -> None:
    found = told(runs(FALLING[:4], RISING[:4]))
    assert found.pooled is None and set(found.targets.values()) == {None}
    sheet = tracking_sheet(found)
    assert "over 4 runs" in sheet.title and sheet.lines == ("too few: at least 5 scored runs are needed",)


def test_a_loss_that_never_changes_correlates_with_nothing() -> None:
    constant = [(1.0, value) for _, value in FALLING]
    found = told(runs(constant, FALLING))
    assert found.targets["easy"] is None and found.targets["hard"] is not None
    assert tracking_sheet(found).rows[0] == ("easy", "-", "-")


def test_rounds_that_probe_and_unfinished_runs_do_not_count() -> None:
    trials = runs(FALLING, RISING)
    trials[0] = replace(trials[0], proposal=replace(trials[0].proposal, probe=Probe(("big",), 2)))
    trials[1] = replace(trials[1], state=TrialState.PRUNED)
    assert told(trials).runs == 3


def test_a_study_without_dev_losses_has_no_such_panel() -> None:
    assert tracking(STUDY, [replace(runs(FALLING, RISING)[0], measurement=Measurement(score=0.5))]) is None


def test_the_panel_says_how_many_runs_it_rests_on() -> None:
    sheet = tracking_sheet(told(runs(FALLING, FALLING)))
    assert sheet.title == "Does dev loss track ndcg@10 on dev? Rank correlation over 5 runs"
    assert [row[:2] for row in sheet.rows] == [("easy", "+1.00"), ("hard", "+1.00"), ("pooled", "+1.00")]
    assert tracking_document(told(runs(FALLING, FALLING)))["runs"] == 5
