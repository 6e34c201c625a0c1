import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from small_study import bench_of, recipe, study_of, synthetic
from tokenizers import Tokenizer
from trainer_contract import TrainerContract

from mixtune.errors import TrainingError
from mixtune.measurement import Measurement
from mixtune.proposal import Probe, Proposal, Role
from mixtune.proxy import Proxy
from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source
from mixtune.study import OFFLINE_MODEL, Study
from mixtune.target import Target
from mixtune.training.base import Task, Trainer
from mixtune.training.encoding.models import resolve
from mixtune.training.measuring.devloss import DevPool
from mixtune.training.trainer import EncoderTrainer, run_trial
from mixtune.training.walks.pruning import kept_rows

TABLE, PREPARED = synthetic()
STUDY = study_of(PREPARED)
BENCH = bench_of(TABLE, PREPARED)


def train(proposal: Proposal, place: Path, *, seed: int = 1, parent: Path | None = None) -> Measurement:
    return run_trial(STUDY, Task(0, proposal, seed, place, parent), BENCH, lambda step, score: None, 0.0).measurement


def pool_of(name: str) -> DevPool:
    return DevPool(name, PREPARED.targets[name], PREPARED.targets[name].signal)


def test_training_on_the_right_source_beats_the_base_and_the_wrong_source(tmp_path: Path) -> None:
    base = train(Proposal(recipe(good=1.0), 0, Role.SURVEY), tmp_path)
    right = train(Proposal(recipe(good=1.0), 60, Role.ANCHOR), tmp_path)
    wrong = train(Proposal(recipe(shuffled=1.0), 60, Role.ANCHOR), tmp_path)
    for name in ("left", "right"):
        assert right.test[name]["ndcg@10"] > base.test[name]["ndcg@10"] + 0.05
        assert right.test[name]["ndcg@10"] > wrong.test[name]["ndcg@10"] + 0.05
        assert right.dev_loss[name] < base.dev_loss[name]


def test_a_round_is_scored_on_the_dev_queries_that_influence_is_not_measured_on(tmp_path: Path) -> None:
    everyone = train(Proposal(recipe(good=1.0), 0, Role.SEARCH), tmp_path)
    plain = train(Proposal(recipe(good=1.0), 0, Role.ROUND), tmp_path / "a")
    flipped = replace(PREPARED, targets={n: replace(t, signal=~t.signal) for n, t in PREPARED.targets.items()})
    task = Task(0, Proposal(recipe(good=1.0), 0, Role.ROUND), 1, tmp_path / "b")
    other = run_trial(STUDY, task, bench_of(TABLE, flipped), lambda step, score: None, 0.0).measurement
    assert plain.score is not None and other.score is not None
    assert plain.score != other.score
    assert (plain.score + other.score) / 2 == pytest.approx(everyone.score)
    assert (plain.dev_loss["left"] + other.dev_loss["left"]) / 2 == pytest.approx(everyone.dev_loss["left"])


def test_a_fresh_run_is_scored_on_four_parts_of_dev_too_and_a_round_or_a_small_target_is_not(tmp_path: Path) -> None:
    fresh = train(Proposal(recipe(good=1.0), 5, Role.SEARCH), tmp_path)
    # 40 dev queries per target: parts of ten each, so the whole is their mean.
    assert len(fresh.dev_parts) == 4 == len(set(fresh.dev_parts))
    assert np.mean(fresh.dev_parts) == pytest.approx(fresh.score)
    assert len(fresh.dev_signal) == 2 and min(fresh.dev_signal) <= fresh.score <= max(fresh.dev_signal)
    round_ = train(Proposal(recipe(good=1.0), 5, Role.ROUND), tmp_path / "a")
    assert round_.dev_parts == round_.dev_signal == ()
    table, few = synthetic(queries=15)
    task = Task(0, Proposal(recipe(good=1.0), 5, Role.SEARCH), 1, tmp_path / "b")
    found = run_trial(study_of(few), task, bench_of(table, few), lambda step, score: None, 0.0).measurement
    assert found.dev_parts == () and found.score is not None


