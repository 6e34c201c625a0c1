import dataclasses
import json
from pathlib import Path

import pytest

from mixtune.contamination import PARTS, Decontaminate, Overlap, Shared
from mixtune.errors import DataError
from mixtune.prompts import Prompts
from mixtune.proxy import Proxy
from mixtune.search import Budget, Search
from mixtune.source import Source
from mixtune.study import Study
from mixtune.target import Target
from mixtune.training.data.texts import JudgedQueries, SourceText, TargetText
from mixtune.training.preparing.contamination import cleaned_texts, contamination_of, find_shared, left_out, shared_rows

NEAR = (
    "which of the twenty small packages in the old warehouse by the river were sent out before the end of this summer"
)
ALIKE = NEAR.replace("summer", "spring")
DOCUMENT = "All parcels leave the warehouse on Mondays; whatever arrives later waits for a week in the cellar below it."

TASK = TargetText(
    corpus=(DOCUMENT, "About cats and how they sleep.", "Judged for test alone.", "Never judged at all."),
    dev=JudgedQueries(("how do cats sleep", NEAR), ({1: 1.0}, {0: 1.0})),
    test=JudgedQueries(("what is tested here", "how do cats sleep?"), ({2: 1.0}, {1: 0.0, 2: 1.0})),
)


def source(*rows: tuple[str, str], negatives: tuple[tuple[str, ...], ...] = ()) -> SourceText:
    queries, documents = zip(*rows, strict=True)
    return SourceText(queries, documents, queries, negatives=negatives)


ROWS = source(
    ("How do cats sleep?!", "on the sofa"),  # 0: a dev query and a test query, but for case and punctuation
    (ALIKE, "in spring"),  # 1: near to a dev query
    ("where do parcels go", DOCUMENT.upper()),  # 2: a judged document of dev
    ("what else", "Judged for test   alone"),  # 3: a judged document of test
    ("unrelated", "Never judged at all."),  # 4: in the corpus, but held out for nothing
    ("What is tested here", DOCUMENT.replace("Mondays", "Tuesday")),  # 5: a test query; near to a document of dev
)


def quiet(done: int, total: int) -> None:
    pass


def test_rows_are_counted_by_what_they_hold() -> None:
    found = shared_rows(ROWS, Prompts(), {"task": (TASK, Prompts())}, quiet)["task"]
    assert found.exact == {
        "dev_queries": (0,),
        "test_queries": (0, 5),
        "dev_documents": (2,),
        "test_documents": (3,),
        "negatives": (),
    }
    assert found.near == {**dict.fromkeys(PARTS, ()), "dev_queries": (1,), "dev_documents": (5,)}
    assert found.overlap == Overlap(
        dev_queries=Shared(1, 1), test_queries=Shared(2), dev_documents=Shared(1, 1), test_documents=Shared(1)
    )


def test_a_hard_negative_that_is_held_out_is_counted_by_itself() -> None:
    rows = source(("a", "b"), ("c", "d"), negatives=(("x", "About cats, and how they sleep"), ("y", "z")))
    found = shared_rows(rows, Prompts(), {"task": (TASK, Prompts())}, quiet)["task"]
    assert found.overlap == Overlap(negatives=Shared(1))
    assert found.exact["negatives"] == (0,)


def test_a_document_that_is_a_held_out_query_counts_too() -> None:
    found = shared_rows(source(("a", "how do cats sleep"), ("b", "c")), Prompts(), {"t": (TASK, Prompts())}, quiet)
    assert found["t"].exact["dev_queries"] == (0,)


def test_prompts_are_taken_off() -> None:
    prompts, others = Prompts("query: ", "passage: "), Prompts("search: ", "text: ")
    found = shared_rows(ROWS.prompted(prompts), prompts, {"task": (TASK.prompted(others), others)}, quiet)
    assert found == shared_rows(ROWS, Prompts(), {"task": (TASK, Prompts())}, quiet)


def test_targets_are_told_apart() -> None:
    other = TargetText(("x",), JudgedQueries(("unrelated",), ({0: 1.0},)), JudgedQueries(("none",), ({0: 1.0},)))
    found = shared_rows(ROWS, Prompts(), {"other": (other, Prompts()), "task": (TASK, Prompts())}, quiet)
    assert found["other"].overlap == Overlap(dev_queries=Shared(1))
    assert found["task"].exact["test_queries"] == (0, 5)


