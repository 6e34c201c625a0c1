from dataclasses import replace

from ledger import STUDY, Ledger
from pydantic import TypeAdapter

from mixtune.contamination import Contamination, Decontaminate, Overlap, Shared
from mixtune.preparation import Preparation
from mixtune.report.document import document
from mixtune.report.panels.contamination import contamination_document, contamination_line, contamination_sheet
from mixtune.report.tables import corpus_lines

CLEAN = {name: {"easy": Overlap(), "hard": Overlap()} for name in ("big", "small")}
CORPUS = CLEAN | {"big": {"easy": Overlap(dev_documents=Shared(7)), "hard": Overlap()}}
LEAK = CORPUS | {"small": {"easy": Overlap(), "hard": Overlap(Shared(3, 1), Shared(0, 2))}}


def test_a_clean_study_is_said_to_be_clean() -> None:
    sheet = contamination_sheet(Contamination(CLEAN))
    assert sheet.rows == () and sheet.lines == ("No row holds a text of dev or test, or a near-duplicate of one.",)
    assert contamination_line(Contamination(CLEAN)) == "no row holds a dev or test query"


def test_shared_documents_alone_are_no_leak() -> None:
    sheet = contamination_sheet(Contamination(CORPUS))
    assert sheet.rows == (("big", "easy", "0", "0", "7 + 0", "0"),)
    (line,) = sheet.lines
    assert "no leak" in line and "Warning" not in line


def test_held_out_queries_are_warned_of_with_the_key_that_removes_them() -> None:
    sheet = contamination_sheet(Contamination(LEAK))
    assert sheet.rows[0] == ("small", "hard", "3 + 1", "0 + 2", "0", "0")
    (line,) = sheet.lines
    assert line.startswith("Warning") and "small (6 times)" in line and "decontaminate: queries" in line


def test_what_was_removed_is_said_and_no_longer_warned_of() -> None:
    found = Contamination(LEAK, {"small": 5}, Decontaminate.QUERIES)
    (line,) = contamination_sheet(found).lines
    assert "took 5 rows out" in line and "small 5" in line
    assert contamination_line(found).startswith("5 rows were left out")


def test_the_record_holds_every_pair_and_what_a_near_duplicate_is() -> None:
    found = contamination_document(Contamination(LEAK))
    assert found["overlaps"]["small"]["hard"]["dev_queries"] == {"exact": 3, "near": 1}  # type: ignore[index, call-overload]
    assert found["overlaps"]["big"].keys() == {"easy", "hard"}  # type: ignore[index, call-overload, union-attr]
    assert (found["width"], found["threshold"], found["decontaminate"]) == (5, 0.8, "none")


def test_it_is_part_of_a_studys_document_and_of_its_report() -> None:
    prepared = replace(STUDY.prepared, contamination=Contamination(LEAK))
    ledger = Ledger(study=replace(STUDY, preparation=prepared))
    assert document(ledger.summary())["panels"]["contamination"]["removed"] == {}  # type: ignore[index, call-overload]
    assert "Overlap      rows hold a dev or test query 6 times: see `mixtune show`" in list(corpus_lines(ledger.study))


def test_studies_from_before_it_was_counted_say_nothing() -> None:
    assert not any(line.startswith("Overlap") for line in corpus_lines(STUDY))
    kept = TypeAdapter(Preparation).dump_python(STUDY.prepared, mode="json")
    del kept["contamination"]
    assert TypeAdapter(Preparation).validate_python(kept) == STUDY.prepared
