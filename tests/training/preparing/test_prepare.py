import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mixtune.contamination import Decontaminate, Overlap, Shared
from mixtune.errors import DataError
from mixtune.preparation import Preparation
from mixtune.prompts import Prompts
from mixtune.proxy import Proxy
from mixtune.search import Budget, Search
from mixtune.source import Source
from mixtune.study import OFFLINE_MODEL, Study
from mixtune.target import Target
from mixtune.training.data.reading import read_source
from mixtune.training.data.texts import SourceText
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.encoding.models import resolve
from mixtune.training.encoding.textlog import digest
from mixtune.training.prepared import Split
from mixtune.training.preparing.prepare import load_prepared, prepare, used_rows

ANIMALS = ["cat", "dog", "cow", "hen", "fox", "owl", "bee", "ant", "eel", "elk", "yak", "ram"]


def silent(what: str, done: int, total: int) -> None:
    pass


def write_set(folder: Path, topic: str) -> str:
    """Twelve documents of two sentences; queries 0-3 are train, 4-7 dev (query 4 has two grades), 8-11 test."""
    (folder / "qrels").mkdir(parents=True)
    corpus = [
        {"_id": f"d{i}", "title": topic, "text": f"All about the {one} in {topic}."} for i, one in enumerate(ANIMALS)
    ]
    queries = [{"_id": f"q{i}", "text": f"{one} in {topic}?"} for i, one in enumerate(ANIMALS)]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for split, numbers in {"train": range(4), "dev": range(4, 8), "test": range(8, 12)}.items():
        lines = ["query-id\tcorpus-id\tscore", *(f"q{i}\td{i}\t2" for i in numbers)]
        if split == "dev":
            lines += ["q4\td0\t1", "q4\td1\t0"]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return str(folder)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("data")
    farm, wood = write_set(folder / "farm", "farms"), write_set(folder / "wood", "woods")
    return Study(
        name="tiny",
        sources=(
            Source("farm", "beir", farm),
            Source("wood", "beir", wood, corrupt=1.0),
            Source("off", "beir", "nowhere", weight=0.0),
        ),
        targets=(Target("pooled", "beir", farm, pool=8), Target("whole", "beir", wood, pool=0)),
        search=Search("uniform"),
        budget=Budget(trials=2),
        proxy=Proxy(max_length=16, precision="fp32"),
    )