def test_the_dev_loss_of_a_probing_round_is_that_of_a_plain_one(tmp_path: Path) -> None:
    plain = train(Proposal(recipe(good=1.0), 7, Role.ROUND), tmp_path / "a")
    probing = train(Proposal(recipe(good=1.0), 7, Role.ROUND, probe=Probe(("good", "other"), 2)), tmp_path / "b")
    assert probing.dev_loss == pytest.approx(plain.dev_loss)
    assert probing.score != plain.score


def test_probes_change_nothing_but_the_parameters_of_the_next_round(tmp_path: Path) -> None:
    # A probe of zero weight in the merge: the chain goes on as if there had been no probe.
    first = Proposal(recipe(good=0.5, other=0.5), 6, Role.ROUND)
    train(first, tmp_path / "a1")
    train(replace(first, probe=Probe(("good", "shuffled"), 2, epsilon=0.0)), tmp_path / "b1")
    plain = train(replace(first, parent=0), tmp_path / "a2", parent=tmp_path / "a1")
    probed = train(replace(first, parent=0), tmp_path / "b2", parent=tmp_path / "b1")
    assert plain.score == probed.score and plain.receipt == probed.receipt and plain.loss == probed.loss


def test_exposure_adds_up_along_a_chain(tmp_path: Path) -> None:
    first = Proposal(recipe(good=0.5, other=0.5), 6, Role.ROUND, probe=Probe(("good", "other", "shuffled"), 3))
    one = train(first, tmp_path / "a")
    two = train(replace(first, parent=0), tmp_path / "b", seed=2, parent=tmp_path / "a")
    merged = (one.merge == "merged") + (two.merge == "merged")
    assert sum(one.exposure.values()) == pytest.approx(6 + 3 * (one.merge == "merged"))
    assert sum(two.exposure.values()) == pytest.approx(12 + 3 * merged)
    assert two.step == 18


