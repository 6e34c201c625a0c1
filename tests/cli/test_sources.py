import json

import pytest
from desk import Desk

STUDY = """\
name: seen
sources:
  faq: {kind: beir, path: faq, limit: 4}
  manual: {kind: beir, path: manual}
targets:
  goal: {kind: beir, path: goal}
search: {algorithm: random}
budget: {trials: 3}
"""

QUESTIONS = {
    "faq": ["How do I reset my password?", "Where do I find my invoices?", "Can I change my plan?", "Who is it for?"],
    "manual": ["How do I reset my password?", "What does [bold]the red light[/bold] mean?", "Wie geht es weiter?"],
    "goal": ["How do I pay?", "How do I leave?"],
}


@pytest.fixture
def seen(desk: Desk) -> str:
    for name, questions in QUESTIONS.items():
        place = desk.folder / name
        (place / "qrels").mkdir(parents=True)
        corpus = [{"_id": f"d{n}", "text": f"The answer to this is a long one: {q}"} for n, q in enumerate(questions)]
        queries = [{"_id": f"q{n}", "text": text} for n, text in enumerate(questions)]
        (place / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)))
        (place / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
        for split, rows in {"train": range(len(questions)), "dev": [0], "test": [1]}.items():
            lines = [f"q{row}\td{row}\t1" for row in rows]
            (place / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n")
    return desk.write(STUDY)


def test_sources_tells_programs_all_it_knows(desk: Desk, seen: str) -> None:
    result = desk("sources", seen, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {name: each["rows"] for name, each in found["sources"].items()} == {"faq": 4, "manual": 3}
    assert found["sources"]["faq"]["shared"] == {"manual": 1}
    assert found["sources"]["faq"]["document_languages"] == {"en": 1.0}
    assert len(found["sources"]["faq"]["examples"]) == 2
    assert found["targets"]["goal"]["dev"] == {"queries": 1, "relevant": 1.0}


def test_sources_fits_80_columns_without_colour(desk: Desk, seen: str) -> None:
    output = desk("sources", seen).output
    assert max(map(len, output.splitlines())) <= 80
    assert "\x1b" not in output
    assert "1 pair also in source manual" in output


def test_the_table_counts_a_shared_row_once(desk: Desk, seen: str) -> None:
    again = STUDY.replace("targets:", "  help: {kind: beir, path: faq}\ntargets:")
    lines = [line.split() for line in desk("sources", desk.write(again)).output.splitlines()]
    begin = lines.index(["source", "rows", "queries", "repeated", "shared", "judged", "dropped"])
    rows = {line[0]: line[1:] for line in lines[begin + 1 : begin + 5] if len(line) == 7}
    assert {name: row[3] for name, row in rows.items()} == {"faq": "4", "manual": "1", "help": "4"}


def test_a_target_is_told_from_a_source_of_its_name(desk: Desk, seen: str) -> None:
    lines = [line.strip() for line in desk("sources", desk.write(STUDY.replace("goal:", "faq:"))).stdout.splitlines()]
    begin = lines.index("target")
    assert lines[begin + 1].startswith("faq ") and any(line.startswith("faq ") for line in lines[:begin])


def test_texts_are_shown_as_they_stand(desk: Desk, seen: str) -> None:
    output = desk("sources", seen).output
    found = json.loads(desk("sources", seen, "--json").stdout)
    examples = [text for each in found["sources"].values() for pair in each["examples"] for text in pair]
    assert all(text[:60] in output for text in examples)


def test_a_source_that_cannot_be_read_is_refused(desk: Desk, seen: str) -> None:
    (desk.folder / "manual" / "corpus.jsonl").write_text("{broken")
    result = desk("sources", seen)
    assert result.exit_code == 1
    assert "source 'manual': " in result.stderr and "corpus.jsonl" in result.stderr