@pytest.fixture(scope="module")
def root(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cache")
    prepare(study, root, silent)
    return root


@pytest.fixture(scope="module")
def preparation(study: Study, root: Path) -> Preparation:
    return prepare(study, root, silent)


def table_of(study: Study, root: Path) -> FeatureTable:
    return FeatureTable(root, resolve(study.model), max_length=16, precision="fp32")


def row_of(table: FeatureTable, text: str) -> int:
    row = table._texts.row(digest(text))
    assert row is not None, text
    return row


def judged(split: Split, query: int) -> dict[int, float]:
    mine = slice(int(split.starts[query]), int(split.starts[query + 1]))
    rows = split.documents[split.judged[mine]]
    return dict(zip(rows.tolist(), split.grades[mine].tolist(), strict=True))


def test_a_second_study_on_the_same_data_computes_nothing(study: Study, tmp_path: Path) -> None:
    first = prepare(study, tmp_path, silent)
    other = dataclasses.replace(study, name="other", seed=9, search=Search("tpe"), budget=Budget(runs=3.0))
    again = prepare(other, tmp_path, silent)
    # 2 x 12 documents and 2 x 12 queries, all distinct.
    assert (first.tokenised, first.encoded, first.reused) == (48, 48, 0)
    assert (again.tokenised, again.encoded, again.reused) == (0, 0, 48)
    assert first.flops > 0 == again.flops
    assert (again.key, again.sources, again.targets) == (first.key, first.sources, first.targets)


def test_the_arrays_of_a_second_study_are_not_even_read_anew(
    study: Study, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixtune.training.preparing.prepare.read_source", None)
    monkeypatch.setattr("mixtune.training.preparing.prepare.read_target", None)
    monkeypatch.setattr("mixtune.training.encoding.features.load", None)
    assert prepare(study, root, silent).reused == 48


def test_a_new_source_computes_its_own_texts_only(study: Study, root: Path, tmp_path: Path) -> None:
    sea = Source("sea", "beir", write_set(tmp_path / "sea", "seas"))
    more = prepare(dataclasses.replace(study, sources=(*study.sources, sea)), root, silent)
    # Only the pairs of its train split are needed: 4 queries and 4 documents.
    assert (more.tokenised, more.encoded, more.reused) == (8, 8, 48)


def test_lost_features_are_computed_again(study: Study, tmp_path: Path) -> None:
    prepare(study, tmp_path, silent)
    shutil.rmtree(tmp_path / "features")
    assert prepare(study, tmp_path, silent).encoded == 48


def test_facts_count_what_is_there(study: Study, preparation: Preparation) -> None:
    facts = preparation.sources["farm"]
    assert (facts.rows, facts.unique_queries) == (4, 4)
    assert 10 < facts.tokens_per_pair < 32
    target = preparation.targets["pooled"]
    assert (target.dev_queries, target.test_queries, target.documents, target.dev_pool) == (4, 4, 12, 8)
    assert preparation.targets["whole"].dev_pool == 12
    assert preparation.run_flops > 0
    assert preparation.model == resolve(OFFLINE_MODEL).fingerprint


def test_a_source_of_weight_zero_is_never_read(preparation: Preparation) -> None:
    assert set(preparation.sources) == {"farm", "wood"}


def test_pairs_are_rows_of_the_table(study: Study, root: Path, preparation: Preparation) -> None:
    table, pairs = table_of(study, root), load_prepared(root, preparation.key).sources["farm"]
    assert pairs.queries.tolist() == [row_of(table, f"{one} in farms?") for one in ANIMALS[:4]]
    assert pairs.documents.tolist() == [row_of(table, f"farms All about the {one} in farms.") for one in ANIMALS[:4]]
    cosine = (table.embeddings[pairs.queries] * table.embeddings[pairs.documents]).sum(axis=1)
    np.testing.assert_allclose(pairs.similarity, cosine, rtol=1e-5)


def test_corrupted_pairs_are_less_similar(root: Path, preparation: Preparation) -> None:
    sources = load_prepared(root, preparation.key).sources
    assert sources["wood"].similarity.mean() < sources["farm"].similarity.mean() - 0.1


def test_pairs_of_one_query_share_a_group(study: Study, tmp_path: Path) -> None:
    dev = Source("dev", "beir", study.sources[0].location, split="dev")
    prepared = prepare(dataclasses.replace(study, sources=(dev, study.sources[1])), tmp_path, silent)
    groups = load_prepared(tmp_path, prepared.key).sources["dev"].groups
    # The order is that of the judgements: both positives of query 4, then 5, 6 and 7.
    assert len(groups) == 5
    assert groups[0] == groups[1]
    assert len(set(groups[1:].tolist())) == 4


def test_grades_and_positions_survive_the_pool(study: Study, root: Path, preparation: Preparation) -> None:
    table, target = table_of(study, root), load_prepared(root, preparation.key).targets["pooled"]
    rows = {i: row_of(table, f"farms All about the {ANIMALS[i]} in farms.") for i in range(12)}
    assert not target.dev.full
    assert judged(target.dev, 0) == {rows[4]: 2.0, rows[0]: 1.0, rows[1]: 0.0}
    assert judged(target.dev, 3) == {rows[7]: 2.0}


def test_test_ranks_the_whole_corpus(study: Study, root: Path, preparation: Preparation) -> None:
    table, target = table_of(study, root), load_prepared(root, preparation.key).targets["pooled"]
    assert target.test.full
    assert len(target.test.documents) == 12
    assert judged(target.test, 0) == {row_of(table, f"farms All about the {ANIMALS[8]} in farms."): 2.0}


def test_signal_and_progress_queries_are_both_at_least_two(root: Path, preparation: Preparation) -> None:
    for target in load_prepared(root, preparation.key).targets.values():
        assert target.signal.tolist().count(True) == 2
        assert len(target.signal) == 4
        assert len(set(target.negatives.tolist())) == len(target.negatives) == len(target.dev.documents)


def test_every_text_that_trials_read_has_an_embedding(study: Study, root: Path, preparation: Preparation) -> None:
    table, rows = table_of(study, root), used_rows(load_prepared(root, preparation.key))
    assert len(rows) == 48
    np.testing.assert_allclose(np.linalg.norm(table.embeddings[rows], axis=1), 1, atol=1e-5)


def test_last_layers_get_their_states(study: Study, root: Path) -> None:
    deeper = dataclasses.replace(study, proxy=dataclasses.replace(study.proxy, trainable="last:1"))
    first, again = prepare(deeper, root, silent), prepare(deeper, root, silent)
    assert (first.tokenised, first.encoded, again.encoded) == (0, 48, 0)
    table, rows = table_of(study, root), used_rows(load_prepared(root, first.key))
    assert [len(one) for one in table.states(1, rows)] == table.lengths[rows].tolist()


def test_what_dev_ranks_against_is_said(preparation: Preparation) -> None:
    assert any("'pooled': dev ranks 8 of 12 documents" in note for note in preparation.notes)
    assert not any("'whole'" in note for note in preparation.notes)


def test_training_on_held_out_queries_is_counted(study: Study, root: Path) -> None:
    leak = Source("leak", "beir", study.sources[0].location, split="test")
    found = prepare(dataclasses.replace(study, sources=(leak,)), root, silent).contamination
    assert found is not None and found.removed == {}
    # The four test queries, and their documents; the other target is about woods.
    overlaps = found.overlaps["leak"]
    assert overlaps["pooled"] == Overlap(test_queries=Shared(4), test_documents=Shared(4))
    assert not overlaps["whole"].found


def test_a_training_split_shares_no_query_with_dev_and_test(preparation: Preparation) -> None:
    assert preparation.contamination is not None
    # Query 4 of dev has judgements for documents 0 and 1, which belong to queries of the training split.
    assert preparation.contamination.overlaps["farm"]["pooled"] == Overlap(dev_documents=Shared(2))


def test_rows_that_hold_held_out_queries_are_removed(study: Study, root: Path, tmp_path: Path) -> None:
    both = write_set(tmp_path / "both", "farms")
    (tmp_path / "both" / "qrels" / "train.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\td{i}\t1\n" for i in range(6))
    )
    leaking = dataclasses.replace(study, sources=(Source("both", "beir", both),))
    clean = dataclasses.replace(leaking, decontaminate=Decontaminate.QUERIES)
    before, after = prepare(leaking, root, silent), prepare(clean, root, silent)
    assert before.contamination is not None and after.contamination is not None
    assert before.contamination.overlaps == after.contamination.overlaps
    assert (before.contamination.removed, after.contamination.removed) == ({}, {"both": 2})
    assert (before.sources["both"].rows, after.sources["both"].rows) == (6, 4)
    assert (before.sources["both"].left_out, after.sources["both"].left_out) == ((), (4, 5))
    assert before.key != after.key
    pairs = {key: load_prepared(root, key).sources["both"].queries.tolist() for key in (before.key, after.key)}
    assert pairs[after.key] == pairs[before.key][:4]


def test_asking_for_no_removal_leaves_the_key_as_it_was(study: Study, root: Path, preparation: Preparation) -> None:
    assert prepare(dataclasses.replace(study, decontaminate=Decontaminate.NONE), root, silent).key == preparation.key


@pytest.mark.parametrize(("source", "target"), [("query: ", ""), ("", "search: "), ("query: ", "search: ")])
def test_training_on_held_out_queries_is_counted_whatever_the_prompts(
    study: Study, tmp_path: Path, source: str, target: str
) -> None:
    leak = Source("leak", "beir", study.sources[0].location, split="test", prompts=Prompts(source))
    targets = tuple(dataclasses.replace(each, prompts=Prompts(target)) for each in study.targets)
    found = prepare(dataclasses.replace(study, sources=(leak,), targets=targets), tmp_path, silent).contamination
    assert found is not None and found.overlaps["leak"]["pooled"].test_queries == Shared(4)


def test_too_few_dev_queries_are_refused_before_anything_is_encoded(study: Study, tmp_path: Path) -> None:
    location = write_set(tmp_path / "poor", "deserts")
    (tmp_path / "poor" / "qrels" / "dev.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq4\td4\t1\nq5\td5\t1\nq6\td6\t1\n"
    )
    poor = dataclasses.replace(study, targets=(Target("poor", "beir", location),))
    with pytest.raises(DataError, match=r"target 'poor' has 3 dev queries .* at least 4 are needed"):
        prepare(poor, tmp_path / "cache", silent)
    assert not (tmp_path / "cache" / "features").exists()


def test_an_unprepared_key_is_named(root: Path) -> None:
    with pytest.raises(DataError, match="nothing is prepared in"):
        load_prepared(root, "unknown")


def test_progress_is_told_by_stage_and_ends_complete(study: Study, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    prepare(study, tmp_path, lambda *now: told.append(now))
    comparing = [f"comparing {name} with dev and test" for name in ("farm", "wood")]
    assert list(dict.fromkeys(what for what, _, _ in told)) == ["reading", *comparing, "tokenising", "encoding"]
    for what in ("reading", *comparing, "tokenising", "encoding"):
        _, done, total = [one for one in told if one[0] == what][-1]
        assert done == total > 0


def with_negatives(text: SourceText) -> SourceText:
    """Each pair gets two negatives, one of them new; the first names its own positive too."""
    own = [(f"nothing about {query}", text.documents[i - 1]) for i, query in enumerate(text.queries)]
    own[0] = (*own[0], text.documents[0])
    teacher = tuple(tuple(10.0 * i + j for j in range(1 + len(some))) for i, some in enumerate(own))
    return dataclasses.replace(text, negatives=tuple(own), weights=(1.0, 2.0, 3.0, 4.0), teacher=teacher)


@pytest.fixture
def rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources as read, with hard negatives, weights and teacher scores in `farm`."""

    def read(source: Source, root: Path) -> SourceText:
        text = read_source(source, root)
        return with_negatives(text) if source.name == "farm" else text

    monkeypatch.setattr("mixtune.training.preparing.prepare.read_source", read)


@pytest.mark.usefixtures("rich")
def test_hard_negatives_are_encoded_and_named(study: Study, tmp_path: Path) -> None:
    found = prepare(study, tmp_path, silent)
    assert (found.tokenised, found.encoded) == (48 + 4, 48 + 4)
    table, prepared = table_of(study, tmp_path), load_prepared(tmp_path, found.key)
    pairs = prepared.sources["farm"]
    new, other = row_of(table, "nothing about cow in farms?"), pairs.documents[1]
    assert pairs.negatives[pairs.starts[2] : pairs.starts[3]].tolist() == [new, other]
    assert new in used_rows(prepared)
    assert table.have(pairs.negatives).all()
    assert pairs.weights.tolist() == [1, 2, 3, 4]
    assert pairs.teacher.tolist() == [0, 10, 20, 30, 1, 2, 11, 12, 21, 22, 31, 32]
    assert "source 'farm': 1 hard negatives are positives of the same query and were left out" in found.notes
    assert prepared.sources["wood"].negatives.size == 0


@pytest.mark.usefixtures("rich")
def test_a_run_with_hard_negatives_costs_more(study: Study, tmp_path: Path) -> None:
    def cost(negatives: int) -> float:
        proxy = dataclasses.replace(study.proxy, negatives=negatives, batch_size=4)
        return prepare(dataclasses.replace(study, proxy=proxy), tmp_path, silent).run_flops

    assert cost(0) < cost(1) < cost(2) == cost(3)


@pytest.mark.usefixtures("rich")
def test_a_loss_that_sources_have_no_scores_for_is_refused_before_anything_is_computed(
    study: Study, tmp_path: Path
) -> None:
    margins = dataclasses.replace(study, proxy=dataclasses.replace(study.proxy, loss="margin-mse"))
    message = r"'margin-mse' needs hard negatives and teacher scores of every source, and these have none: wood;"
    with pytest.raises(DataError, match=message):
        prepare(margins, tmp_path, silent)
    assert not (tmp_path / "features").exists()
    prepare(study, tmp_path, silent)
    with pytest.raises(DataError, match=message):
        prepare(margins, tmp_path, silent)
    farm = dataclasses.replace(margins, sources=study.sources[:1])
    assert prepare(farm, tmp_path, silent).run_flops > 0


@pytest.mark.usefixtures("rich")
def test_margins_without_negatives_in_use_are_refused(study: Study, tmp_path: Path) -> None:
    proxy = dataclasses.replace(study.proxy, loss="margin-mse", negatives=0)
    with pytest.raises(DataError, match=r"set proxy\.negatives to 1 or more, it is 0"):
        prepare(dataclasses.replace(study, proxy=proxy, sources=study.sources[:1]), tmp_path, silent)