def test_pruning_keeps_the_best_pairs_and_ties_by_order() -> None:
    pairs = replace(PREPARED.sources["good"], similarity=np.array([0.1, 0.9, 0.5, 0.5, np.nan] * 40, dtype=np.float32))
    kept = kept_rows(pairs, "good", Pruning({"good": 0.3}))
    assert len(kept) == 60
    assert set(kept[kept % 5 == 1]) == set(range(1, 200, 5))
    assert kept[kept % 5 != 1].tolist() == [5 * (i // 2) + 2 + i % 2 for i in range(20)]


def test_a_pruned_source_gives_only_what_is_kept(tmp_path: Path) -> None:
    pruned = Recipe(Mixture({"good": 1.0}), Pruning({"good": 0.2}))
    drawn = train(Proposal(pruned, 10, Role.SEARCH), tmp_path).receipt["good"]
    assert (drawn.unique_rows, drawn.epochs) == (40, 4.0)


def test_a_chain_may_change_what_is_kept(tmp_path: Path) -> None:
    train(Proposal(recipe(good=1.0), 11, Role.ROUND), tmp_path / "a")
    pruned = Recipe(Mixture({"good": 1.0}), Pruning({"good": 0.2}))
    after = train(Proposal(pruned, 10, Role.ROUND, parent=0), tmp_path / "b", parent=tmp_path / "a")
    assert after.receipt["good"].unique_rows == 40


def test_a_loss_that_is_not_finite_names_step_and_source(tmp_path: Path) -> None:
    table, prepared = synthetic()
    table.embeddings[prepared.sources["other"].documents] = np.nan
    task = Task(0, Proposal(recipe(other=1.0), 5, Role.ROUND), 1, tmp_path / "c")
    with pytest.raises(TrainingError, match=r"the loss is nan at step 1, on a batch of source 'other'"):
        run_trial(STUDY, task, bench_of(table, prepared), lambda step, score: None, 0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_trial_starts_from_the_base_whatever_the_last_one_left(tmp_path: Path) -> None:
    proposal = Proposal(recipe(good=1.0), 5, Role.SEARCH)
    first = train(proposal, tmp_path)
    train(Proposal(recipe(shuffled=1.0), 50, Role.SEARCH), tmp_path)
    assert replace(train(proposal, tmp_path), cost=first.cost) == first


def test_training_leaves_torchs_own_random_numbers_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    train(Proposal(recipe(good=1.0), 3, Role.SEARCH), tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_strange_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="weight to strange; the study has good, other, shuffled"):
        train(Proposal(recipe(strange=1.0), 3, Role.SEARCH), tmp_path)


def test_a_parent_without_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="goes on from trial 4"):
        train(Proposal(recipe(good=1.0), 3, Role.ROUND, parent=4), tmp_path)


def test_a_checkpoint_of_another_proxy_is_refused(tmp_path: Path) -> None:
    train(Proposal(recipe(good=1.0), 1, Role.ROUND), tmp_path / "a")
    other = bench_of(replace(TABLE, embeddings=TABLE.embeddings[:, :8]), PREPARED)
    task = Task(1, Proposal(recipe(good=1.0), 1, Role.ROUND, parent=0), 1, tmp_path / "b", tmp_path / "a")
    with pytest.raises(TrainingError, match="is not of this proxy"):
        run_trial(STUDY, task, other, lambda step, score: None, 0.0)


WORDS = [
    "river",
    "stone",
    "lamp",
    "cloud",
    "garden",
    "winter",
    "market",
    "bridge",
    "paper",
    "silver",
    "engine",
    "forest",
    "letter",
    "island",
    "mirror",
]


def beir_folder(folder: Path, seed: int, queries: int = 36, documents: int = 40) -> None:
    """Questions of three words about notes that hold these and others, of very different lengths."""
    rng = np.random.default_rng(seed)
    folder.joinpath("qrels").mkdir(parents=True)
    notes = [[str(w) for w in rng.choice(WORDS, int(rng.integers(4, 40)))] for _ in range(documents)]
    asked = [" ".join(rng.choice(notes[i % documents], 3)) + f" {seed} {i}" for i in range(queries)]
    with gzip.open(folder / "corpus.jsonl.gz", "wt") as out:
        for i, note in enumerate(notes):
            print(json.dumps({"_id": f"d{i}", "title": "", "text": f"{' '.join(note)} {seed} {i}"}), file=out)
    with gzip.open(folder / "queries.jsonl.gz", "wt") as out:
        for i, query in enumerate(asked):
            print(json.dumps({"_id": f"q{i}", "text": query}), file=out)
    for split, part in (("train", range(0, 16)), ("dev", range(16, 26)), ("test", range(26, queries))):
        lines = ["query-id\tcorpus-id\tscore", *(f"q{i}\td{i % documents}\t1" for i in part)]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(("notes", "logs")):
        beir_folder(folder / name, seed)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_a_head_trains_on_one_thread_and_gives_the_others_back(tmp_path: Path) -> None:
    torch.set_num_threads(2)
    try:
        seen: list[int] = []
        task = Task(0, Proposal(recipe(good=1.0), 10, Role.SEARCH), 1, tmp_path / "c")
        run_trial(STUDY, task, BENCH, lambda step, score: seen.append(torch.get_num_threads()), 0.0)
        assert set(seen[:-1]) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_a_round_that_merges_nothing_is_scored_without_encoding_its_dev_loss_again(tmp_path: Path) -> None:
    table, prepared = synthetic()
    good, reverse = prepared.sources["good"], prepared.sources["shuffled"]
    table.embeddings[reverse.queries] = table.embeddings[good.queries]
    table.embeddings[reverse.documents] = -table.embeddings[good.documents]
    bench = bench_of(table, prepared)

    def probed(source: str) -> Measurement:
        proposal = Proposal(recipe(good=1.0), 20, Role.ROUND, probe=Probe((source,), 5))
        task = Task(0, proposal, 1, tmp_path / source)
        return run_trial(STUDY, task, bench, lambda step, score: None, 0.0).measurement

    merged, kept = probed("good"), probed("shuffled")
    assert (merged.merge, kept.merge) == ("merged", "no_merge")
    known = sum(
        len(np.unique(target.dev.documents[pool_of(name).positions])) for name, target in PREPARED.targets.items()
    )
    assert merged.cost.dev - kept.cost.dev == 2 * 16 * 16 * known


def test_a_round_that_is_not_scored_differs_in_nothing_but_the_look_at_dev(tmp_path: Path) -> None:
    proposal = Proposal(recipe(good=1.0), 6, Role.ROUND, probe=Probe(("good", "other"), 2, queries=4, negatives=3))
    scored, plain = (train(replace(proposal, scored=yes), tmp_path / str(yes)) for yes in (True, False))
    assert scored.score is not None and (plain.score, plain.dev) == (None, {})
    assert 0 < plain.cost.dev < scored.cost.dev
    same = {"score": scored.score, "dev": scored.dev, "cost": scored.cost, "checkpoint": scored.checkpoint}
    assert replace(plain, **same) == scored  # type: ignore[arg-type]
    files = [{path.name: path.read_bytes() for path in (tmp_path / str(yes)).iterdir()} for yes in (True, False)]
    assert files[0] == files[1]


def test_a_source_of_one_document_only_teaches_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    pairs = PREPARED.sources["good"]
    same = replace(pairs, documents=np.full_like(pairs.documents, pairs.documents[0]))
    prepared = replace(PREPARED, sources={**PREPARED.sources, "good": same})
    proposal = Proposal(recipe(good=1.0), 5, Role.SEARCH)
    task = Task(0, proposal, 1, tmp_path / "c")
    found = run_trial(STUDY, task, bench_of(TABLE, prepared), lambda step, score: None, 0.0).measurement
    base = train(Proposal(recipe(good=1.0), 0, Role.SEARCH), tmp_path)
    assert found.loss == {"good": 0.0}
    assert (found.dev, found.dev_loss) == (base.dev, pytest.approx(base.dev_loss))


@pytest.mark.parametrize("rows", [2, 3])
def test_sources_of_two_rows_and_batches_of_two_are_enough(tmp_path: Path, rows: int) -> None:
    few = {
        name: replace(
            pairs, **{part: getattr(pairs, part)[:rows] for part in ("queries", "documents", "groups", "similarity")}
        )
        for name, pairs in PREPARED.sources.items()
    }
    prepared = replace(PREPARED, sources=few)
    study = study_of(prepared, batch_size=2)
    proposal = Proposal(recipe(good=0.5, other=0.5), 9, Role.ROUND, probe=Probe(("good", "shuffled"), 2))
    task = Task(0, proposal, 1, tmp_path / "c")
    found = run_trial(study, task, bench_of(TABLE, prepared), lambda step, score: None, 0.0).measurement
    assert sum(drawn.rows for drawn in found.receipt.values()) == 18
    assert all(np.isfinite(loss) for loss in found.loss.values())


ODD = [
    "\u200b",
    "\ufeff",
    "\x00x",
    "e\u0301 vs \u00e9",
    "\ud800 lone",
    "\u202eleft",
    "a" * 3000,
    "word " * 900,
    "\u65e5\u672c",
    "one",
]


@pytest.mark.parametrize("trainable", ["head", "last:1"])
def test_odd_texts_train_and_score(trainable: str, root: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "odd" / "qrels").mkdir(parents=True)
    for kind, extra in (("corpus", "d"), ("queries", "q")):
        lines = (json.dumps({"_id": f"{extra}{i}", "title": "", "text": text}) for i, text in enumerate(ODD))
        (tmp_path / "odd" / f"{kind}.jsonl").write_text("\n".join(lines))
    judged = (f"q{i}\td{i}\t1" for i in range(len(ODD)))
    (tmp_path / "odd" / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(judged))
    trainer = EncoderTrainer(root)
    study = Study(
        name="odd",
        sources=(Source("odd", "beir", str(tmp_path / "odd")),),
        targets=(Target("notes", "beir", str(data / "notes")),),
        search=Search("infdds"),
        budget=Budget(trials=1),
        proxy=Proxy(trainable=trainable, steps=3, batch_size=4, precision="fp32", max_length=16),
    )
    study = replace(study, preparation=trainer.prepare(study, lambda what, done, total: None))
    proposal = Proposal(Recipe(Mixture({"odd": 1.0})), 3, Role.ROUND, probe=Probe(("odd",), 1))
    found = trainer.train(study, Task(0, proposal, 1, tmp_path / "c"), lambda step, score: None).measurement
    assert study.rows == {"odd": len(ODD)}
    assert np.isfinite(found.loss["odd"]) and found.influence["odd"].value is not None
    assert found.score is not None and 0 <= found.score <= 1


class RealTrainerContract(TrainerContract):
    """On the real model, with real texts."""

    trainable = "head"

    @pytest.fixture(scope="class")
    @classmethod
    def trainer(cls, root: Path) -> Trainer:
        return EncoderTrainer(root)

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> str:
        return OFFLINE_MODEL

    @pytest.fixture(scope="class")
    @classmethod
    def study(cls, trainer: Trainer, data: Path, model: str) -> Study:
        study = Study(
            model=model,
            name="real",
            sources=tuple(Source(name, "beir", str(data / name)) for name in ("notes", "logs")),
            targets=(Target("notes", "beir", str(data / "notes")),),
            search=Search("infdds"),
            budget=Budget(trials=4),
            proxy=Proxy(trainable=cls.trainable, steps=8, batch_size=6, precision="fp32", max_length=64),
        )
        return replace(study, preparation=trainer.prepare(study, lambda what, done, total: None))

    def test_a_rate_beyond_all_bounds_names_step_and_source(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        wild = replace(study, proxy=replace(study.proxy, learning_rate=1e38))
        with pytest.raises(TrainingError, match=r"the loss is nan at step [2-4], on a batch of source '(notes|logs)'"):
            self.run(trainer, wild, Proposal(recipe, 4, Role.ROUND), tmp_path / "c")
        assert list(tmp_path.iterdir()) == []

    def test_probes_at_a_rate_beyond_all_bounds_have_no_influence(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        wild = replace(study, proxy=replace(study.proxy, learning_rate=1e38))
        proposal = Proposal(recipe, 0, Role.ROUND, probe=Probe(study.names, 2))
        found = self.run(trainer, wild, proposal, tmp_path / "c").measurement
        assert [influence.value for influence in found.influence.values()] == [None, None]
        assert found.merge == "no_merge" and found.score is not None and np.isfinite(found.score)


class TestHeadTrainer(RealTrainerContract):
    """A dense layer on frozen embeddings."""


class TestLastLayerTrainer(RealTrainerContract):
    """One layer with dropout, in fp32."""

    trainable = "last:1"


class TestStaticTrainer(RealTrainerContract):
    """A bag of token embeddings, trained whole."""

    trainable = "all"

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, tmp_path_factory: pytest.TempPathFactory) -> str:
        folder = tmp_path_factory.mktemp("static") / "model"
        tokenizer = Tokenizer.from_file(str(resolve(OFFLINE_MODEL).path / "tokenizer.json"))
        weights = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 16)).astype(np.float32)
        static = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu")
        static.save_pretrained(str(folder), create_model_card=False)
        return str(folder)


@pytest.mark.slow
class TestFullTrainer(RealTrainerContract):
    """The whole model with dropout, in fp32."""

    trainable = "all"
