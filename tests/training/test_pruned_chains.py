import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding, Transformer
from small_study import bench_of, run_of, study_of, synthetic
from tokenizers import Tokenizer
from transformers import AutoModel, BertConfig

from mixtune.batching import Batching
from mixtune.measurement import Measurement
from mixtune.proposal import Probe, Proposal, Role
from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Mixture, Recipe
from mixtune.study import OFFLINE_MODEL, Study
from mixtune.training.base import Task
from mixtune.training.encoding import models
from mixtune.training.encoding.encodings import Encodings, cosines
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.prepared import Pairs, Prepared, PreparedTarget, Split
from mixtune.training.proxy import open_proxy
from mixtune.training.trainer import Bench, run_trial
from mixtune.training.walks.dynamic import DynamicWalk

TABLE, PREPARED = synthetic(pairs=60)
STUDY = study_of(PREPARED)
BENCH = bench_of(TABLE, PREPARED)
SCHEDULES = {
    "dynamic": Schedule(),
    "dynamic, refreshed": Schedule(refresh=5),
    "infobatch": Schedule("infobatch"),
}
RUNS = [("last:1", name) for name in SCHEDULES] + [(kind, "dynamic, refreshed") for kind in ("head", "all", "static")]


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Bench]:
    """A tiny model of each kind, with dropout where it has any, over two sources of made-up texts."""
    kind = str(request.param)
    folder = tmp_path_factory.mktemp("model")
    offline = models.resolve(OFFLINE_MODEL).path
    torch.manual_seed(0)
    if kind == "static":
        tokenizer = Tokenizer.from_file(str(offline / "tokenizer.json"))
        modules = [StaticEmbedding(tokenizer, embedding_dim=16)]
    else:
        config = BertConfig(
            vocab_size=30522,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=24,
            max_position_embeddings=40,
        )
        AutoModel.from_config(config).save_pretrained(folder / "bert")
        for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
            shutil.copy(offline / name, folder / "bert" / name)
        modules = [Transformer(str(folder / "bert")), Pooling(16)]
    name = str(folder / "model")
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(name, create_model_card=False)
    table = FeatureTable(folder / "cache", models.resolve(name), max_length=32, precision="fp32")
    words = ["river", "stone", "lamp", "cloud", "garden", "winter", "market", "bridge", "paper", "silver", "engine"]
    rng = np.random.default_rng(0)
    texts = [" ".join([f"{i}", *rng.choice(words, int(rng.integers(2, 7)))]) for i in range(120)]
    rows, _ = table.add(texts, silent)
    table.freeze(1, rows, silent) if kind == "last:1" else table.embed(rows, silent)
    q, d = rows[:60], rows[60:]
    similarity = (table.embeddings[q] * table.embeddings[d]).sum(axis=1)
    sources = {
        "a": Pairs(q[:24], d[:24], np.arange(24) // 2, similarity[:24]),
        "b": Pairs(q[24:44], d[24:44], np.arange(20), similarity[24:44]),
    }
    own = np.arange(16)
    split = Split(q[44:], d[44:], np.arange(17), own, np.ones(16, np.float32), True)
    prepared = Prepared(sources, {"t": PreparedTarget(split, split, own % 2 == 0, own[::3])})
    trainable = "all" if kind == "static" else kind
    study = study_of(prepared, trainable=trainable, batch_size=6, max_length=32, precision="fp32", steps=12)
    study = replace(study, model=name)
    return study, Bench(prepared, open_proxy(name, study.proxy, table))


def train(study: Study, bench: Bench, proposal: Proposal, place: Path, parent: Path | None = None) -> Measurement:
    task = Task(0, proposal, 5, place, parent)
    return run_trial(study, task, bench, lambda step, score: None, 0.0).measurement


def chain(study: Study, bench: Bench, proposal: Proposal, steps: list[int], folder: Path) -> list[Measurement]:
    """Rounds of so many steps each, one going on from the other."""
    found = []
    for number, count in enumerate(steps):
        parent = folder / str(number - 1) if number else None
        asked = replace(proposal, steps=count, parent=number - 1 if number else None)
        found.append(train(study, bench, asked, folder / str(number), parent))
    return found


def left(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()}


def same(one: Measurement, two: Measurement) -> bool:
    return (one.dev, one.dev_loss, one.exposure, one.step) == (two.dev, two.dev_loss, two.exposure, two.step)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [[1, 22], [5, 5, 13], [7, 1, 2, 9, 4]])
