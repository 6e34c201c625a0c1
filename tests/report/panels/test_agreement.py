from dataclasses import replace

import pytest
from ledger import STUDY, UNIFORM

from mixtune.measurement import Influence, Measurement
from mixtune.proposal import Probe, Proposal, Role
from mixtune.report.panels.agreement import Agreement, agreement, agreement_sheet, gains
from mixtune.report.panels.influences import measure_of, standings_sheet
from mixtune.report.panels.overfitting import Overfitting, overfitting
from mixtune.source import Source
from mixtune.trial import Trial, TrialState

NAMES = ("a", "b", "c", "d")
FOUR = replace(STUDY, sources=tuple(Source(name, "docstrings", name) for name in NAMES))


def told(value: float, rank: float = 0.0) -> Influence:
    return Influence(value, 0.1, rank={"easy": rank, "hard": rank}, rank_error={"easy": 0.1, "hard": 0.1})


def turn(
    number: int,
    split: int,
    values: tuple[float | None, ...],
    *,
    splits: int = 2,
    measure: str = "loss",
    loss: float = 1.0,
) -> Trial:
    influence = {
        name: Influence(None, None) if value is None else told(value, -value)
        for name, value in zip(NAMES, values, strict=False)
    }
    proposal = Proposal(
        UNIFORM,
        10,
        Role.ROUND,
        probe=Probe(tuple(influence), 2, split=split, splits=splits),
        notes={"measure": measure},
    )
    measurement = Measurement(influence=influence, dev_loss={"easy": loss, "hard": loss})
    return Trial(number, proposal, 0, state=TrialState.COMPLETE, measurement=measurement)


def test_splits_that_order_sources_alike_agree() -> None:
    trials = [turn(0, 0, (4, 3, 2, 1)), turn(1, 1, (0.4, 0.3, 0.2, 0.1)), turn(2, 0, (6, 3, 2, 1))]
    found = agreement(FOUR, trials)
    assert found is not None and (found.correlation, found.sources) == (pytest.approx(1.0), 4)
    assert found.influence["a"] == pytest.approx((5.0, 0.4))


def test_splits_that_order_sources_the_other_way_round_disagree() -> None:
    found = agreement(FOUR, [turn(0, 0, (1, 2, 3, 4)), turn(1, 1, (4, 3, 2, 1))])
    assert found is not None and found.correlation == pytest.approx(-1.0)


def test_of_three_splits_the_correlation_is_the_mean_over_pairs() -> None:
    trials = [turn(n, n, v, splits=3) for n, v in enumerate([(1, 2, 3, 4), (1, 2, 3, 4), (4, 3, 2, 1)])]
    found = agreement(FOUR, trials)
    assert found is not None and found.correlation == pytest.approx(-1 / 3)
    assert "mean over pairs of splits" in agreement_sheet(found).lines[-1]


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [turn(0, 0, (1, 2, 3, 4), splits=1), turn(1, 0, (1, 2, 3, 4), splits=1)],
        [turn(0, 0, (1, 2, 3, 4)), turn(1, 1, (1, 2, 3))],
        [turn(0, 0, (1, 2, 3, 4)), turn(1, 1, (1, 2, 3, None))],
        [turn(0, 0, (1, 2, 3, 4))],
    ],
)
def test_below_four_sources_seen_by_every_split_nothing_is_said(trials: list[Trial]) -> None:
    assert agreement(FOUR, trials) is None


def test_what_is_compared_is_what_the_search_measures() -> None:
    first = {"a": told(0.2, 0.5), "b": told(0.1, 0.7)}
    assert gains(FOUR, first, "loss") == {"a": 0.2, "b": 0.1}
    assert gains(FOUR, first, "rank") == pytest.approx({"a": 0.5, "b": 0.7})
    # errors: 0.1 of the fall; of the rise 0.1 * sqrt(1/4 + 1/4)
    assert gains(FOUR, first, "both") == pytest.approx({"a": 1.0 + 2.5 * 2**0.5, "b": 0.5 + 3.5 * 2**0.5})


def test_the_panel_shows_the_splits_side_by_side_with_the_unit() -> None:
    sheet = agreement_sheet(Agreement("both", {"a": (1.0, None), "b": (2.0, 3.0)}, 0.5, 4))
    assert sheet.right == ("split 1", "split 2")
    assert sheet.rows == (("b", "+2.00", "+3.00"), ("a", "+1.00", "-"))
    assert (
        "standard errors" in sheet.caption and "Rank correlation between splits +0.50 over 4 sources" in sheet.lines[0]
    )


def test_influence_is_told_in_the_unit_of_its_search() -> None:
    trials = [turn(0, 0, (1, 2, 3, 4), measure="rank")]
    assert measure_of(trials) == "rank" and measure_of([]) == "loss"
    assert "raises nDCG" in standings_sheet(0, {}, "rank").caption
    assert "standard errors" in standings_sheet(0, {}, "both").caption
    assert "lowers the targets' dev loss" in standings_sheet(0, {}).caption


def test_a_trainer_that_measures_no_rise_is_read_by_its_loss() -> None:
    found = turn(0, 0, (1, 2, 3, 4), measure="rank")
    assert found.measurement is not None
    bare = replace(found, measurement=replace(found.measurement, influence={"a": Influence(1.0, 0.1)}))
    assert measure_of([bare]) == "loss"


def scored(losses: list[float], scores: list[float | None]) -> list[Trial]:
    trials = [turn(number, 0, (1, 2, 3, 4), loss=loss) for number, loss in enumerate(losses)]
    return [
        replace(trial, measurement=replace(trial.measurement, score=score))  # type: ignore[type-var]
        for trial, score in zip(trials, scores, strict=True)
    ]


def test_dev_overfitting_shows_where_loss_falls_and_the_score_on_other_queries_too() -> None:
    found = overfitting(FOUR, scored([2.0, 1.0, 1.0, 0.5], [0.5, None, None, 0.4]))
    assert found == Overfitting((1.5, 0.75), (0.5, 0.4), rounds=4, scored=2)
    assert found.shows and found.sentence.startswith("Dev overfitting shows")
    assert "went -50.0%" in found.sentence and "from 0.5000 to 0.4000" in found.sentence


@pytest.mark.parametrize(
    ("losses", "scores"), [([2.0, 1.0], [0.5, 0.6]), ([1.0, 2.0], [0.5, 0.4]), ([2.0, 1.0], [0.5, 0.496])]
)
def test_a_score_that_holds_or_a_loss_that_rises_is_no_overfitting(
    losses: list[float], scores: list[float | None]
) -> None:
    found = overfitting(FOUR, scored(losses, scores))
    assert found is not None and not found.shows and found.sentence.startswith("No sign of dev overfitting")


def test_one_scored_round_says_nothing_about_overfitting() -> None:
    assert overfitting(FOUR, scored([2.0, 1.0, 1.0], [0.5, None, None])) is None
