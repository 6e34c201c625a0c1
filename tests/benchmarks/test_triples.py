import json
from collections.abc import Mapping
from pathlib import Path

from triples import negatives_of, pooled

from mixtune.source import Source
from mixtune.training.data.texts import SourceText


def source(folder: Path, name: str, pairs: Mapping[str, str]) -> Source:
    rows = [json.dumps({"query": query, "positive": positive}) for query, positive in pairs.items()]
    (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    return Source(name, "jsonl", str(folder / f"{name}.jsonl"))


def test_a_pool_holds_all_pairs_and_takes_negatives_from_a_pairs_own_source(tmp_path: Path) -> None:
    fruit = {"green apple": "an apple is green", "green pear": "a pear is green", "ripe plum": "a plum is blue"}
    tools = {"green hammer": "a hammer is green", "steel saw": "a saw of steel"}
    sources = [source(tmp_path, "fruit", fruit), source(tmp_path, "tools", tools)]
    pool = pooled(sources, tmp_path / "cache", count=2)
    rows = [json.loads(line) for line in Path(str(pool.location)).read_text().splitlines()]
    assert [(row["query"], row["positive"]) for row in rows] == [*fruit.items(), *tools.items()]
    for row in rows:
        own = fruit if row["query"] in fruit else tools
        assert set(row["negative"]) <= set(own.values()) - {row["positive"]}
    assert [len(row["negative"]) for row in rows] == [2, 2, 2, 1, 1]


def test_a_pool_is_named_after_what_it_is_made_of(tmp_path: Path) -> None:
    fruit, tools = (
        source(tmp_path, name, {f"a {name}": f"one {name}", f"some {name}": f"all {name}"})
        for name in ("fruit", "tools")
    )
    places = {pooled(some, tmp_path, count).location for some in ([fruit], [fruit, tools]) for count in (1, 2)}
    assert len(places) == 4
    other = source(tmp_path, "tools", {"a saw": "one saw", "some tools": "all tools"})
    assert pooled([fruit, other], tmp_path, 1).location not in places


def test_negatives_are_no_positives_of_the_query_and_the_same_each_time() -> None:
    documents = tuple(f"word {number}" for number in range(40))
    text = SourceText(("word", *["word"] * 19, *(f"other {i}" for i in range(20))), documents, documents)
    found = negatives_of(text, 5)
    assert found == negatives_of(text, 5)
    assert all(not set(own) & set(documents[:20]) for own in found[:20])
