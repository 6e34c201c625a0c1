from collections.abc import Callable
from pathlib import Path

import pytest

from mixtune.config import load
from mixtune.errors import ConfigError
from mixtune.prompts import Prompts
from mixtune.source import Columns, Source

Write = Callable[[str], Path]
ALPHA = "{kind: docstrings, package: numpy, weight: 2}"
GOAL = "{kind: docstrings, package: pandas}"


@pytest.fixture
def source(write: Write, good: str, tmp_path: Path) -> Callable[[str], Source]:
    """The source that an entry makes in a study file beside a.jsonl, b.jsonl and the folder set/."""
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "set").mkdir()
    return lambda entry: load(write(good.replace(ALPHA, entry))).study.sources[0]


def test_paths_of_one_file_or_of_many_start_where_the_file_is(source: Callable[[str], Source], tmp_path: Path) -> None:
    assert source("{kind: jsonl, path: a.jsonl}").location == str(tmp_path / "a.jsonl")
    found = source("{kind: jsonl, path: [set, '*.jsonl']}").location
    assert found == (str(tmp_path / "set"), str(tmp_path / "*.jsonl"))


def test_a_map_of_columns_holds_one_or_several_a_role(source: Callable[[str], Source]) -> None:
    entry = "{kind: jsonl, path: a.jsonl, columns: {query: q, positive: [d, e], negative: n, weight: w, scores: s}}"
    assert source(entry).columns == Columns("q", ("d", "e"), ("n",), ("s",), "w")


def test_prompts_reach_sources_and_targets(write: Write, good: str) -> None:
    text = good.replace("weight: 2", "prompts: {query: 'query: '}").replace(
        GOAL, "{kind: docstrings, package: pandas, prompts: {query: 'query: ', document: 'passage: '}}"
    )
    study = load(write(text)).study
    assert study.sources[0].prompts == Prompts("query: ", "")
    assert study.targets[0].prompts == Prompts("query: ", "passage: ")


def test_a_data_set_of_the_hub_keeps_its_name_unless_a_copy_is_there(
    source: Callable[[str], Source], tmp_path: Path
) -> None:
    entry = "{kind: hub, path: owner/name, config: en, split: dev, revision: v1, streaming: true, limit: 9}"
    assert source(entry) == Source(
        "alpha", "hub", "owner/name", "dev", limit=9, config="en", revision="v1", streaming=True
    )
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert source(entry).location == str(tmp_path / "owner" / "name")


def test_a_target_may_be_a_data_set_of_the_hub(write: Write, good: str) -> None:
    (goal,) = load(write(good.replace(GOAL, "{kind: hub, path: mteb/scifact, revision: v1}"))).study.targets
    assert (goal.kind, goal.location, goal.revision) == ("hub", "mteb/scifact", "v1")


WRONG = {
    "no such file": ("{kind: jsonl, path: none.jsonl}", "sources.alpha.path is 'none.jsonl', but there is no "),
    "an empty pattern": ("{kind: csv, path: '*.csv'}", "sources.alpha.path is '*.csv', but no file fits it; name"),
    "one of a list": ("{kind: jsonl, path: [a.jsonl, c.jsonl]}", "sources.alpha.path is 'c.jsonl', but there is no"),
    "an empty list": ("{kind: jsonl, path: []}", "sources.alpha.path is []; allowed: at least one item"),
    "a number": ("{kind: jsonl, path: 3}", "sources.alpha.path is 3; allowed: text (quote it)"),
    "a list of folders": ("{kind: beir, path: [set]}", "sources.alpha.path is a list, and beir reads one place"),
    "a list of names": ("{kind: hub, path: [a/b]}", "sources.alpha.path is a list, and hub reads one place"),
    "a package of files": (
        "{kind: csv, package: numpy}",
        "sources.alpha.package means nothing to kind csv; give 'path'",
    ),
    "a split of files": (
        "{kind: jsonl, path: a.jsonl, split: dev}",
        "sources.alpha.split means nothing to kind jsonl, only to beir, docstrings, hub",
    ),
    "columns of a folder": (
        "{kind: beir, path: set, columns: {query: q, positive: d}}",
        "sources.alpha.columns means nothing to kind beir, only to csv, hub, jsonl, parquet",
    ),
    "no positive": ("{kind: jsonl, path: a.jsonl, columns: {query: q}}", "columns lacks the key 'positive'"),
    "an unknown role": (
        "{kind: jsonl, path: a.jsonl, columns: {query: q, positive: d, negativ: n}}",
        "unknown key 'negativ' in sources.alpha.columns; did you mean 'negative'?",
    ),
    "a list as query": (
        "{kind: jsonl, path: a.jsonl, columns: {query: [q], positive: d}}",
        "sources.alpha.columns.query is ['q']; allowed: text (quote it)",
    ),
    "a prompt for something else": (
        "{kind: jsonl, path: a.jsonl, prompts: {passage: x}}",
        "unknown key 'passage' in sources.alpha.prompts",
    ),
    "a prompt that is no text": (
        "{kind: jsonl, path: a.jsonl, prompts: {query: 3}}",
        "sources.alpha.prompts.query is 3; allowed: text (quote it)",
    ),
    "a stream without end": ("{kind: hub, path: o/n, streaming: true}", "is streamed and lacks a `limit`"),
    "streaming that is no claim": (
        "{kind: hub, path: o/n, streaming: 1, limit: 9}",
        "sources.alpha.streaming is 1; allowed: true or false",
    ),
    "a score that is no number": (
        "{kind: jsonl, path: a.jsonl, min_score: .nan}",
        "sources.alpha.min_score is nan; allowed: a finite number",
    ),
}


@pytest.mark.parametrize("entry, message", WRONG.values(), ids=WRONG)
def test_an_entry_that_is_wrong_is_refused(source: Callable[[str], Source], entry: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        source(entry)
    assert message in str(caught.value)
    assert "study.yaml:3: " in str(caught.value)


def test_a_target_cannot_be_a_file_of_pairs(write: Write, good: str) -> None:
    with pytest.raises(ConfigError, match=r"targets\.goal\.kind is 'jsonl'; allowed: 'beir', 'docstrings' or 'hub'"):
        load(write(good.replace(GOAL, "{kind: jsonl, path: a.jsonl}")))


def test_a_revision_is_for_targets_of_the_hub(write: Write, good: str) -> None:
    with pytest.raises(ConfigError, match=r"targets\.goal\.revision means nothing to kind docstrings, only to hub"):
        load(write(good.replace(GOAL, "{kind: docstrings, package: pandas, revision: v1}")))
