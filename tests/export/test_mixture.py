import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mixtune.batching import Batching
from mixtune.contamination import Contamination, Decontaminate, Overlap, Shared
from mixtune.errors import ExportError
from mixtune.export import EXPORTERS
from mixtune.export.base import ExportRequest
from mixtune.mixture_file import read_mixture, source_at
from mixtune.prompts import Prompts
from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Mixture, Recipe
from mixtune.source import Source

Ask = Callable[[Path], ExportRequest]


def test_the_recipe_round_trips_to_the_last_bit(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path / "mixture.json")
    assert EXPORTERS["mixture"](request) == [tmp_path / "mixture.json"]
    assert read_mixture(request.out).recipe == request.recipe


@pytest.mark.parametrize(
    "pruning, batching, named",
    [
        (
            Pruning({"homes": 0.51}, Schedule(query_end=8, cutoff_end=0.3, strength=2, refresh=50), 32),
            Batching(),
            "dynamic",
        ),
        (Pruning({}, Schedule("infobatch")), Batching(), "infobatch"),
        (Pruning({"homes": 0.51}, least=200), Batching(topics=200, clusters=2, margin_bins=10), "static"),
        (Pruning(), Batching(margin_bins=10), "none"),
        (Pruning(), Batching(mixed=True), "none"),
    ],
)
def test_pruning_and_batching_round_trip(
    asked: Ask, tmp_path: Path, pruning: Pruning, batching: Batching, named: str
) -> None:
    request = asked(tmp_path / "m.json")
    request = replace(request, recipe=replace(request.recipe, pruning=pruning, batching=batching))
    EXPORTERS["mixture"](request)
    file = read_mixture(request.out)
    assert file.recipe == request.recipe
    assert file.pruning == named
    assert (file.unit, file.batch_policy) == (
        ("loss", "mixed") if batching.mixed else ("batches", "topics" if batching.topics else "random")
    )


def test_kept_rows_heed_the_least_that_a_source_keeps(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path / "m.json")
    request = replace(request, recipe=replace(request.recipe, pruning=Pruning({"homes": 0.51, "tiny": 0.1}, least=4)))
    EXPORTERS["mixture"](request)
    assert [entry.kept_rows for entry in read_mixture(request.out).sources] == [153, 90, 4]


def test_the_file_has_the_published_keys_and_hand_computed_values(asked: Ask, tmp_path: Path) -> None:
    EXPORTERS["mixture"](asked(tmp_path / "mixture.json"))
    data = json.loads((tmp_path / "mixture.json").read_text())
    head = ["schema", "study", "trial", "unit", "budget", "sources", "pruning", "schedule", "keep_least"]
    batches = ["batch_policy", "batching", "negatives", "precision"]
    assert list(data) == [*head, *batches, "prior", "metric", "contamination", "versions", "created"]
    assert data["schema"] == "mixtune/mixture/1"
    assert data["unit"] == "batches"
    assert data["budget"] == {"steps": 120, "batch_size": 4, "rows": 480}
    assert data["sources"][0] == {
        "name": "homes",
        "uri": "docstrings:numpy?split=train&corrupt=0.25",
        "revision": "2.4.5",
        "rows": 300,
        "sha256": "sha-homes",
        "weight": 1 / 3,
        "kept": 0.51,
        "kept_rows": 153,
        "floor": 0.001,
        "cap": 1.0,
        "implied_epochs": pytest.approx(160 / 153),
        "left_out": [],
    }
    assert (data["pruning"], data["schedule"], data["keep_least"]) == ("static", None, 1)
    assert data["batch_policy"] == "random"
    assert data["batching"] == {"topics": 0, "clusters": 1, "margin_bins": 1}
    assert data["negatives"] == 1
    assert data["precision"] == "auto"
    assert data["prior"] == {"kind": "expert", "weights": {"homes": 0.2, "tiny": 0.6, "wide web": 0.2}}
    assert data["metric"] == {"name": "ndcg@10", "value": 0.574, "ci": [0.57, 0.578], "seeds": 3}
    assert data["created"] == "2023-11-14T22:13:20+00:00"


