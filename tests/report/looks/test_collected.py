"""Which looks are of an earlier recommendation than the current one."""

from dataclasses import replace

import pytest
from ledger import STUDY
from listing import EVEN, look, runs
from pydantic import JsonValue as Json

from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe
from mixtune.report.looks.collected import Looks, dated, look_document, look_sheets, looks

OTHER = Recipe(Mixture({"big": 0.3, "small": 0.7}))
PRUNED = replace(EVEN, pruning=Pruning({"big": 0.5}))
NOTES: dict[str, dict[str, Json]] = {"big alone": {"alone": "big"}, "small alone": {"alone": "small"}}


@pytest.fixture
def found() -> Looks:
    """A matrix that ran EVEN, which stands for all of its mixtures here."""
    scores = {"proportional": [0.5], "big alone": [0.4], "small alone": [0.3]}
    result = looks([(look("matrix"), runs(scores, NOTES, base=0.1))])
    assert result.matrix is not None
    return result


def test_a_matrix_does_not_depend_on_the_weights_that_are_recommended(found: Looks) -> None:
    assert dated(found, STUDY, OTHER, finished=True).earlier == {}


def test_a_matrix_of_other_pruning_is_of_an_earlier_recommendation(found: Looks) -> None:
    told = dated(found, STUDY, PRUNED, finished=True)
    assert told.earlier.keys() == {"matrix"}
    assert told.earlier["matrix"].endswith("`mixtune rm duo.matrix && mixtune audit duo --matrix`.")
    first, *others = look_sheets(STUDY, told)
    assert first.lines[0] == told.earlier["matrix"]
    assert not any(told.earlier["matrix"] in sheet.lines for sheet in others)
    assert look_document(told)["matrix"]["earlier"] == told.earlier["matrix"]  # type: ignore[index, call-overload]


def test_what_is_still_searched_on_can_be_looked_into_again_only_when_it_has_finished(found: Looks) -> None:
    told = dated(found, STUDY, PRUNED, finished=False)
    assert "once the study has finished, `mixtune rm duo.matrix" in told.earlier["matrix"]


def test_a_look_itself_and_a_study_without_a_recommendation_mark_nothing(found: Looks) -> None:
    assert dated(found, look("matrix"), PRUNED, finished=True).earlier == {}
    assert dated(found, STUDY, None, finished=True).earlier == {}