def write(folder: Path) -> Study:
    """ROWS as a source of JSON lines, and TASK as a BEIR folder."""
    (folder / "task" / "qrels").mkdir(parents=True)
    (folder / "rows.jsonl").write_text(
        "\n".join(json.dumps({"query": q, "positive": d}) for q, d in zip(ROWS.queries, ROWS.documents, strict=True))
    )
    corpus = [{"_id": f"d{i}", "title": "", "text": text} for i, text in enumerate(TASK.corpus)]
    (folder / "task" / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)))
    queries = []
    for split, part in (("dev", TASK.dev), ("test", TASK.test)):
        lines = ["query-id\tcorpus-id\tscore"]
        for number, (text, judged) in enumerate(zip(part.queries, part.judgements, strict=True)):
            queries.append({"_id": f"{split}{number}", "text": text})
            lines += [f"{split}{number}\td{place}\t{grade:g}" for place, grade in judged.items()]
        (folder / "task" / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    (folder / "task" / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    return Study(
        name="held",
        sources=(Source("rows", "jsonl", str(folder / "rows.jsonl")), Source("off", "jsonl", "nowhere", weight=0.0)),
        targets=(Target("task", "beir", str(folder / "task")),),
        search=Search("uniform"),
        budget=Budget(trials=1),
        proxy=Proxy(max_length=16, precision="fp32"),
    )


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return write(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(
    ("asked", "rows"), [("none", ()), ("queries", (0, 1, 5)), ("all", (0, 1, 2, 3, 5))], ids=["none", "queries", "all"]
)
def test_the_key_says_which_rows_go(study: Study, tmp_path: Path, asked: str, rows: tuple[int, ...]) -> None:
    asking = dataclasses.replace(study, decontaminate=Decontaminate(asked))
    found = find_shared(asking, tmp_path, silent, source_text=lambda _: ROWS, target_text=lambda _: TASK)
    assert left_out(asking, found) == {"rows": rows}
    record = contamination_of(asking, found, left_out(asking, found))
    assert record.overlaps["rows"]["task"].queries == 4  # counted as the rows were read, whatever is taken out
    assert record.removed == ({"rows": len(rows)} if rows else {})


def test_what_is_left_is_what_the_study_reads(study: Study) -> None:
    asking = dataclasses.replace(study, decontaminate=Decontaminate.QUERIES)
    read = cleaned_texts(asking, {"rows": (0, 1, 5)}, source_text=lambda _: ROWS, target_text=lambda _: TASK)
    assert read.sources["rows"].queries == ("where do parcels go", "what else", "unrelated")
    assert read.targets["task"] == TASK


def test_a_source_of_which_nothing_would_be_left_is_refused(study: Study) -> None:
    asking = dataclasses.replace(study, decontaminate=Decontaminate.ALL)
    with pytest.raises(DataError, match=r"'rows': `decontaminate: all` takes 5 of its 6 rows out.*leaves 1; 2 must be"):
        cleaned_texts(asking, {"rows": (0, 1, 2, 3, 5)}, source_text=lambda _: ROWS, target_text=lambda _: TASK)


def test_a_refused_source_is_not_sent_to_a_setting_that_may_take_the_same_rows(study: Study) -> None:
    asking = dataclasses.replace(study, decontaminate=Decontaminate.ALL)
    with pytest.raises(DataError, match=r"copies or near-duplicates.*or leave `decontaminate` out") as told:
        cleaned_texts(asking, {"rows": (0, 1, 2, 3, 5)}, source_text=lambda _: ROWS, target_text=lambda _: TASK)
    assert "queries" not in str(told.value)


def test_a_pair_is_compared_once(study: Study, tmp_path: Path) -> None:
    first = find_shared(study, tmp_path, silent, source_text=lambda _: ROWS, target_text=lambda _: TASK)

    def never(_: object) -> SourceText:
        raise AssertionError("read again")

    again = find_shared(study, tmp_path, silent, source_text=never, target_text=never)  # type: ignore[arg-type]
    assert again == first and first["rows"]["task"].overlap.found


def test_a_new_target_is_compared_by_itself(study: Study, tmp_path: Path) -> None:
    find_shared(study, tmp_path, silent, source_text=lambda _: ROWS, target_text=lambda _: TASK)
    read: list[str] = []

    def target_text(target: Target) -> TargetText:
        read.append(target.name)
        return TASK

    swapped = dataclasses.replace(study.targets[0], name="swapped", dev="test", test="dev")
    more = dataclasses.replace(study, targets=(*study.targets, swapped))
    find_shared(more, tmp_path, silent, source_text=lambda _: ROWS, target_text=target_text)
    assert read == ["swapped"]