def test_rows_that_the_study_left_out_and_what_it_found_are_in_the_file(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path / "m.json")
    prepared = request.study.prepared
    found = Contamination({"homes": {"goal": Overlap(dev_queries=Shared(1, 1))}}, {"homes": 2}, Decontaminate.QUERIES)
    facts = {**prepared.sources, "homes": replace(prepared.sources["homes"], left_out=(3, 8))}
    study = replace(request.study, preparation=replace(prepared, sources=facts, contamination=found))
    EXPORTERS["mixture"](replace(request, study=study))
    written = read_mixture(tmp_path / "m.json")
    assert [source.left_out for source in written.sources] == [(3, 8), (), ()]
    assert written.contamination == found


def test_sources_that_the_user_took_out_are_not_in_the_file(asked: Ask, tmp_path: Path) -> None:
    EXPORTERS["mixture"](asked(tmp_path / "m.json"))
    assert [source.name for source in read_mixture(tmp_path / "m.json").sources] == ["homes", "wide web", "tiny"]


def test_each_uri_leads_back_to_its_source(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path / "m.json")
    EXPORTERS["mixture"](request)
    found = [source_at(entry.name, entry.uri) for entry in read_mixture(request.out).sources]
    assert found == [replace(source, weight=None) for source in request.study.sources[:3]]


def test_a_source_of_the_hub_is_exported_at_the_commit_that_was_read(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path / "m.json")
    first, *others = request.study.sources
    facts = dict(request.study.prepared.sources)
    facts[first.name] = replace(facts[first.name], revision="c0ffee")
    study = replace(
        request.study,
        sources=(replace(first, kind="hub", location="o/n", prompts=Prompts("q: ")), *others),
        preparation=replace(request.study.prepared, sources=facts),
    )
    EXPORTERS["mixture"](replace(request, study=study))
    entry = read_mixture(request.out).sources[0]
    assert entry.revision == "c0ffee"
    assert source_at("homes", entry.uri) == Source(
        "homes", "hub", "o/n", corrupt=0.25, revision="c0ffee", prompts=Prompts("q: ")
    )


def test_a_source_of_a_package_has_the_version_that_was_read_and_others_none(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path / "m.json")
    first, second, *others = request.study.sources
    study = replace(request.study, sources=(first, replace(second, location="numpy"), *others))
    EXPORTERS["mixture"](replace(request, study=study))
    entries = read_mixture(request.out).sources
    assert request.versions["numpy"] == "2.4.6"
    assert [entry.revision for entry in entries] == ["2.4.5", None, None]
    assert all("revision" not in entry.uri for entry in entries)


def test_the_precision_of_the_study_is_in_the_file(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path / "m.json")
    proxy = replace(request.study.proxy, precision="fp32")
    EXPORTERS["mixture"](replace(request, study=replace(request.study, proxy=proxy)))
    assert read_mixture(request.out).precision == "fp32"


def test_a_file_from_before_precisions_leaves_it_to_the_machine(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path / "m.json")
    EXPORTERS["mixture"](request)
    data = json.loads(request.out.read_text())
    del data["precision"]
    request.out.write_text(json.dumps(data))
    assert read_mixture(request.out).precision == "auto"


def test_an_older_mixture_file_is_replaced(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path / "m.json")
    EXPORTERS["mixture"](request)
    other = replace(request, recipe=Recipe(Mixture({"homes": 1.0})))
    EXPORTERS["mixture"](other)
    assert read_mixture(request.out).recipe.mixture["homes"] == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


def test_a_file_that_is_not_ours_is_left_alone(asked: Ask, tmp_path: Path) -> None:
    place = tmp_path / "thesis.txt"
    place.write_text("years of work")
    with pytest.raises(ExportError, match="not a mixture file, so it is left alone"):
        EXPORTERS["mixture"](asked(place))
    assert place.read_text() == "years of work"


def test_a_folder_as_out_is_refused_with_the_file_to_give(asked: Ask, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"is a folder: give the file to write, such as .*mixture\.json"):
        EXPORTERS["mixture"](asked(tmp_path))


def test_a_place_that_cannot_be_written_leaves_nothing_behind(asked: Ask, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=r"cannot write .* give another --out"):
        EXPORTERS["mixture"](asked(tmp_path / "file" / "m.json"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_recipe_of_another_study_is_refused(asked: Ask, tmp_path: Path) -> None:
    request = replace(asked(tmp_path / "m.json"), recipe=Recipe(Mixture({"homes": 0.5, "moon": 0.5})))
    with pytest.raises(ExportError, match=r"study 'little' does not: moon; it has homes, wide web, tiny"):
        EXPORTERS["mixture"](request)
