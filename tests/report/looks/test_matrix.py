import json
from dataclasses import replace

import pytest
from listing import look, runs
from pydantic import JsonValue as Json

from mixtune.report.looks.collected import Looks, is_look, kind_of, look_document, look_sheets, looks
from mixtune.report.looks.matrix import Matrix, matrix, matrix_document, matrix_sheets
from mixtune.target import Target

SCORES: dict[str, list[float | None]] = {
    "proportional": [0.30, 0.32],
    "big alone": [0.20, 0.21],
    "small alone": [0.50, 0.53],
}
NOTES: dict[str, dict[str, Json]] = {
    "big alone": {"alone": "big", "influence": {"easy": -0.05, "hard": -0.01}},
    "small alone": {"alone": "small", "influence": {"easy": 0.1}},
}


@pytest.fixture
def found() -> Matrix:
    result = matrix(look("matrix"), runs(SCORES, NOTES, base=0.1))
    assert result is not None
    return result


def test_cells_are_differences_to_the_base_model_and_to_proportional(found: Matrix) -> None:
    cell = found.cells["small"]["easy"]
    assert found.base["easy"] == pytest.approx(0.15)
    assert cell.base.value == pytest.approx(0.515 + 0.05 - 0.15)
    assert cell.proportional.value == pytest.approx(0.515 - 0.31)
    assert cell.base.half is not None and cell.proportional.half is not None
    assert (cell.influence, found.cells["small"]["hard"].influence) == (0.1, None)


def test_the_tables_show_influence_beside_the_measured_effect(found: Matrix) -> None:
    first, second = matrix_sheets(look("matrix"), found)
    assert first.right == ("easy", "influence", "hard", "influence")
    assert first.rows[0] == ("small", "+0.4150", "+10.00%", "+0.4150", "-")
    assert first.rows[1][0] == "big"
    assert first.caption.startswith("2 seeds, 95 %: easy ± 0.0")
    assert second.rows[0] == ("small", "+0.2050", "+0.2050")
    assert "proportional: easy 0.3600, hard 0.2600" in second.caption


def test_of_many_targets_the_lowest_and_highest_are_shown(found: Matrix) -> None:
    names = ("easy", "hard", "third", "fourth")
    study = replace(look("matrix"), targets=tuple(Target(name, "docstrings", name) for name in names))
    cells = {source: {name: own["easy"] for name in names} for source, own in found.cells.items()}
    cells["big"]["third"] = cells["small"]["easy"]
    (sheet,) = matrix_sheets(study, replace(found, cells=cells))
    assert sheet.right == ("all", "lowest", "highest")
    assert sheet.rows[1] == ("big", "+0.1825", "+0.1050 easy", "+0.4150 third")


def test_without_the_survey_or_proportional_there_is_no_matrix() -> None:
    assert matrix(look("matrix"), runs(SCORES, NOTES)) is None
    assert matrix(look("matrix"), runs({"big alone": [0.5]}, NOTES, base=0.1)) is None


def test_one_seed_says_that_noise_is_not_known() -> None:
    result = matrix(look("matrix"), runs({label: row[:1] for label, row in SCORES.items()}, NOTES, base=0.1))
    assert result is not None
    assert next(iter(matrix_sheets(look("matrix"), result))).caption.startswith("1 seed, 95 %: not known")


def test_json_has_every_cell(found: Matrix) -> None:
    document = json.loads(json.dumps(matrix_document(found)))
    assert document["cells"]["big"]["easy"]["influence"] == -0.05
    assert document["base"]["easy"] == pytest.approx(0.15)


def test_looks_are_told_apart_by_their_names(found: Matrix) -> None:
    parts = [(look("matrix"), runs(SCORES, NOTES, base=0.1)), (look("fidelity"), runs({"a": [0.1]}))]
    told = looks(parts)
    assert told == Looks(matrix=found)
    assert [kind_of(study) for study, _ in parts] == ["matrix", "fidelity"]
    assert kind_of(look("fidelity.larger")) == "fidelity"
    assert is_look(look("audit")) and not is_look(
        replace(look("audit"), search=replace(look("audit").search, algorithm="tpe"))
    )
    assert len(list(look_sheets(look("matrix"), told))) == 2
    assert look_document(told)["audit"] is None and look_document(told)["matrix"] is not None


def test_a_look_that_has_not_been_prepared_tells_nothing() -> None:
    assert looks([(replace(look("matrix"), preparation=None), [])]) == Looks()