def test_a_chain_of_rounds_equals_one_long_run_bit_for_bit(name: str, steps: list[int], tmp_path: Path) -> None:
    recipe = Recipe(Mixture({"good": 0.5, "other": 0.5}), Pruning({"other": 0.6}, SCHEDULES[name]))
    proposal = Proposal(recipe, sum(steps), Role.ROUND)
    whole = train(STUDY, BENCH, proposal, tmp_path / "whole")
    parts = chain(STUDY, BENCH, proposal, steps, tmp_path / "parts")
    assert left(tmp_path / "whole") == left(tmp_path / "parts" / str(len(steps) - 1))
    assert same(parts[-1], whole)
    assert sum(part.cost.train for part in parts) == pytest.approx(whole.cost.train)
    for source in ("good", "other"):
        counted = [part.receipt[source].completed or 0 for part in parts if source in part.receipt]
        assert sum(counted) == whole.receipt[source].completed
        assert (whole.receipt[source].completed or 0) >= 2


@pytest.mark.parametrize("name", SCHEDULES)
def test_mixed_batches_take_their_parts_from_the_schedule_in_rounds_as_in_one_run(name: str, tmp_path: Path) -> None:
    pruning, weights = Pruning(schedule=SCHEDULES[name]), Mixture({"good": 0.7, "other": 0.3})
    proposal = Proposal(Recipe(weights, pruning, Batching(mixed=True)), 16, Role.ROUND)
    whole = train(STUDY, BENCH, proposal, tmp_path / "whole")
    parts = chain(STUDY, BENCH, proposal, [7, 9], tmp_path / "parts")
    assert left(tmp_path / "whole") == left(tmp_path / "parts" / "1")
    assert same(parts[-1], whole)
    for drawn in whole.receipt.values():
        assert (drawn.completed or 0) >= 1 and drawn.pruned > 0


def test_a_schedule_changes_what_is_trained(tmp_path: Path) -> None:
    kinds = [None, *SCHEDULES.values()]
    recipes = [Recipe(Mixture({"good": 0.5, "other": 0.5}), Pruning(schedule=schedule)) for schedule in kinds]
    found = [
        train(STUDY, BENCH, Proposal(recipe, 23, Role.SEARCH), tmp_path / str(i)).dev_loss["left"]
        for i, recipe in enumerate(recipes)
    ]
    assert len(set(found)) == 4


@pytest.mark.parametrize(("real", "name"), RUNS, indirect=["real"])
def test_every_kind_of_proxy_trains_in_rounds_as_in_one_run(
    real: tuple[Study, Bench], name: str, tmp_path: Path
) -> None:
    study, bench = real
    proposal = Proposal(Recipe(Mixture({"a": 0.5, "b": 0.5}), Pruning(schedule=SCHEDULES[name])), 14, Role.ROUND)
    whole = train(study, bench, proposal, tmp_path / "whole")
    parts = chain(study, bench, proposal, [6, 8], tmp_path / "parts")
    assert left(tmp_path / "whole") == left(tmp_path / "parts" / "1")
    assert same(parts[-1], whole)
    probed = train(study, bench, replace(proposal, steps=3, probe=Probe(("a", "b"), 1)), tmp_path / "probed")
    assert all(influence.value is not None for influence in probed.influence.values())


@pytest.mark.parametrize("real", ["last:1"], indirect=True)
def test_a_refresh_takes_no_random_numbers(real: tuple[Study, Bench], tmp_path: Path) -> None:
    # Within the first epoch nothing follows from stored cosines, so that only dropout could tell the runs apart.
    study, bench = real
    files = []
    for refresh in (0, 1):
        pruning = Pruning(schedule=Schedule(refresh=refresh), least=20)
        train(study, bench, Proposal(Recipe(Mixture({"b": 1.0}), pruning), 3, Role.ROUND), tmp_path / str(refresh))
        files.append(left(tmp_path / str(refresh)))
    for part in ("parameters.safetensors", "optimiser.safetensors", "rng.safetensors"):
        assert files[0][part] == files[1][part]
    assert files[0]["walks.safetensors"] != files[1]["walks.safetensors"]


def test_a_refresh_stores_the_present_cosines_of_the_sources_in_use() -> None:
    pruning = Pruning(schedule=Schedule(refresh=4))
    run = run_of(bench_of(TABLE, PREPARED), STUDY, {"good": 0.5, "other": 0.5}, pruning=pruning)
    for _ in range(4):
        run.advance()
    expected = {name: cosines(run.model, run.sources[name], np.arange(60))[0] for name in ("good", "other")}
    run.refresh()
    for name, values in expected.items():
        walk = run.walks[name]
        assert isinstance(walk, DynamicWalk)
        assert np.array_equal(walk.memory(), values)
    unused = run.walks["shuffled"]
    assert isinstance(unused, DynamicWalk)
    assert np.array_equal(unused.memory(), PREPARED.sources["shuffled"].similarity)


def test_cosines_are_those_of_the_embeddings_whatever_is_encoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, rows = PREPARED.sources["good"], np.arange(5, 60, 2)
    encodings = Encodings(BENCH.model)
    expected = (encodings.of(pairs.queries[rows]) * encodings.of(pairs.documents[rows])).sum(axis=1)
    whole, cost = cosines(BENCH.model, pairs, rows)
    np.testing.assert_array_equal(whole, expected)
    monkeypatch.setattr("mixtune.training.encoding.encodings.PAIRS_AT_ONCE", 10)
    parts, same_cost = cosines(BENCH.model, pairs, rows)
    np.testing.assert_allclose(parts, expected, atol=1e-6)
    assert same_cost == pytest.approx(cost)


