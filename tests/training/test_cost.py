from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_study import DIM, bench_of, run_of, study_of, synthetic
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mixtune.proposal import JUDGED, Probe, Proposal, Role
from mixtune.proxy import Proxy
from mixtune.recipe import Recipe
from mixtune.study import OFFLINE_MODEL
from mixtune.training.base import Task
from mixtune.training.cost import fresh_run_flops, judging_flops, search_flops
from mixtune.training.encoding import models
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.losses import LOSSES
from mixtune.training.prepared import Pairs
from mixtune.training.proxy import ProxyModel, open_proxy
from mixtune.training.step import step_of
from mixtune.training.teaching.teachers import BatchTeacher, EmbeddingTeacher, Teaching
from mixtune.training.trainer import run_trial
from mixtune.training.walks.walk import Taken

TEXTS = 24
PROXY = Proxy(precision="fp32", max_length=48)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> FeatureTable:
    rng = np.random.default_rng(0)
    words = [
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
    ]
    texts = [" ".join(rng.choice(words, int(rng.integers(3, 60)))) + f" {i}" for i in range(TEXTS)]
    table = FeatureTable(
        tmp_path_factory.mktemp("cache"), models.resolve(OFFLINE_MODEL), max_length=48, precision="fp32"
    )
    rows, _ = table.add(texts, lambda what, done, total: None)
    for layers in (1, 2):
        table.freeze(layers, rows, lambda what, done, total: None)
    return table


@contextmanager
def counted() -> Iterator[FlopCounterMode]:
    # The fused attention kernels of the CPU have no formula in torch's counter; the plain products do.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        yield counter


def opened(table: FeatureTable, trainable: str) -> ProxyModel:
    return open_proxy(OFFLINE_MODEL, replace(PROXY, trainable=trainable), table)


@pytest.mark.parametrize("trainable", ["head", "last:1", "last:2", "all"])
def test_a_training_step_costs_what_torchs_counter_counts(table: FeatureTable, trainable: str) -> None:
    model = opened(table, trainable)
    queries, documents = np.arange(0, 24, 2), np.arange(1, 25, 2)
    model.module.train()
    step = step_of(Pairs(queries, documents, np.arange(12), np.zeros(12, np.float32)), Taken(np.arange(12)), 1, 0, 0)
    with counted() as counter:
        step.run(model, PROXY).loss.backward()
    assert step.flops(model, PROXY) == pytest.approx(counter.get_total_flops(), rel=0.02)


@pytest.mark.parametrize("loss", ["infonce", "margin-mse"])
@pytest.mark.parametrize("trainable", ["head", "last:1", "all"])
def test_a_training_step_with_hard_negatives_costs_what_torchs_counter_counts(
    table: FeatureTable, trainable: str, loss: str
) -> None:
    model, settings = opened(table, trainable), replace(PROXY, loss=loss)
    pairs = Pairs(
        *(np.arange(0, 6), np.arange(6, 12), np.arange(6), np.zeros(6, np.float32)),
        starts=np.array([0, 3, 3, 5, 8, 10, 12]),
        negatives=np.arange(12, 24),
        teacher=np.linspace(5, -5, 18, dtype=np.float32),
    )
    costs = []
    for most in (0, 2):
        step = step_of(pairs, Taken(np.arange(6)), most, 0, 0)
        model.module.train()
        with counted() as counter:
            (
                step.run(model, settings).loss if most or loss == "infonce" else model.embed(step.texts()).sum()
            ).backward()
        costs.append(step.flops(model, settings))
        assert costs[-1] == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert costs[1] > 1.3 * costs[0]


TAUGHT = [
    *(("head", loss, 12) for loss in LOSSES),
    *(("head", loss, 1) for loss in ("dual", "in-batch", "infonce")),
    ("last:1", "in-batch", 12),
    ("all", "dual", 12),
]


