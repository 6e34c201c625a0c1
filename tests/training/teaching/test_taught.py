import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from taught_study import MINILM, save_cross_encoder, save_student, silent, study_on, write_data

from mixtune.batching import Batching
from mixtune.errors import DataError, ModelError
from mixtune.measurement import Measurement
from mixtune.proposal import Probe, Proposal, Role
from mixtune.proxy import Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.source import Source
from mixtune.space import Space
from mixtune.study import Study
from mixtune.teacher import Teacher
from mixtune.training.base import Task
from mixtune.training.data.reading import read_source
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.encoding.models import resolve
from mixtune.training.prepared import Pairs, Prepared
from mixtune.training.preparing.prepare import load_prepared, prepare
from mixtune.training.step import step_of
from mixtune.training.teaching.taught import pair_spread
from mixtune.training.trainer import EncoderTrainer, open_bench
from mixtune.training.walks.walk import Taken

ONE = Mixture({"things": 1.0})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_student(tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="module")
def cross(tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    return Teacher(save_cross_encoder(tmp_path_factory.mktemp("cross")), "cross-encoder")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def prepared(data: Path, student: str, root: Path) -> Callable[..., Study]:
    def of(**proxy: object) -> Study:
        study = study_on(data, student, **proxy)
        return replace(study, preparation=prepare(study, root, silent))

    return of


@pytest.fixture
def no_scoring(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on no cross-encoder can be loaded, and workers are new."""

    def forbid() -> None:
        open_bench.cache_clear()
        monkeypatch.setattr(
            "mixtune.training.teaching.crossencoder.CrossEncoder", lambda *args, **kwargs: pytest.fail("loaded")
        )

    return forbid


def arrays(study: Study, root: Path) -> Prepared:
    return load_prepared(root, study.prepared.key)


def train(
    study: Study, root: Path, place: Path, recipe: Recipe | None = None, *, role: Role = Role.SEARCH, **more: object
) -> Measurement:
    steps = more.pop("steps", study.proxy.steps)
    parent = more.pop("parent_folder", None)
    proposal = Proposal(recipe or Recipe(ONE), steps, role, **more)
    task = Task(0, proposal, 5, place, parent)
    return EncoderTrainer(root).train(study, task, lambda step, score: None).measurement


def texts_of(study: Study, root: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(query, document) texts of the positives and of the hard negatives, as the prepared arrays name them."""
    pairs, source = arrays(study, root).sources["things"], read_source(study.sources[0], root)
    text = dict(zip(pairs.documents.tolist(), source.documents, strict=True))
    owners = np.repeat(np.arange(len(pairs.queries)), np.diff(pairs.starts))
    negatives = [(source.queries[i], text[row]) for i, row in zip(owners, pairs.negatives.tolist(), strict=True)]
    return list(zip(source.queries, source.documents, strict=True)), negatives


def test_a_source_mines_its_negatives_and_says_how_many(prepared: Callable[..., Study], root: Path) -> None:
    study = prepared()
    positives, negatives = texts_of(study, root)
    assert len(negatives) > 24 and not set(positives) & set(negatives)
    assert f"source 'things': {len(negatives)} hard negatives were mined for 24 pairs" in study.prepared.notes


def test_mining_is_part_of_the_key(data: Path, student: str, root: Path) -> None:
    keys = {prepare(study_on(data, student, mine=mine), root, silent).key for mine in (0, 2, 3)}
    assert len(keys) == 3


def test_a_source_that_brings_negatives_keeps_those(data: Path, student: str, root: Path, tmp_path: Path) -> None:
    rows = [{"query": f"where is {i}", "positive": f"here is {i}", "negative": f"there is {i}"} for i in range(6)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = Source("things", "jsonl", str(tmp_path / "pairs.jsonl"), mine=4)
    study = replace(study_on(data, student), sources=(source,))
    found = replace(study, preparation=prepare(study, root, silent))
    assert np.diff(arrays(found, root).sources["things"].starts).tolist() == [1] * 6
    assert not any("mined" in note for note in found.prepared.notes)


def test_a_cross_encoders_scores_are_its_logits(prepared: Callable[..., Study], root: Path, cross: Teacher) -> None:
    study = prepared(teacher=cross, loss="margin-mse")
    positives, negatives = texts_of(study, root)
    model = CrossEncoder(cross.model, device="cpu")
    expected = model.predict([*positives, *negatives], activation_fn=torch.nn.Identity(), show_progress_bar=False)
    scores = arrays(study, root).sources["things"].teacher
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert scores.min() < -0.1 and scores.std() > 0.05  # a sigmoid would leave nothing below 0
    assert study.prepared.flops > 0


def test_a_sentence_transformers_scores_are_twenty_cosines(prepared: Callable[..., Study], root: Path) -> None:
    study = prepared(teacher=MINILM, loss="margin-mse")
    positives, negatives = texts_of(study, root)
    table = FeatureTable(root, resolve(MINILM.model), max_length=24, precision="fp32")
    rows, new = table.add([text for pair in (*positives, *negatives) for text in pair], silent)
    assert new == 0
    expected = 20 * (table.embeddings[rows[::2]] * table.embeddings[rows[1::2]]).sum(axis=1)
    np.testing.assert_allclose(arrays(study, root).sources["things"].teacher, expected, rtol=1e-5)


def test_scores_are_computed_once_for_all_studies(
    prepared: Callable[..., Study], cross: Teacher, no_scoring: Callable[[], None]
) -> None:
    first = prepared(teacher=cross, batch_teacher=cross, loss="dual")
    no_scoring()
    # Another proxy has another preparation: it finds the scores, not the arrays.
    second = prepared(teacher=cross, batch_teacher=cross, loss="margin-mse", trainable="head")
    assert second.prepared.key != first.prepared.key
    assert second.prepared.flops == 0


def test_teachers_margins_spread_as_the_untrained_students(prepared: Callable[..., Study], root: Path) -> None:
    study = prepared(teacher=MINILM, loss="margin-mse")
    found = arrays(study, root)
    pairs, embeddings = found.sources["things"], open_bench_of(study, root).model.table.embeddings
    owners = np.repeat(np.arange(24), np.diff(pairs.starts))
    q, p, n = embeddings[pairs.queries[owners]], embeddings[pairs.documents[owners]], embeddings[pairs.negatives]
    student = ((q * p).sum(1) - (q * n).sum(1)) / 0.05
    teacher = pairs.teacher[owners] - pairs.teacher[24:]
    assert found.spread is not None
    np.testing.assert_allclose((teacher / found.spread.divisor(0.05)).std(), student.std(), rtol=1e-4)
    np.testing.assert_allclose(found.spread.divisor(0.1), 2 * found.spread.divisor(0.05))


def open_bench_of(study: Study, root: Path) -> object:
    return open_bench(root, study.prepared.key, study.model, study.proxy)


def test_a_step_takes_the_scaled_margins(prepared: Callable[..., Study], root: Path) -> None:
    study = prepared(teacher=MINILM, loss="margin-mse")
    bench = open_bench_of(study, root)
    bench.model.reset()
    pairs, spread = bench.prepared.sources["things"], bench.prepared.spread
    rows = np.arange(6)
    step = step_of(pairs, Taken(rows, pairs.starts[rows]), 1, 0, 0, bench.teaching)
    e = bench.model.table.embeddings
    q, p, n = e[pairs.queries[rows]], e[pairs.documents[rows]], e[pairs.negatives[pairs.starts[rows]]]
    margins = pairs.teacher[rows] - pairs.teacher[24 + pairs.starts[rows]]
    expected = (((q * p).sum(1) - (q * n).sum(1)) / 0.05 - margins / spread.divisor(0.05)) ** 2
    np.testing.assert_allclose(step.run(bench.model, study.proxy).losses, expected, rtol=1e-4)


@pytest.mark.parametrize("loss", ["margin-mse", "in-batch"])
def test_raw_margins_are_taken_as_the_teacher_has_them(prepared: Callable[..., Study], root: Path, loss: str) -> None:
    matched, raw = (
        prepared(teacher=MINILM, batch_teacher=MINILM, loss=loss, teacher_scale=scale) for scale in ("matched", "raw")
    )
    assert raw.prepared.key == matched.prepared.key
    bench = open_bench_of(raw, root)
    bench.model.reset()
    pairs, rows = bench.prepared.sources["things"], np.arange(6)
    found = step_of(pairs, Taken(rows, pairs.starts[rows]), 1, 0, 0, bench.teaching).run(bench.model, raw.proxy).losses
    student, teacher = bench.model.table, FeatureTable(root, resolve(MINILM.model), max_length=24, precision="fp32")
    texts = np.concatenate([pairs.queries[rows], pairs.documents[rows], pairs.negatives[pairs.starts[rows]]])
    taught = teacher.embeddings[teacher.rows_of(student.addresses(texts))]
    gap = 20 * (margins(student.embeddings[texts]) - margins(taught))
    others = (gap.reshape(6, 2, 6) ** 2 * (1 - np.eye(6))[:, None]).sum(axis=(1, 2)) / 10
    expected = np.diag(gap[:, 6:]) ** 2 if loss == "margin-mse" else others
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def margins(embeddings: np.ndarray) -> np.ndarray:
    """Of six queries, their positives and one negative each: cosine with the own positive minus that with each text."""
    cosines = embeddings[:6] @ embeddings[6:].T
    return np.diag(cosines[:, :6])[:, None] - cosines


def test_in_batch_margins_are_scaled_by_a_spread_of_their_own(prepared: Callable[..., Study], root: Path) -> None:
    study = prepared(batch_teacher=MINILM, loss="in-batch")
    bench = open_bench_of(study, root)
    pairs, spread = bench.prepared.sources["things"], bench.prepared.batch_spread
    assert spread is not None and bench.prepared.spread is None
    teacher = FeatureTable(root, resolve(MINILM.model), max_length=24, precision="fp32")
    student = bench.model.table

    def every_margin(embeddings: np.ndarray, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        scores = embeddings[queries] @ embeddings[documents].T
        return (np.diag(scores)[:, None] - scores)[~np.eye(24, dtype=bool)]

    own = every_margin(student.embeddings, pairs.queries, pairs.documents)
    names = (student.addresses(rows) for rows in (pairs.queries, pairs.documents))
    taught = every_margin(teacher.embeddings, *(teacher.rows_of(each) for each in names))
    assert spread.cosine == pytest.approx(own.std(), rel=0.1)
    assert spread.teacher == pytest.approx(20 * taught.std(), rel=0.1)


def test_scores_in_the_data_have_a_spread_too() -> None:
    pairs = Pairs(
        *(np.array([0]), np.array([1]), np.array([0]), np.zeros(1, np.float32)),
        starts=np.array([0, 2]),
        negatives=np.array([2, 3]),
        teacher=np.array([5, 3, 1], dtype=np.float32),
    )
    embeddings = np.array([[1, 0], [1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    found = pair_spread([pairs], embeddings)
    assert found is not None
    # Margins 2 and 4 of the teacher, 0.4 and 1 of the cosine: deviations 1 and 0.3.
    assert (found.teacher, found.cosine) == (pytest.approx(1), pytest.approx(0.3))
    assert found.divisor(0.05) == pytest.approx(1 * 0.05 / 0.3)
    assert pair_spread([Pairs(pairs.queries, pairs.documents, pairs.groups, pairs.similarity)], embeddings) is None


@pytest.mark.parametrize("loss", ["infonce", "margin-mse", "in-batch", "dual"])
def test_every_loss_trains_a_static_student_with_a_minilm_teacher(
    loss: str, prepared: Callable[..., Study], root: Path, tmp_path: Path
) -> None:
    study = prepared(teacher=MINILM, batch_teacher=MINILM, loss=loss, steps=30)
    recipe = Recipe(ONE, batching=Batching(topics=8, margin_bins=3))
    runs = [train(study, root, tmp_path / name, recipe) for name in "ab"]
    assert runs[0].loss == runs[1].loss and runs[0].score == runs[1].score
    short = train(study, root, tmp_path / "c", recipe, steps=3)
    assert runs[0].loss["things"] < short.loss["things"]
    assert runs[0].receipt["things"].batches == 30


def test_the_unit_of_a_budget_counts_the_in_batch_teachers_products(
    prepared: Callable[..., Study], root: Path, tmp_path: Path
) -> None:
    study = prepared(teacher=MINILM, batch_teacher=MINILM, loss="dual")
    run = train(study, root, tmp_path / "run")
    assert run.cost.flops == pytest.approx(study.prepared.run_flops)
    # Batches of 8 with one negative each: the teacher's products of 384 numbers, the student's of 32 forth and back.
    assert run.cost.train == pytest.approx(12 * 2 * 8 * 16 * (384 + 3 * 32))


def test_topics_that_recipes_may_ask_for_are_found_at_preparation(
    data: Path, student: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = Space(batching=Batching(topics=8), choices={"topics": (8.0, 12.0)})
    study = replace(study_on(data, student), space=space)
    study = replace(study, preparation=prepare(study, tmp_path, silent))
    monkeypatch.setattr(
        "mixtune.training.walks.topics._clustered", lambda points, count: pytest.fail("clustered in a trial")
    )
    for topics in (8, 12):
        recipe = Recipe(ONE, batching=Batching(topics=topics))
        assert train(study, tmp_path, tmp_path / f"run{topics}", recipe, steps=1).receipt["things"].rows == 8


def test_rounds_by_topic_are_one_run(prepared: Callable[..., Study], root: Path, tmp_path: Path) -> None:
    study = prepared(teacher=MINILM, batch_teacher=MINILM, loss="dual")
    recipe = Recipe(ONE, batching=Batching(topics=8, clusters=2, margin_bins=3))
    whole = train(study, root, tmp_path / "whole", recipe, role=Role.ROUND, steps=9)
    train(study, root, tmp_path / "first", recipe, role=Role.ROUND, steps=4)
    second = train(
        study, root, tmp_path / "second", recipe, role=Role.ROUND, steps=5, parent=0, parent_folder=tmp_path / "first"
    )
    assert second.score == whole.score and second.dev == whole.dev
    left, right = ((tmp_path / name / "parameters.safetensors").read_bytes() for name in ("whole", "second"))
    assert left == right


def test_probes_draw_by_topic_too(prepared: Callable[..., Study], root: Path, tmp_path: Path) -> None:
    study = prepared(teacher=MINILM, batch_teacher=MINILM, loss="dual")
    probe = Probe(("things",), 2)

    def influence(batching: Batching) -> float | None:
        place = tmp_path / f"topics{batching.topics}"
        found = train(study, root, place, Recipe(ONE, batching=batching), role=Role.ROUND, steps=0, probe=probe)
        return found.influence["things"].value

    assert influence(Batching(topics=8)) != influence(Batching())


def test_an_in_batch_cross_encoder_is_asked_once_for_each_pair(
    prepared: Callable[..., Study], root: Path, tmp_path: Path, cross: Teacher, no_scoring: Callable[[], None]
) -> None:
    study = prepared(batch_teacher=cross, loss="in-batch")
    first = train(study, root, tmp_path / "a", steps=2)
    no_scoring()
    again = train(study, root, tmp_path / "b", steps=2)
    assert again.loss == first.loss and again.score == first.score
    assert again.cost.train == first.cost.train


def test_a_teacher_that_lost_its_texts_is_prepared_again(
    data: Path, student: str, cross: Teacher, tmp_path: Path
) -> None:
    study = study_on(data, student, batch_teacher=cross, loss="in-batch")
    prepare(study, tmp_path, silent)
    for file in (tmp_path / "teachers").iterdir():
        file.unlink()
    found = replace(study, preparation=prepare(study, tmp_path, silent))
    assert train(found, tmp_path, tmp_path / "run", steps=1).loss["things"] > 0


def test_the_in_batch_teacher_masks_infonce(
    prepared: Callable[..., Study], root: Path, tmp_path: Path, cross: Teacher
) -> None:
    # A random teacher prefers many documents to the positive.
    plain, masked = prepared(), prepared(batch_teacher=cross)
    losses = [train(study, root, tmp_path / study.prepared.key, steps=2).loss["things"] for study in (plain, masked)]
    assert losses[1] < 0.9 * losses[0]


def test_a_loss_without_its_teacher_is_refused_before_anything_is_computed(
    data: Path, student: str, tmp_path: Path
) -> None:
    for loss, lacking in (("in-batch", "in-batch teacher"), ("dual", "in-batch teacher"), ("margin-mse", "scores")):
        with pytest.raises(DataError, match=lacking):
            prepare(study_on(data, student, loss=loss), tmp_path, silent)
    with pytest.raises(DataError, match=r"margin-mse.*these have none: things; mine negatives"):
        prepare(study_on(data, student, mine=0, loss="margin-mse", teacher=MINILM), tmp_path, silent)
    assert not list((tmp_path / "features").glob("*/embeddings*"))


@pytest.mark.parametrize(
    "space", [Space(batching=Batching(margin_bins=10)), Space(choices={"margin_bins": (1.0, 10.0)})]
)
def test_margin_bins_that_no_source_has_margins_for_are_refused(
    space: Space, data: Path, student: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="margin_bins 10 needs hard negatives with a teacher's scores"):
        prepare(replace(study_on(data, student), space=space), tmp_path, silent)


def test_queries_that_cannot_be_balanced_are_counted(
    prepared: Callable[..., Study], root: Path, tmp_path: Path
) -> None:
    study = prepared(teacher=MINILM, mine=1)
    found = train(study, root, tmp_path / "run", Recipe(ONE, batching=Batching(margin_bins=10)), steps=1)
    assert found.remarks == (
        "source 'things': 24 of 24 queries have a single pair or none with a hard negative, so their margin is not"
        " balanced",
    )


def test_a_cross_encoder_of_several_labels_is_refused(data: Path, student: str, tmp_path: Path) -> None:
    three = Teacher(save_cross_encoder(tmp_path / "three", labels=3), "cross-encoder")
    with pytest.raises(ModelError, match="gives 3 scores a pair"):
        prepare(study_on(data, student, teacher=three, loss="margin-mse"), tmp_path / "cache", silent)


def test_a_teacher_of_no_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="one of cross-encoder, sentence-transformer, got 'oracle'"):
        Proxy(teacher=Teacher("m", "oracle"))