@pytest.mark.parametrize(("refresh", "times"), [(0, 0), (4, 2), (5, 1), (9, 1), (10, 0), (1, 9)])
def test_a_refresh_costs_an_encoding_and_a_product_of_every_kept_pair_in_use(
    refresh: int, times: int, tmp_path: Path
) -> None:
    pruning = Pruning({"good": 0.5}, Schedule(refresh=refresh))
    proposal = Proposal(Recipe(Mixture({"good": 0.5, "other": 0.5}), pruning), 10, Role.SEARCH)
    found = train(STUDY, BENCH, proposal, tmp_path / "c").cost.train
    never = Proposal(replace(proposal.recipe, pruning=Pruning({"good": 0.5}, Schedule())), 10, Role.SEARCH)
    plain = train(STUDY, BENCH, never, tmp_path / "d").cost.train
    pairs = 30 + 60
    assert found - plain == pytest.approx(times * pairs * (2 * 2 * 16 * 16 + 2 * 16), rel=1e-6)


def test_a_refresh_that_a_probe_moves_the_schedule_past_is_made_up_for(tmp_path: Path) -> None:
    recipe = Recipe(Mixture({"good": 1.0}), Pruning(schedule=Schedule(refresh=8)))
    first = Proposal(recipe, 6, Role.ROUND, probe=Probe(("good",), 3))
    train(STUDY, BENCH, first, tmp_path / "a")
    cost = train(STUDY, BENCH, Proposal(recipe, 1, Role.ROUND, parent=0), tmp_path / "b", tmp_path / "a").cost.train
    later = Proposal(recipe, 2, Role.ROUND, parent=0)
    more = train(STUDY, BENCH, later, tmp_path / "c", tmp_path / "b").cost.train
    step = 2 * 16 * 4 * 16 * 16 + 3 * 2 * 16 * 16 * 16
    assert cost == pytest.approx(step + 60 * (2 * 2 * 16 * 16 + 2 * 16))
    assert more == pytest.approx(2 * step)


def test_infobatch_has_nothing_to_refresh(tmp_path: Path) -> None:
    recipe = Recipe(Mixture({"good": 1.0}), Pruning(schedule=Schedule("infobatch", refresh=2)))
    plain = replace(recipe, pruning=Pruning(schedule=Schedule("infobatch")))
    costs = [
        train(STUDY, BENCH, Proposal(one, 6, Role.SEARCH), tmp_path / str(i)).cost.train
        for i, one in enumerate((recipe, plain))
    ]
    assert costs[0] == costs[1]


@pytest.mark.parametrize(
    "changed",
    [Pruning({"good": 0.5}, Schedule()), Pruning(schedule=Schedule("infobatch")), Pruning()],
    ids=["level", "method", "none"],
)
def test_a_walk_starts_anew_where_what_is_kept_or_the_method_changed(changed: Pruning, tmp_path: Path) -> None:
    first = Proposal(Recipe(Mixture({"good": 1.0}), Pruning(schedule=Schedule())), 9, Role.ROUND)
    train(STUDY, BENCH, first, tmp_path / "a")
    goes_on = Proposal(Recipe(Mixture({"good": 1.0}), changed), 4, Role.ROUND, parent=0)
    found = train(STUDY, BENCH, goes_on, tmp_path / "b", tmp_path / "a").receipt["good"]
    kept = 30 if changed.kept else 60
    assert found.unique_rows <= kept
    expected = None if changed.schedule is None else {"dynamic": 64 // 19, "infobatch": 1}[changed.schedule.method]
    assert found.completed == expected


def test_a_walk_goes_on_under_other_numbers_of_its_schedule(tmp_path: Path) -> None:
    # 9 batches of 16 of epochs of 38: 6 pairs into the fourth epoch are left for the next round, which completes it.
    first = Proposal(Recipe(Mixture({"good": 1.0}), Pruning(schedule=Schedule())), 9, Role.ROUND)
    train(STUDY, BENCH, first, tmp_path / "a")
    other = Pruning(schedule=Schedule(query_end=3.0, strength=2.0))
    goes_on = Proposal(Recipe(Mixture({"good": 1.0}), other), 1, Role.ROUND, parent=0)
    assert train(STUDY, BENCH, goes_on, tmp_path / "b", tmp_path / "a").receipt["good"].completed == 1


def test_the_schedule_spans_the_horizon_or_the_proxys_steps() -> None:
    bench = bench_of(TABLE, PREPARED)
    assert run_of(bench, STUDY, {"good": 1.0}).span == STUDY.proxy.steps == 20