@pytest.mark.parametrize(("trainable", "loss", "size"), TAUGHT)
def test_a_training_step_with_an_in_batch_teacher_costs_what_torchs_counter_counts(
    table: FeatureTable, trainable: str, loss: str, size: int
) -> None:
    model, settings = opened(table, trainable), replace(PROXY, loss=loss)
    pairs = Pairs(
        *(np.arange(0, 12), np.arange(12, 24), np.arange(12), np.zeros(12, np.float32)),
        starts=np.arange(13),
        negatives=np.roll(np.arange(12, 24), 1),
        teacher=np.linspace(5, -5, 24, dtype=np.float32),
    )
    teaching = Teaching(batch=BatchTeacher(EmbeddingTeacher(table, settings), table))
    step = step_of(pairs, Taken(np.arange(size)), 1, 0, 0, teaching)
    model.module.train()
    with counted() as counter:
        step.run(model, settings).loss.backward()
    assert step.flops(model, settings) == pytest.approx(counter.get_total_flops(), rel=0.02)


@pytest.mark.parametrize("trainable", ["head", "last:1", "last:2", "all"])
def test_encoding_costs_what_torchs_counter_counts(table: FeatureTable, trainable: str) -> None:
    model = opened(table, trainable)
    rows = np.arange(TEXTS)
    with counted() as counter:
        model.encode(rows)
    assert model.encode_flops(rows) == pytest.approx(counter.get_total_flops(), rel=0.02)


@pytest.mark.parametrize("trainable", ["head", "last:1", "all"])
def test_an_untrained_proxy_is_the_base_model(table: FeatureTable, trainable: str) -> None:
    rows = np.arange(8)
    cosines = (opened(table, trainable).encode(rows) * table.embeddings[rows]).sum(axis=1)
    assert cosines.min() > 0.9999


@pytest.mark.parametrize("trainable", ["last:1", "all"])
def test_batches_of_like_length_change_neither_embeddings_nor_gradients(
    table: FeatureTable, trainable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = opened(table, trainable)
    model.module.eval()
    rows = np.random.default_rng(1).permutation(TEXTS)
    found = []
    monkeypatch.setattr("mixtune.training.proxy.STEP_TOKENS", 10**6)
    for overhead in (10**6, 0):
        monkeypatch.setattr("mixtune.training.proxy.STEP_OVERHEAD", overhead)
        model.module.zero_grad()
        cost, embeddings = model.train_flops(rows), model.embed(rows)
        embeddings.cumsum(0).square().sum().backward()
        found.append((cost, embeddings.detach(), [p.grad.clone() for p in model.parameters.values()]))
    (together, whole, whole_grads), (apart, split, split_grads) = found
    assert apart < 0.8 * together
    torch.testing.assert_close(split, whole, rtol=1e-4, atol=1e-5)
    scale = max(float(grad.abs().max()) for grad in whole_grads)
    for ours, theirs in zip(split_grads, whole_grads, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * scale)


@pytest.mark.parametrize("trainable", ["last:2", "all"])
def test_every_parameter_of_a_proxy_is_trained(table: FeatureTable, trainable: str) -> None:
    model = opened(table, trainable)
    rows = np.arange(6)
    pairs = Pairs(rows, rows + 6, rows, np.zeros(6, np.float32))
    step_of(pairs, Taken(rows), 0, 0, 0).run(model, PROXY).loss.backward()
    assert [name for name, parameter in model.parameters.items() if parameter.grad is None] == []


def test_dropout_is_on_in_training_steps_and_off_in_evaluation(table: FeatureTable) -> None:
    model = opened(table, "last:1")
    rows = np.arange(4)
    model.module.train()
    assert not torch.equal(model.embed(rows), model.embed(rows))
    assert np.array_equal(model.encode(rows), model.encode(rows))


def test_encoding_and_dot_products_of_a_search_are_counted() -> None:
    synthetic_table, prepared = synthetic()
    model = bench_of(synthetic_table, prepared).model
    target = prepared.targets["left"]
    with counted() as counter:
        q, d = (torch.from_numpy(model.encode(rows)) for rows in (target.dev.queries, target.dev.documents))
        q @ d.T
    assert search_flops(model, target.dev) == counter.get_total_flops()


def test_a_text_that_a_split_holds_twice_is_counted_once() -> None:
    synthetic_table, prepared = synthetic()
    model = bench_of(synthetic_table, prepared).model
    dev = prepared.targets["left"].dev
    twice = replace(dev, documents=np.concatenate([dev.documents, dev.documents[:7], dev.queries[:3]]))
    more = 2 * 16 * len(dev.queries) * 10
    assert search_flops(model, twice) == search_flops(model, dev) + more


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SURVEY])
@pytest.mark.parametrize("probe", [None, Probe(("good", "other"), 2), Probe(("shuffled",), 3)])
def test_a_whole_trial_costs_what_torchs_counter_counts(role: Role, probe: Probe | None, tmp_path: Path) -> None:
    synthetic_table, prepared = synthetic()
    study = study_of(prepared)
    # Test ranks other documents than dev, and dev's too; one document stands in the corpus twice.
    for name, target in prepared.targets.items():
        documents = np.concatenate([target.test.documents, target.dev.documents, target.dev.documents[:5]])
        both = replace(target, test=replace(target.test, documents=documents))
        prepared = replace(prepared, targets={**prepared.targets, name: both})
    proposal = Proposal(Recipe(study.proportional()), 6, role, probe=probe)
    with counted() as counter:
        task = Task(0, proposal, 5, tmp_path / "c")
        outcome = run_trial(study, task, bench_of(synthetic_table, prepared), lambda step, score: None, 0.0)
    # Outside torch's view: what faiss does, and the products of queries with their own positives, one each.
    unseen = 0
    for target in prepared.targets.values():
        everyone, signal = len(target.dev.queries), int(target.signal.sum())
        unseen += 0 if probe is None else (1 + len(probe.sources)) * signal
        unseen += {(True, True): 0, (True, False): signal}.get((role is Role.ROUND, probe is not None), everyone)
        asked = everyone - signal if role is Role.ROUND and probe is not None else everyone
        unseen += asked * len(target.dev.documents)
        unseen += len(target.test.queries) * len(target.test.documents) if role in JUDGED else 0
    assert outcome.measurement.cost.flops == counter.get_total_flops() + 2 * DIM * unseen


