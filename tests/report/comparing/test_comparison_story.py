import json
from dataclasses import replace
from pathlib import Path

import pytest
from arena import COMPARISON, member
from browser import DRAWN, Browser

from mixtune.report.comparing.compared import compared
from mixtune.report.page.html import page
from mixtune.report.page.story import Story, comparison_story


def told(a: float, b: float) -> Story:
    members = [member(label, replicate, level) for replicate in range(3) for label, level in (("a", a), ("b", b))]
    return comparison_story(compared(COMPARISON, members), "name: x\n")


def test_a_comparisons_figures_hold_its_pairs_results_curves_and_ranks() -> None:
    story = told(0.5, 0.1)
    rows = {shown.name: shown.cells for shown in story.figures}
    assert list(rows) == ["results", "duels", "curves", "ranks"]
    assert rows["duels"][0][:3] == ("a", "uniform", pytest.approx(0.2))
    assert [cells[:2] for cells in rows["results"]] == [
        ("a", pytest.approx(0.655)),
        ("uniform", pytest.approx(0.455)),
        ("proportional", pytest.approx(0.355)),
        ("b", pytest.approx(0.255)),
    ]
    # Each search scored .3 after 1.5 fresh runs and never better.
    assert [cells[:3] for cells in rows["curves"] if cells[0] == "a"] == [("a", 1.5, 0.3), ("a", 3.0, 0.3)]
    assert rows["ranks"][:3] == [("a", replicate, 1.0, 1.0) for replicate in range(3)]


def test_a_single_replicate_has_no_interval_around_its_curve() -> None:
    found = compared(COMPARISON, [member("a", 0, 0.5), member("b", 0, 0.1)])
    shown = next(each for each in comparison_story(found, "").figures if each.name == "curves")
    assert {cells[-2:] for cells in shown.cells} == {(None, None)}
    drawn = json.loads(shown.draw().to_json())["data"]
    assert len(drawn) == len({cells[0] for cells in shown.cells})
    assert all("fill" not in trace and "error_y" not in trace for trace in drawn)


def test_a_winner_is_marked_and_no_winner_is_not() -> None:
    assert told(0.5, 0.1).mark == "yes"
    assert told(0.5, 0.5).mark == "open"


def test_a_table_that_a_figure_shows_is_not_shown_again() -> None:
    story = told(0.5, 0.1)
    assert {shown.sheet.title for shown in story.figures}.isdisjoint(panel.title for panel in story.panels)
    assert len(story.panels) == 3


def test_a_comparison_says_what_to_install_and_what_data_it_read() -> None:
    one = replace(member("a", 0, 0.5), versions={"torch": "2.13.0+cpu", "mixtune": "0.1.0", "python": "3.11.7"})
    story = comparison_story(compared(COMPARISON, [one]), "name: x\n")
    assert story.commands[:2] == ("pip install torch==2.13.0", f"mixtune compare {COMPARISON.name}.yaml")
    assert [sheet.title for sheet in story.provenance] == ["Sources as read", "Targets as read", "Searches"]
    assert story.document is not None and story.document["versions"] == one.versions


def test_a_comparison_without_any_result_can_be_told() -> None:
    story = comparison_story(compared(COMPARISON, []), "")
    assert story.figures == () and story.answers == ("Nothing to compare yet.",)


def test_every_figure_of_a_comparison_has_data_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page([told(0.5, 0.1)]), encoding="utf-8")
    browser.open(file)
    assert browser.complaints == []
    drawn = browser.value(DRAWN)
    assert list(drawn) == ["results", "duels", "curves", "ranks"] and all(drawn.values())
