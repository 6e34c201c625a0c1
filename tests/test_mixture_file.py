import json
from pathlib import Path

import pytest
from pydantic import JsonValue as Json

from mixtune.batching import Batching
from mixtune.errors import ConfigError
from mixtune.mixture_file import read_mixture, source_at, source_uri
from mixtune.prompts import Prompts
from mixtune.source import Columns, Source


def content() -> dict[str, Json]:
    entry: dict[str, Json] = {
        "uri": "beir:data?split=train",
        "rows": 10,
        "sha256": "s",
        "kept": 0.5,
        "kept_rows": 5,
        "floor": 0.0,
        "cap": 1.0,
        "implied_epochs": 2.0,
    }
    return {
        "schema": "mixtune/mixture/1",
        "study": "s",
        "trial": None,
        "unit": "batches",
        "budget": {"steps": 10, "batch_size": 2, "rows": 20},
        "sources": [{"name": "a", "weight": 0.7} | entry, {"name": "b", "weight": 0.3} | entry],
        "pruning": "static",
        "batch_policy": "random",
        "prior": {"kind": "proportional", "weights": {"a": 0.5, "b": 0.5}},
        "metric": {"name": "ndcg@10", "value": None, "ci": None, "seeds": 0},
        "versions": {},
        "created": "2026-01-01T00:00:00+00:00",
    }


def written(tmp_path: Path, data: Json) -> Path:
    path = tmp_path / "mixture.json"
    path.write_text(json.dumps(data))
    return path


def test_a_valid_file_is_read(tmp_path: Path) -> None:
    file = read_mixture(written(tmp_path, content()))
    assert dict(file.recipe.mixture) == {"a": 0.7, "b": 0.3}
    assert file.recipe.pruning.rows("a", 10) == 5


def test_reading_what_was_written_gives_an_equal_file(tmp_path: Path) -> None:
    file = read_mixture(written(tmp_path, content()))
    again = tmp_path / "again.json"
    again.write_text(file.to_json())
    assert read_mixture(again) == file


def test_a_file_from_before_hard_negatives_is_read_as_having_none(tmp_path: Path) -> None:
    assert read_mixture(written(tmp_path, content())).negatives == 0
    assert read_mixture(written(tmp_path, content() | {"negatives": 3})).negatives == 3


def test_a_file_from_before_schedules_and_topics_has_neither(tmp_path: Path) -> None:
    file = read_mixture(written(tmp_path, content()))
    assert file.recipe.pruning.schedule is None and file.recipe.batching == Batching()
    assert file.beyond_sampling == ()


SCHEDULE: Json = {"query_end": 5, "cutoff_end": 0.5, "strength": 5, "refresh": 0}


@pytest.mark.parametrize(
    "change, said",
    [
        ({"pruning": "dynamic", "schedule": SCHEDULE}, ["pruning schedule dynamic, which needs scores of the model"]),
        ({"pruning": "infobatch"}, ["pruning schedule infobatch, which needs"]),
        (
            {"batch_policy": "topics", "batching": {"topics": 200, "margin_bins": 10}},
            ["topics of about 200 queries", "10 bins of the teacher's margin"],
        ),
        ({"batch_policy": "mixed", "unit": "loss"}, ["weights of the loss in batches of all sources"]),
    ],
)
def test_what_a_sampler_cannot_carry_over_is_said(tmp_path: Path, change: dict[str, Json], said: list[str]) -> None:
    told = read_mixture(written(tmp_path, content() | change)).beyond_sampling
    assert len(told) == len(said)
    assert all(part in line for part, line in zip(said, told, strict=True))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"pruning": "dynamic"}, "pruning is 'dynamic': a schedule stands beside `dynamic`, and nothing else"),
        ({"schedule": SCHEDULE}, "pruning is 'static': a schedule stands beside `dynamic`, and nothing else"),
        ({"batching": {"topics": 200}}, "batch_policy is 'random', but unit 'batches' and batching.topics 200 make it"),
        ({"unit": "loss"}, "unit 'loss' and batching.topics 0 make it 'mixed'"),
        ({"pruning": "dynamic", "schedule": {"query_end": 1}}, "schedule.query_end: Input should be greater than"),
        ({"batching": {"bins": 3}}, "batching.bins: Extra inputs are not permitted"),
    ],
)
def test_pruning_and_batching_that_contradict_themselves_are_refused(
    tmp_path: Path, change: dict[str, Json], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_mixture(written(tmp_path, content() | change))
    assert message in str(caught.value)


def test_mined_negatives_stand_in_the_uri() -> None:
    source = Source("a", "jsonl", "f.jsonl", mine=3)
    assert source_at("a", source_uri(source)) == source


@pytest.mark.parametrize("schema", ["mixtune/mixture/2", "", 1])
def test_another_schema_is_refused(tmp_path: Path, schema: Json) -> None:
    with pytest.raises(ConfigError, match="schema: Input should be 'mixtune/mixture/1'"):
        read_mixture(written(tmp_path, content() | {"schema": schema}))


def test_a_file_without_schema_is_refused(tmp_path: Path) -> None:
    data = content()
    del data["schema"]
    with pytest.raises(ConfigError, match="schema: Field required"):
        read_mixture(written(tmp_path, data))


def test_an_unknown_key_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="weigths: Extra inputs are not permitted"):
        read_mixture(written(tmp_path, content() | {"weigths": {}}))


def test_weights_that_are_no_mixture_are_refused(tmp_path: Path) -> None:
    data = content()
    data["sources"] = data["sources"][:1]  # type: ignore[index]
    with pytest.raises(ConfigError, match=r"weights must sum to 1, got 0\.7"):
        read_mixture(written(tmp_path, data))


def test_a_source_named_twice_is_refused(tmp_path: Path) -> None:
    data = content()
    data["sources"] = [entry | {"name": "a"} for entry in data["sources"]]  # type: ignore[union-attr,operator]
    with pytest.raises(ConfigError, match="sources named twice: a"):
        read_mixture(written(tmp_path, data))


def test_more_kept_rows_than_rows_are_refused(tmp_path: Path) -> None:
    data = content()
    data["sources"] = [entry | {"kept_rows": 11} for entry in data["sources"]]  # type: ignore[union-attr,operator]
    with pytest.raises(ConfigError, match="kept_rows is 11, but source 'a' has 10 rows"):
        read_mixture(written(tmp_path, data))


def test_text_that_is_not_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mixture.json"
    path.write_text("weights: {}")
    with pytest.raises(ConfigError, match="is not a mixture file of schema"):
        read_mixture(path)


@pytest.mark.parametrize(
    "source",
    [
        Source("s", "docstrings", "numpy"),
        Source("s", "beir", "../my data/50% ü?&=", split="dev", limit=7, corrupt=1 / 3),
        Source("s", "jsonl", ("a b.jsonl", "c?&.jsonl"), columns=Columns("q", ("d", "e"), weight="w"), min_score=0.25),
        Source("s", "hub", "o/n", config="en", revision="v1", streaming=True, limit=9, prompts=Prompts("q: ", "p: ")),
    ],
)
def test_a_source_survives_its_uri(source: Source) -> None:
    assert source_at("s", source_uri(source)) == source


@pytest.mark.parametrize("uri", ["numpy", "docstrings:", ":numpy", "docstrings:numpy?colour=red"])
def test_what_is_not_a_source_uri_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="not a source uri"):
        source_at("s", uri)
