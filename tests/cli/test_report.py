import json

import pytest
from desk import STUDY, Desk


def test_a_report_is_one_file_told_by_its_ending(done: Desk) -> None:
    out = done.folder / "report.html"
    result = done("report", "duo", "--out", str(out))
    assert result.exit_code == 0, result.output
    text = out.read_text()
    assert text.startswith("<!doctype html>") and 'data-figure="weights"' in text
    assert "Wrote" in result.stderr and result.stdout == ""


def test_without_a_place_tables_are_printed(done: Desk) -> None:
    result = done("report", "duo")
    assert result.exit_code == 0, result.output
    for words in ("How much of each source", "Test ndcg@10 per target", "What it cost", "mixtune run duo.yaml"):
        assert words in result.output


@pytest.mark.parametrize("words", [("--format", "json"), ("--json",)])
def test_json_goes_to_standard_output(done: Desk, words: tuple[str, ...]) -> None:
    (found,) = json.loads(done("report", "duo", *words).stdout)
    weights = {row[0]: row[1] for row in found["figures"]["weights"]["rows"]}
    assert weights == {"alpha": 0.8, "beta": 0.2}


def test_markdown_is_printed_or_written(done: Desk) -> None:
    printed = done("report", "duo", "--format", "md").stdout
    assert printed.startswith("# duo\n")
    out = done.folder / "report.md"
    assert done("report", "duo", "--out", str(out)).exit_code == 0
    assert out.read_text() == printed


def test_a_report_holds_the_study_file_that_makes_the_study_again(done: Desk) -> None:
    (found,) = json.loads(done("report", "duo", "--json").stdout)
    result = done("run", done.write(found["study_file"]))
    assert result.exit_code == 0, result.output  # the same specification: a complete study, nothing to do
    printed = done("report", "duo", "--format", "md").stdout
    assert found["study_file"] in printed


def test_csv_is_a_file_per_figure(done: Desk) -> None:
    result = done("report", "duo", "--format", "csv", "--out", str(done.folder / "numbers"))
    assert result.exit_code == 0, result.output
    assert (done.folder / "numbers" / "weights.csv").read_text().startswith("source,tuned,")


def test_one_figure_can_be_asked_for(done: Desk) -> None:
    output = done("report", "duo", "--figure", "cost").output
    assert "What it cost" in output and "How much of each source" not in output


@pytest.mark.parametrize(
    "words, said",
    [
        (("duo", "--format", "jsn"), "no report format 'jsn'; did you mean 'json'? known: html, md, json, csv"),
        (("duo", "--out", "report.docx"), "'report.docx' does not say which format is meant: end it in .html"),
        (("duo", "--format", "html"), "a report as html is written, not printed: say where with --out report.html"),
        (("duo", "--format", "csv"), "say where with --out report"),
        (("duo", "--figure", "wieghts"), "'duo' has no figure 'wieghts'; did you mean 'weights'? it has answer,"),
        (("duo", "--figure", "fidelity"), "'duo' has no numbers for the figure 'fidelity' yet; it has answer,"),
        (("duo", "--figure", "duels"), "the figure 'duels' is one of a comparison, and 'duo' is a study; it has"),
        (("duo", "--figure", "answers"), "the figure 'answers' shows several studies"),
        (("duo", "--png", "report.jpg"), "'report.jpg' is no place for a picture, which is a PNG file"),
        (("duo", "--format", "md", "--out", "report.html"), "'report.html' ends as html and the format is md"),
        (("duo", "--format", "csv", "--out", "a.json"), "'a.json' ends as json and the format is csv"),
        (("dou",), "there is no study 'dou'"),
    ],
)
def test_a_mistake_is_told_with_what_is_allowed(done: Desk, words: tuple[str, ...], said: str) -> None:
    result = done("report", *words)
    assert result.exit_code == 1
    assert said in result.stderr


def test_an_empty_place_is_refused(done: Desk) -> None:
    result = done("report", "duo", "--out", "")
    assert result.exit_code == 2
    assert "it is empty" in result.stderr


def test_a_picture_that_cannot_be_written_is_told_of_its_own_option(
    done: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixtune.report.page.picture.picture", lambda *_: b"png")
    (done.folder / "taken.png").mkdir()
    result = done("report", "duo", "--png", str(done.folder / "taken.png"))
    assert result.exit_code == 1
    assert "give another --png" in result.stderr


def test_the_json_of_one_figure_is_that_figure(done: Desk) -> None:
    (found,) = json.loads(done("report", "duo", "--figure", "weights", "--json").stdout)
    assert list(found) == ["name", "answer", "figures"]
    assert list(found["figures"]) == ["weights"]


def test_a_page_of_one_figure_has_no_empty_section(done: Desk) -> None:
    out = done.folder / "one.html"
    assert done("report", "duo", "--figure", "weights", "--out", str(out)).exit_code == 0
    text = out.read_text()
    assert 'data-section="provenance"' not in text and 'data-section="reproduce"' in text


def test_the_answers_of_several_studies_are_a_figure_of_their_own(done: Desk) -> None:
    assert done("run", done.write(STUDY.replace("name: duo", "name: other"))).exit_code == 0
    (found,) = json.loads(done("report", "duo", "other", "--figure", "answers", "--json").stdout)
    assert [row[0] for row in found["figures"]["answers"]["rows"]] == ["duo", "other"]
    printed = done("report", "duo", "other", "--figure", "answers").output
    assert "Gain over proportional sampling, study by study" in printed and "other: " in printed
    out = done.folder / "both.html"
    assert done("report", "duo", "other", "--figure", "answers", "--out", str(out)).exit_code == 0
    assert out.read_text().count("<article") == 1


def test_a_picture_is_of_one_study(done: Desk) -> None:
    assert done("run", done.write(STUDY.replace("name: duo", "name: other"))).exit_code == 0
    result = done("report", "duo", "other", "--png", "x.png")
    assert result.exit_code == 1
    assert "a picture shows one study, not 2" in result.stderr


def test_several_studies_stand_in_one_page_with_their_answers_first(done: Desk) -> None:
    assert done("run", done.write(STUDY.replace("name: duo", "name: other"))).exit_code == 0
    out = done.folder / "both.html"
    assert done("report", "duo", "other", "--out", str(out)).exit_code == 0
    text = out.read_text()
    assert text.index("2 answers") < text.index('<article id="s0">') < text.index('<article id="s1">')
