"""A report in other forms than a page: Markdown, CSV and JSON."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gallery import gallery
from ledger import Ledger

from mixtune.report.figures import FIGURES
from mixtune.report.page.html import page
from mixtune.report.page.markdown import markdown
from mixtune.report.page.story import story, story_document
from mixtune.report.page.tabular import csv_files
from mixtune.search import Search
from mixtune.source import Source

FULL = gallery().story


def test_markdown_begins_with_the_answer_and_has_every_table() -> None:
    lines = markdown([FULL]).splitlines()
    assert lines[:3] == ["# gallery", "", f"**{FULL.answers[0].replace('[', chr(92) + '[')}**"]
    titles = {line.removeprefix("## ") for line in lines if line.startswith("## ")}
    assert {sheet.title for sheet in FULL.sheets} <= titles


def test_markdown_takes_no_name_for_markup() -> None:
    text = markdown([gallery(("a|b", "<i>x", "*y*")).story])
    row = next(line for line in text.splitlines() if line.startswith("| a\\|b |"))
    assert row.replace("\\|", "").count("|") == 7
    assert "\\<i>x" in text and "\\*y\\*" in text


def test_csv_has_a_file_per_figure_with_its_numbers_in_full() -> None:
    files = csv_files([FULL], Path("out"))
    assert {path.name for path in files} == {f"{name}.csv" for name in FIGURES}
    rows = list(csv.DictReader(io.StringIO(files[Path("out/weights.csv")])))
    assert next((row["source"], row["tuned"], row["expert"]) for row in rows) == ("c", "0.5", "")


def test_csv_of_several_studies_has_a_folder_each() -> None:
    assert Path("out/gallery/weights.csv") in csv_files([FULL, FULL], Path("out"))


def test_the_json_is_plain_and_holds_the_numbers_of_every_figure() -> None:
    found = json.loads(json.dumps(story_document(FULL), allow_nan=False))
    assert found["answer"] == FULL.answers[0]
    assert list(found["figures"]) == list(FIGURES)
    assert found["specification"]["search"] == {"algorithm": "tpe", "settings": {}}


def test_the_commands_that_reproduce_a_study_pin_what_ran_it() -> None:
    assert FULL.commands[0] == "pip install numpy==2.4.6 torch==2.13.0"
    assert "mixtune run gallery.yaml" in FULL.commands


def test_the_commands_make_the_looks_again_before_the_report() -> None:
    assert FULL.commands[1:-1] == (
        "mixtune run gallery.yaml",
        "mixtune audit gallery",
        "mixtune audit gallery --matrix",
        "mixtune fidelity gallery",
        "mixtune report gallery --out gallery.html",
    )


def test_a_look_is_made_by_its_own_command_and_from_no_file_of_its_own() -> None:
    found = gallery()
    study = replace(found.study, name="gallery.matrix", of="gallery", search=Search("listed"))
    told = story(replace(found.told, study=study), found.trials, "name: gallery.matrix\n")
    assert told.commands[1:] == (
        "mixtune run gallery.yaml",
        "mixtune audit gallery --matrix",
        "mixtune report gallery.matrix --out gallery.matrix.html",
    )
    assert "gallery.matrix.yaml" not in page([told]) + markdown([told])
    assert story_document(told)["study_file"] is None
    assert "weights" not in [shown.name for shown in told.figures]


def test_packages_whose_docstrings_are_the_data_are_pinned() -> None:
    found = gallery()
    prepared = found.study.preparation
    assert prepared is not None
    sources = (
        Source("a", "docstrings", "plotly.graph_objects"),
        Source("b", "docstrings", "stdlib"),
        Source("c", "docstrings", "no_such_package"),
    )
    facts = {name: replace(each, revision="1.2.3") for name, each in prepared.sources.items()}
    study = replace(found.study, sources=sources, preparation=replace(prepared, sources=facts))
    commands = story(replace(found.told, study=study), found.trials, "").commands
    assert commands[0] == "pip install numpy==2.4.6 plotly==1.2.3 torch==2.13.0"


def test_the_answer_goes_on_with_how_often_test_was_read_and_with_repeated_sources() -> None:
    assert "Test was read once, for this recommendation." in FULL.answers
    (warning,) = (line for line in FULL.answers if line.startswith("Warning: "))
    assert "more than 8 epochs" in warning and "c 16.0" in warning


def test_markdown_lists_what_follows_the_answer() -> None:
    lines = markdown([FULL]).splitlines()
    assert [line[:2] for line in lines[4 : 4 + len(FULL.answers)]] == ["- "] * (len(FULL.answers) - 1) + [""]


def test_a_panel_says_more_than_a_figures_own_table_and_is_shown_once() -> None:
    titles = [sheet.title for sheet in FULL.sheets]
    assert len(titles) == len(set(titles))


def test_a_study_without_any_result_can_be_told(opened: Ledger, judged: Callable[[float], Ledger]) -> None:
    opened.recommended = None
    told = story(opened.summary(), opened.trials, "")
    assert told.answers == ("Nothing to recommend yet.",) and told.mark == "open" and told.gain is None
    other = judged(0.0)
    other.recommended = Ledger().recommended
    assert story(other.summary(), other.trials, "").mark == "no"
