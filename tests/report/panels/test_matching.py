from dataclasses import replace

import pytest
from ledger import STUDY, TUNED, UNIFORM

from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role
from mixtune.report.panels.headroom import Headroom
from mixtune.report.panels.headroom import warnings as headroom_warnings
from mixtune.report.panels.matching import Matching, matching, matching_document, matching_sheet, warnings
from mixtune.trial import Trial, TrialState


def survey(matched: dict[str, float]) -> Trial:
    return Trial(
        0, Proposal(UNIFORM, 0, Role.SURVEY), 0, state=TrialState.COMPLETE, measurement=Measurement(matched=matched)
    )


def test_what_the_survey_found_stands_beside_the_recommended_weights() -> None:
    found = matching(STUDY, [survey({"big": 0.9, "small": 0.2})], TUNED)
    assert found == {"big": Matching(0.9, 0.1, 0.75), "small": Matching(0.2, 0.9, 0.25)}
    assert matching_sheet(found).rows == (("small", "20%", "0.900", "0.250"), ("big", "90%", "0.100", "0.750"))


def test_without_a_survey_that_looked_for_it_there_is_no_such_panel() -> None:
    assert matching(STUDY, [survey({})], TUNED) == matching(STUDY, [], TUNED) == {}
    unfinished = replace(survey({"big": 1.0}), state=TrialState.RUNNING)
    assert matching(STUDY, [unfinished], TUNED) == {}


def test_before_a_recommendation_there_are_no_weights_and_no_warning() -> None:
    found = matching(STUDY, [survey({"big": 0.1, "small": 0.1})], None)
    assert found["big"].weight is None and matching_sheet(found).rows[0][2] == "-"
    assert matching_sheet(found).lines == ()


@pytest.mark.parametrize(
    ("share", "weight", "warned"), [(0.59, 0.26, True), (0.6, 0.26, False), (0.59, 0.25, False), (0.1, 0.05, False)]
)
def test_more_weight_than_by_size_on_a_mismatched_source_is_warned_of(
    share: float, weight: float, warned: bool
) -> None:
    found = {"small": Matching(share, weight, 0.25)}
    assert bool(list(warnings(found))) is warned
    assert matching_document(found)["warnings"] == list(warnings(found))


def test_the_warning_names_source_weights_and_share_and_allows_for_unknown_languages() -> None:
    (line,) = warnings({"small": Matching(0.12, 0.5, 0.25)})
    assert line.startswith("Warning: small gets 0.500 of the batches (0.250 in proportion to size)")
    assert "only 12% of its pairs seem to belong together" in line and "language" in line


def test_a_rule_that_raises_a_mismatched_source_is_warned_of_though_nothing_was_permuted_on_purpose() -> None:
    raised, lowered = Headroom(1.0, 0.5, 2.0, 0.8, 0.5, 1.0, 0.3), Headroom(1.0, 0.5, 2.0, 0.2, 0.5, 1.0, 0.3)
    (line,) = headroom_warnings(STUDY, {"big": raised, "small": lowered})
    assert line.startswith("Warning: big has 1.6 times its starting weight") and "only 30% of its pairs" in line
    assert list(headroom_warnings(STUDY, {"big": replace(raised, matched=0.9)})) == []
    assert list(headroom_warnings(STUDY, {"big": replace(raised, matched=None)})) == []
