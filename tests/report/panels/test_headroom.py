from dataclasses import replace

import numpy as np
import pytest
from ledger import PROPORTIONAL, STUDY, UNIFORM

from mixtune.measurement import Drawn, Measurement
from mixtune.proposal import Proposal, Role
from mixtune.report.panels.headroom import Headroom, headroom, headroom_document, headroom_sheet, warnings
from mixtune.trial import Trial, TrialState


def link(number: int, parent: int | None, rule: dict[str, tuple[float, ...]], epochs: float = 1.0) -> Trial:
    proposal = Proposal(UNIFORM if parent is None else PROPORTIONAL, 10, Role.ROUND, parent=parent)
    receipt = {"big": Drawn(1, 8, 8, epochs), "small": Drawn(1, 8, 8, 2 * epochs)}
    measurement = Measurement(rule=rule, receipt=receipt)
    return Trial(number, proposal, 0, state=TrialState.COMPLETE, measurement=measurement)


def state(
    proxy: tuple[float, float], reference: tuple[float, float], weights: tuple[float, float], seen: tuple[float, float]
) -> dict[str, tuple[float, ...]]:
    log_w = tuple(np.log(weights).tolist())
    return {"proxy_loss": proxy, "reference_loss": reference, "log_w": log_w, "seen": seen, "steps": (20.0,)}


FIRST = state((2.0, 2.0), (1.0, 1.0), (0.5, 0.5), (1, 1))
LAST = state((1.0, 1.2), (2.0, 0.5), (0.2, 0.8), (3, 3))


def told(trials: list[Trial]) -> dict[str, Headroom]:
    found = headroom(STUDY, trials)
    assert found is not None
    return found[1]


def test_losses_ratio_weight_and_passes_along_the_chain() -> None:
    trials = [link(0, None, FIRST), link(1, 0, LAST, 1.5), link(2, 0, FIRST, 9.0)]
    trials[2] = replace(trials[2], state=TrialState.FAILED)
    assert headroom(STUDY, trials) is not None and headroom(STUDY, trials)[0] == 1  # type: ignore[index]
    big, small = told(trials).values()
    assert (big.proxy_loss, big.reference_loss, big.ratio) == (1.0, 2.0, 0.5)
    assert (small.ratio, small.weight, small.start) == pytest.approx((2.4, 0.8, 0.5))
    assert (big.epochs, small.epochs) == (2.5, 5.0)  # of trials 1 and 0, not of 2


def test_a_tiny_reference_loss_counts_as_a_twentieth_of_the_median() -> None:
    found = told([link(0, None, state((1.0, 1.0), (3.0, 0.001), (0.5, 0.5), (1, 1)))])
    assert found["small"].ratio == pytest.approx(1.0 / (0.05 * 1.5005))


def test_a_source_that_was_not_drawn_has_no_losses() -> None:
    small = told([link(0, None, state((1.0, 0.0), (3.0, 0.0), (0.5, 0.5), (1, 0)))])["small"]
    assert (small.proxy_loss, small.reference_loss, small.ratio) == (None, None, None)


def test_a_study_without_such_a_rule_has_no_such_panel() -> None:
    assert headroom(STUDY, [link(0, None, {})]) is None


def test_a_rule_without_losses_shows_its_weights_alone() -> None:
    found = told([link(0, None, {"log_w": (0.0, float(np.log(3))), "mean": (0.5, 0.5), "seen": (4.0, 4.0)}, 3.0)])
    sheet = headroom_sheet(STUDY, 0, found)
    assert sheet.title == "Weights after trial 0 (weights of the rule)"
    assert sheet.right == ("weight", "start", "epochs")
    assert sheet.rows == (("small", "0.750", "0.500", "6.0"), ("big", "0.250", "0.500", "3.0"))
    assert len(sheet.lines) == 1 and "small has 1.5 times its starting weight after 6 passes" in sheet.lines[0]


def standing(weight: float, *, loss: float = 1.0, ratio: float = 2.0, epochs: float = 1.0) -> Headroom:
    return Headroom(loss, loss / ratio, ratio, weight, 0.5, epochs)


def test_weight_that_follows_a_corrupted_source_is_warned_of() -> None:
    study = replace(STUDY, sources=(replace(STUDY.sources[0], corrupt=0.4), STUDY.sources[1]))
    (line,) = warnings(study, {"big": standing(0.8), "small": standing(0.2)})
    assert line.startswith("Warning: big has 1.6 times its starting weight, and 40% of its positives were permuted")


def test_a_corrupted_source_that_is_turned_down_is_no_cause_for_a_warning() -> None:
    study = replace(STUDY, sources=(replace(STUDY.sources[0], corrupt=0.4), STUDY.sources[1]))
    assert list(warnings(study, {"big": standing(0.2), "small": standing(0.8)})) == []


def test_weight_at_a_high_loss_that_the_reference_shares_looks_like_noise() -> None:
    noisy = {"big": standing(0.8, loss=4.0, ratio=1.05), "small": standing(0.2, loss=0.5)}
    (line,) = warnings(STUDY, noisy)
    assert "big has 1.6 times" in line and "the reference shares (ratio 1.05): this looks like noise" in line
    assert list(warnings(STUDY, {**noisy, "big": standing(0.8, loss=4.0, ratio=3.0)})) == []
    assert list(warnings(STUDY, {**noisy, "big": standing(0.8, loss=0.6, ratio=1.0)})) == []


def test_weight_that_follows_a_small_source_is_warned_of_by_its_repetition() -> None:
    (line,) = warnings(STUDY, {"big": standing(0.2, epochs=9), "small": standing(0.8, epochs=12)})
    assert "small has 1.6 times its starting weight after 12 passes over its rows" in line


def test_the_panel_shows_the_heaviest_source_first_and_the_json_holds_all() -> None:
    found = told([link(0, None, FIRST), link(1, 0, LAST)])
    sheet = headroom_sheet(STUDY, 1, found)
    assert sheet.rows[0] == ("small", "1.200", "0.500", "2.40", "0.800", "0.500", "4.0")
    assert all(len(row) == len(sheet.left) + len(sheet.right) for row in sheet.rows)
    data = headroom_document(STUDY, 1, found)
    assert data["trial"] == 1 and data["sources"]["big"]["proxy_loss"] == 1.0  # type: ignore[index, call-overload]
