"""Every figure can be drawn, told as a table, and written as numbers."""

import json
from collections.abc import Iterator

import pytest
from gallery import gallery

from mixtune.report.figures import FIGURES, Shown
from mixtune.report.figures.canvas import LONGEST, plain
from mixtune.report.figures.dots import Dot
from mixtune.report.figures.ternary import corner

SHOWN = {shown.name: shown for shown in gallery().story.figures}


def test_the_gallery_has_every_figure_under_its_own_name() -> None:
    assert list(SHOWN) == list(FIGURES)


def values(shown: Shown) -> Iterator[object]:
    for trace in json.loads(shown.draw().to_json())["data"]:
        for key in ("x", "y", "z", "a"):
            yield from (value for value in trace.get(key) or () if value is not None)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_something_to_draw_in_at_least_one_trace(name: str) -> None:
    assert any(True for _ in values(SHOWN[name]))


@pytest.mark.parametrize("name", FIGURES)
def test_a_table_has_a_cell_for_each_of_its_columns(name: str) -> None:
    sheet = SHOWN[name].sheet
    assert sheet.title and sheet.rows
    assert {len(row) for row in sheet.rows} == {len(sheet.left) + len(sheet.right)}


@pytest.mark.parametrize("name", FIGURES)
def test_numbers_are_plain_texts_and_numbers(name: str) -> None:
    shown = SHOWN[name]
    assert shown.cells
    for cells in shown.cells:
        assert len(cells) == len(shown.header)
        json.dumps(cells, allow_nan=False)


def test_marks_on_a_bar_have_a_rim_that_sets_them_off() -> None:
    traces = {trace["name"]: trace for trace in json.loads(SHOWN["weights"].draw().to_json())["data"]}
    for name in ("proportional", "uniform"):
        assert "open" not in traces[name]["marker"]["symbol"]
        assert traces[name]["marker"]["line"] == {"color": "var(--paper)", "width": 2}


def test_both_marks_of_a_source_are_seen() -> None:
    places = [trace["y"] for trace in json.loads(SHOWN["audit"].draw().to_json())["data"] if trace["y"]]
    assert places == [[-0.17], [0.17]]


def test_a_long_name_at_a_corner_has_two_lines() -> None:
    assert corner("scikit-learn") == "scikit-learn"
    assert corner("pandas-long-name") == "pandas-long-<br>name"
    assert corner("x" * 40).split("<br>")[0] == "x" * 12


@pytest.mark.parametrize("name", FIGURES)
def test_colours_are_those_of_the_pages_theme(name: str) -> None:
    text = SHOWN[name].draw().to_json()
    assert '"#' not in text, "a colour by itself would not follow the theme"


def test_a_long_name_is_cut_in_its_middle() -> None:
    assert plain("a" * 30 + "z" * 30) == "a" * 14 + "…" + "z" * (LONGEST - 15)


def test_markup_in_a_name_is_text() -> None:
    assert plain("<b>bold</b> & co") == "&lt;b&gt;bold&lt;/b&gt; &amp; co"


@pytest.mark.parametrize(
    "low, high, colour", [(0.1, 0.2, "var(--accent)"), (-0.2, -0.1, "var(--minus)"), (-0.1, 0.1, "var(--muted)")]
)
def test_the_colour_of_an_interval_says_whether_it_holds_zero(low: float, high: float, colour: str) -> None:
    assert Dot("x", (low + high) / 2, low, high).colour == colour