def test_the_unit_of_a_budget_is_what_a_proportional_run_is_charged(tmp_path: Path) -> None:
    synthetic_table, prepared = synthetic()
    study = study_of(prepared)
    bench = bench_of(synthetic_table, prepared)
    expected = fresh_run_flops(study, study.prepared.sources, prepared, bench.model)
    proposal = Proposal(Recipe(study.proportional()), study.proxy.steps, Role.SEARCH)
    outcome = run_trial(study, Task(0, proposal, 99, tmp_path / "c"), bench, lambda step, score: None, 0.0)
    assert outcome.measurement.cost.flops == pytest.approx(expected)


def test_what_test_costs_beside_dev_is_what_a_judged_run_is_charged_more(tmp_path: Path) -> None:
    synthetic_table, prepared = synthetic()
    # Test ranks the documents of dev and others: only those are encoded for it.
    for name, target in prepared.targets.items():
        both = np.concatenate([target.test.documents, target.dev.documents])
        wider = replace(target, test=replace(target.test, documents=both))
        prepared = replace(prepared, targets={**prepared.targets, name: wider})
    study = study_of(prepared)
    bench = bench_of(synthetic_table, prepared)

    def charged(role: Role) -> float:
        task = Task(0, Proposal(Recipe(study.proportional()), 6, role), 5, tmp_path / role.value)
        return run_trial(study, task, bench, lambda step, score: None, 0.0).measurement.cost.flops

    more = charged(Role.ANCHOR) - charged(Role.SEARCH)
    assert judging_flops(bench.model, prepared.targets.values()) == pytest.approx(more)


def test_long_runs_cost_in_proportion_to_their_steps() -> None:
    synthetic_table, prepared = synthetic()
    study = study_of(prepared)

    def cost(steps: int) -> float:
        longer = replace(study, proxy=replace(study.proxy, steps=steps))
        return fresh_run_flops(longer, study.prepared.sources, prepared, bench_of(synthetic_table, prepared).model)

    assert cost(5000) - cost(0) == pytest.approx(5 * (cost(1000) - cost(0)))


def test_a_run_counts_the_cost_of_each_batch_it_draws() -> None:
    synthetic_table, prepared = synthetic()
    run = run_of(bench_of(synthetic_table, prepared), study_of(prepared), {"good": 1.0})
    run.advance()
    run.advance()
    assert run.flops == 2 * run.step_flops("good", Taken(np.arange(16)))
