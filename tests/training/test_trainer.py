import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_study import bench_of, recipe, study_of, synthetic
from trainer_contract import TrainerContract

from mixtune.errors import TrainingError
from mixtune.recipe import Mixture, Pruning, Recipe
from mixtune.source import Source
from mixtune.study import Budget, Proxy, Search, Study
from mixtune.target import Target
from mixtune.training.base import Task, Trainer
from mixtune.training.trainer import EncoderTrainer, kept_rows, run_trial
from mixtune.trial import Measurement, Probe, Proposal, Role

TABLE, PREPARED = synthetic()
STUDY = study_of(PREPARED)
BENCH = bench_of(TABLE, PREPARED)


def train(proposal: Proposal, place: Path, *, seed: int = 1, parent: Path | None = None) -> Measurement:
    return run_trial(STUDY, Task(0, proposal, seed, place, parent), BENCH, lambda step, score: None, 0.0).measurement


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
    kept = kept_rows(pairs, "good", Recipe(Mixture({"good": 1.0}), Pruning({"good": 0.3})))
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


class RealTrainerContract(TrainerContract):
    """On the real model, with real texts."""

    trainable = "head"

    @pytest.fixture
    def trainer(self, root: Path) -> Trainer:
        return EncoderTrainer(root)

    @pytest.fixture
    def study(self, trainer: Trainer, data: Path) -> Study:
        study = Study(
            name="real",
            sources=tuple(Source(name, "beir", str(data / name)) for name in ("notes", "logs")),
            targets=(Target("notes", "beir", str(data / "notes")),),
            search=Search("infdds"),
            budget=Budget(trials=4),
            proxy=Proxy(trainable=self.trainable, steps=8, batch_size=6, precision="fp32", max_length=64),
        )
        return replace(study, preparation=trainer.prepare(study, lambda what, done, total: None))


class TestHeadTrainer(RealTrainerContract):
    """A dense layer on frozen embeddings."""


class TestLastLayerTrainer(RealTrainerContract):
    """One layer with dropout, in fp32."""

    trainable = "last:1"


@pytest.mark.slow
class TestFullTrainer(RealTrainerContract):
    """The whole model with dropout, in fp32."""

    trainable = "all"
