"""A stored study is written as a file that reads as the same study."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from mixtune.config import load
from mixtune.config.studyfile import load_comparison
from mixtune.config.writing import comparison_file, study_file

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))

PARTS = {
    "bounds": "space: {floor: 0.01, cap: {beta: 0.5}, must_include: [alpha], at_most: 3, max_epochs: 7.5}",
    "mapping": "space: {mapping: -log}",
    "one level for all": "space: {keep: [1, 0.5]}",
    "levels for some": "space: {keep: {beta: [1, 0.25]}}\npruning: {least: 64}",
    "a schedule": "pruning: {method: dynamic, query_end: 8, refresh: 50}",
    "a schedule to search": "pruning: {method: [dynamic, none], query_end: [5, 2], cutoff_end: 0.6, strength: [3, 1]}",
    "infobatch or not": "pruning: {method: [none, infobatch]}",
    "topics": "batching: {topics: 100, clusters: 2}",
    "topics to search": "batching: {topics: [0, 200]}\nproxy: {loss: infonce, negatives: 0}",
    "teachers": "proxy: {loss: in-batch, batch_teacher: {model: some/teacher, kind: sentence-transformer}}",
    "proxy": "proxy: {trainable: 'last:2', steps: 60, learning_rate: 5e-5, schedule: linear, warmup: 0.1}",
    "ends": "stopping: {first: 100}\nfinal: {steps: 500, seeds: 5, finalists: 1, warn_epochs: 3}\nseed: 4",
    "objective": "objective: {metric: 'recall@20', aggregate: worst}\ndecontaminate: all\nmodel: some/model",
}

ENTRIES = """\
name: many
sources:
  faq: {kind: csv, path: [a.csv, b.csv], columns: {query: q, positive: p, negative: [n, m], weight: w}, min_score: 3}
  hub: {kind: hub, path: owner/name, split: dev, revision: abc, streaming: true, limit: 10, prompts: {query: 'query: '}}
  off: {kind: beir, path: here, weight: 0}
  mined: {kind: docstrings, package: numpy, mine: 5, corrupt: 0.5, weight: 2.5}
targets:
  own: {kind: beir, path: here, dev: val, weight: 0.5, pool: 0}
  hub: {kind: hub, path: owner/task, revision: main, prompts: {document: 'passage: '}}
search: {algorithm: infdds, beta: 2, policy: kl}
budget: {runs: 2.5, trials: 9, seconds: 60, workers: 2, max_failures: 5}
"""

COMPARE = """
compare:
  searchers: {tpe: {}, 'tpe from uniform': {algorithm: tpe, prior: uniform}}
  replicates: 2
  equal: trials
"""


def read_again(write: Callable[[str], Path], text: str) -> None:
    study = load(write(text)).study
    assert load(write(study_file(study))).study == study


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_what_a_file_says_is_written_again(write: Callable[[str], Path], good: str, part: str) -> None:
    read_again(write, f"{good.replace('uniform', 'tpe')}{part}\n")


def test_every_kind_of_source_and_target_is_written_again(write: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("q,p,n,m,w\nx,y,z,v,1\n")
    for place in ("here/qrels/train.tsv", "here/qrels/val.tsv", "here/qrels/test.tsv"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("query-id\tcorpus-id\tscore\n1\t1\t1\n")
    for name in ("here/corpus.jsonl", "here/queries.jsonl"):
        (tmp_path / name).write_text('{"_id": "1", "text": "x"}\n')
    read_again(write, ENTRIES)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_the_shipped_studies_are_written_again(write: Callable[[str], Path], path: Path) -> None:
    study = load(path).study
    assert load(write(study_file(study))).study == study


def test_nothing_is_written_that_a_file_need_not_say(write: Callable[[str], Path], good: str) -> None:
    written = yaml.safe_load(study_file(load(write(good)).study))
    assert list(written) == ["name", "model", "sources", "targets", "search", "budget", "final", "seed"]
    assert written["sources"]["alpha"] == {"kind": "docstrings", "package": "numpy", "weight": 2.0}
    assert written["budget"] == {"trials": 3}


@pytest.mark.parametrize("final", ["", "final: {seeds: 2, finalists: 2}\n"])
def test_a_comparison_is_written_again(write: Callable[[str], Path], good: str, final: str) -> None:
    text = good.replace("search: {algorithm: uniform}\n", "") + final + COMPARE
    comparison = load_comparison(write(text)).comparison
    assert load_comparison(write(comparison_file(comparison))).comparison == comparison


def test_a_comparison_beside_a_search_keeps_its_own_name(write: Callable[[str], Path], good: str) -> None:
    comparison = load_comparison(write(good + COMPARE)).comparison
    assert comparison.name == "trio-compare"
    again = load_comparison(write(comparison_file(comparison))).comparison
    assert again == replace(comparison, base=again.base) and again.name == "trio-compare"
