import weakref
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_study import DIM, SOURCES, bench_of, recipe, run_of, study_of, synthetic
from tiny_models import save_models, text_study

from mixtune.batching import Batching
from mixtune.errors import TrainingError
from mixtune.measurement import Measurement
from mixtune.proposal import Gradients, Proposal, Role
from mixtune.recipe import Recipe
from mixtune.training.base import Task
from mixtune.training.encoding.encodings import Encodings
from mixtune.training.measuring.devloss import DevPool
from mixtune.training.prepared import Pairs, Prepared
from mixtune.training.run import Run
from mixtune.training.signals.gradients import (
    Aligned,
    StepGradients,
    alignments,
    chosen_parameters,
    default_parameters,
    gradient,
    target_gradient,
)
from mixtune.training.trainer import run_trial
from mixtune.training.walks.walk import Taken

TABLE, PREPARED = synthetic()
STUDY = study_of(PREPARED)
POOLS = {name: DevPool(name, target, target.signal) for name, target in PREPARED.targets.items()}
WHOLE = frozenset({"weight"})


def small_run(prepared: Prepared = PREPARED, **weights: float) -> Run:
    return run_of(bench_of(TABLE, prepared), study_of(prepared), weights or {"good": 1.0})


def aligned(run: Run, sources: tuple[str, ...] = SOURCES, *, batches: int = 1, seed: int = 3) -> Aligned:
    asked = Gradients(sources, batches)
    return alignments(run, run, POOLS, asked, seed=seed, encodings=Encodings(run.model))


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def dev_gradient(name: str) -> torch.Tensor:
    """Of the mean dev loss of the untrained head, by hand in float64."""
    target, e = PREPARED.targets[name], torch.from_numpy(TABLE.embeddings).double()
    weight = torch.eye(DIM, dtype=torch.float64, requires_grad=True)
    losses = []
    for query in np.flatnonzero(target.signal):
        q = unit(e[target.dev.queries[query]] @ weight.T)
        right = int(target.dev.judged[target.dev.starts[query]])
        others = [int(place) for place in target.negatives if place != right]
        d = unit(e[target.dev.documents[[right, *others]]] @ weight.T)
        scores = d @ q / STUDY.proxy.temperature
        losses.append(torch.logsumexp(scores, 0) - scores[0])
    (found,) = torch.autograd.grad(torch.stack(losses).mean(), weight)
    return found.reshape(-1)


def source_gradient(rows: np.ndarray, name: str) -> torch.Tensor:
    """Of InfoNCE on pairs of a source at the untrained head, by hand in float64."""
    pairs, e = PREPARED.sources[name], torch.from_numpy(TABLE.embeddings).double()
    weight = torch.eye(DIM, dtype=torch.float64, requires_grad=True)
    q, d = (unit(e[side[rows]] @ weight.T) for side in (pairs.queries, pairs.documents))
    scores = q @ d.T / STUDY.proxy.temperature
    (found,) = torch.autograd.grad((torch.logsumexp(scores, 1) - scores.diagonal()).mean(), weight)
    return found.reshape(-1)


def test_a_targets_gradient_is_that_of_its_dev_loss() -> None:
    model = bench_of(TABLE, PREPARED).model
    pull = target_gradient(model, [(1.0, POOLS["left"])], STUDY.proxy.temperature, WHOLE, Encodings(model))
    torch.testing.assert_close(pull.vector.double(), dev_gradient("left"), rtol=1e-4, atol=1e-5)


def test_a_large_pool_goes_through_the_model_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = bench_of(TABLE, PREPARED).model
    whole = target_gradient(model, [(1.0, POOLS["left"])], 0.05, WHOLE, Encodings(model))
    monkeypatch.setattr(
        type(model), "pieces", lambda self, rows: (np.arange(i, min(i + 7, len(rows))) for i in range(0, len(rows), 7))
    )
    parts = target_gradient(model, [(1.0, POOLS["left"])], 0.05, WHOLE, Encodings(model))
    torch.testing.assert_close(parts.vector, whole.vector, rtol=1e-4, atol=1e-5)
    assert parts.flops == whole.flops


def test_cosines_products_and_norms_are_those_of_gradients_by_hand() -> None:
    small = {
        name: replace(pairs, **{f: getattr(pairs, f)[:16] for f in ("queries", "documents", "groups", "similarity")})
        for name, pairs in PREPARED.sources.items()
    }
    found = aligned(small_run(Prepared(small, PREPARED.targets))).alignment  # one batch is the whole source
    for name in SOURCES:
        own = source_gradient(np.arange(16), name)
        assert found[name].norm == pytest.approx(float(own.norm()), rel=1e-4)
        for target in POOLS:
            pull = dev_gradient(target)
            assert found[name].product[target] == pytest.approx(float(own @ pull), rel=1e-3, abs=1e-4)
            assert found[name].cosine[target] == pytest.approx(float(own @ pull / own.norm() / pull.norm()), abs=1e-4)


def test_a_source_that_resembles_the_targets_points_their_way_and_others_do_not() -> None:
    found = aligned(small_run(), batches=8).alignment
    assert min(found["good"].cosine.values()) > 0.3
    assert max(abs(cosine) for name in ("other", "shuffled") for cosine in found[name].cosine.values()) < 0.25


def test_a_source_of_the_targets_own_pairs_has_a_positive_cosine() -> None:
    dev = PREPARED.targets["left"].dev
    own = Pairs(dev.queries, dev.documents[dev.judged], np.arange(len(dev.queries)), np.zeros(40, np.float32))
    prepared = Prepared({"own": own}, PREPARED.targets)
    found = aligned(small_run(prepared, own=1.0), ("own",), batches=3).alignment["own"]
    assert found.cosine["left"] > 0.6


def test_gradients_in_other_directions_are_orthogonal() -> None:
    # Pairs that live in dimensions of their own move other entries of the layer than the target's.
    table, prepared = synthetic()
    e = table.embeddings.copy()
    first, second = np.arange(DIM) < DIM // 2, np.arange(DIM) >= DIM // 2
    for pairs in prepared.sources.values():
        e[np.ix_(np.concatenate([pairs.queries, pairs.documents]), second)] = 0
    for target in prepared.targets.values():
        e[np.ix_(np.concatenate([target.dev.queries, target.dev.documents]), first)] = 0
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    run = run_of(bench_of(replace(table, embeddings=e), prepared), STUDY, {"good": 1.0})
    found = aligned(run).alignment["good"]
    assert found.norm > 0.1
    assert max(abs(cosine) for cosine in found.cosine.values()) < 1e-6


def test_a_source_is_measured_alike_whatever_others_are_asked_for() -> None:
    run = small_run()
    together, alone = aligned(run).alignment, aligned(run, ("other",)).alignment
    assert together["other"] == alone["other"]
    assert list(together) == list(SOURCES)


def test_several_batches_are_averaged() -> None:
    fields = ("queries", "documents", "groups", "similarity")
    good = PREPARED.sources["good"]
    one_batch = replace(good, **{field: getattr(good, field)[:16] for field in fields})
    run = small_run(Prepared({"good": one_batch}, PREPARED.targets))
    once, thrice = (aligned(run, ("good",), batches=batches) for batches in (1, 3))
    assert thrice.alignment["good"].product == pytest.approx(once.alignment["good"].product, rel=1e-4)
    assert thrice.source_flops == 3 * once.source_flops and thrice.target_flops == once.target_flops
    whole = small_run()
    wide, narrow = (
        [aligned(whole, ("good",), seed=seed, batches=batches).alignment["good"].norm for seed in range(8)]
        for batches in (1, 8)
    )
    assert np.mean(narrow) < 0.9 * np.mean(wide), "what batches differ in cancels out"


def test_looking_at_gradients_moves_nothing() -> None:
    looked, plain = small_run(), small_run()
    for _ in range(3):
        looked.advance()
        plain.advance()
    before = torch.get_rng_state()
    aligned(looked)
    assert torch.equal(torch.get_rng_state(), before)
    assert looked.draw.state() == plain.draw.state() and looked.draw.receipt() == plain.draw.receipt()
    looked.advance()
    plain.advance()
    assert torch.equal(looked.model.parameters["weight"], plain.model.parameters["weight"])
    assert all(parameter.requires_grad for parameter in looked.model.parameters.values())


def test_a_source_whose_gradient_is_not_finite_is_left_out() -> None:
    table, prepared = synthetic()
    table.embeddings[prepared.sources["other"].documents] = np.nan
    run = run_of(bench_of(table, prepared), STUDY, {"good": 1.0})
    assert set(aligned(run).alignment) == {"good", "shuffled"}


def test_a_target_whose_gradient_is_not_finite_is_an_error() -> None:
    run = small_run()
    with torch.no_grad():
        run.model.parameters["weight"].fill_(torch.nan)
    with pytest.raises(TrainingError, match="gradient of target 'left' is not finite"):
        aligned(run)


def test_products_at_a_step_are_those_of_gradients_taken_one_by_one() -> None:
    run = small_run()
    weights = {"left": 0.25, "right": 0.75}
    steps = StepGradients(run.model, PREPARED, weights, Gradients(SOURCES), temperature=0.05, seed=1)
    target = steps.target(0).vector
    torch.testing.assert_close(
        target.double(), 0.25 * dev_gradient("left") + 0.75 * dev_gradient("right"), rtol=1e-4, atol=1e-5
    )
    run.model.module.train()
    losses = {place: run.loss(SOURCES[place], Taken(np.arange(10))) for place in (0, 2)}
    product, norm = steps.products(losses, target, 3)
    assert np.isnan(product[1]) and np.isnan(norm[1])
    for place in (0, 2):
        own = source_gradient(np.arange(10), SOURCES[place])
        length = float(own.norm())
        assert norm[place] == pytest.approx(length, rel=1e-4)
        assert product[place] == pytest.approx(float(own @ target.double()) / max(1.0, length), rel=1e-3)
    sum(losses.values()).backward()  # their graphs are still there
    torch.testing.assert_close(
        run.model.parameters["weight"].grad.reshape(-1).double(),
        source_gradient(np.arange(10), "good") + source_gradient(np.arange(10), "shuffled"),
        rtol=1e-3,
        atol=1e-4,
    )


def test_dev_queries_are_drawn_anew_at_every_step_and_follow_from_it() -> None:
    model = bench_of(TABLE, PREPARED).model

    def pulled(position: int, queries: int | None = 5, seed: int = 1) -> torch.Tensor:
        asked = Gradients(SOURCES, queries=queries, negatives=8)
        weights = {"left": 0.5, "right": 0.5}
        return StepGradients(model, PREPARED, weights, asked, temperature=0.05, seed=seed).target(position).vector

    assert torch.equal(pulled(3), pulled(3))
    assert not torch.equal(pulled(3), pulled(4)) and not torch.equal(pulled(3), pulled(3, seed=2))
    assert torch.equal(pulled(3, None), pulled(4, None, seed=2))


def train(proposal: Proposal, place: Path) -> Measurement:
    task = Task(0, proposal, 5, place)
    return run_trial(STUDY, task, bench_of(TABLE, PREPARED), lambda step, score: None, 0.0).measurement


@pytest.mark.parametrize("mixed", [False, True])
def test_a_trial_compares_gradients_at_its_end_and_pays_for_them(tmp_path: Path, mixed: bool) -> None:
    chosen = replace(recipe(good=0.5, other=0.5), batching=Batching(mixed=mixed))
    plain = train(Proposal(chosen, 6, Role.ROUND), tmp_path / "a")
    asked = Gradients(SOURCES, 2, queries=8, negatives=8)
    found = train(Proposal(chosen, 6, Role.ROUND, gradients=asked), tmp_path / "b")
    assert set(found.alignment) == set(SOURCES)
    assert set(found.alignment["good"].cosine) == set(POOLS)
    assert found.cost.probe > 0 == plain.cost.probe and found.cost.dev > plain.cost.dev
    same = {"alignment": {}, "cost": plain.cost, "checkpoint": plain.checkpoint}
    assert replace(found, **same) == plain  # type: ignore[arg-type]
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab"]
    assert files[0] == files[1]


def test_texts_that_the_evaluation_encodes_anyway_are_encoded_once(tmp_path: Path) -> None:
    asked = Gradients(("good",))
    scored, unscored = (
        [
            train(Proposal(Recipe(STUDY.proportional()), 2, Role.SEARCH, gradients=g, scored=yes), tmp_path).cost.dev
            for g in (asked, None)
        ]
        for yes in (True, False)
    )
    texts = sum(len(np.unique([*pool.queries, *pool.documents])) for pool in POOLS.values())
    assert (unscored[0] - unscored[1]) - (scored[0] - scored[1]) == texts * 2 * DIM * DIM


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return save_models(tmp_path_factory.mktemp("models"))


def test_a_whole_transformer_is_compared_in_its_last_layer_unless_told_otherwise(
    models: Mapping[str, str], root: Path
) -> None:
    _, bench = text_study(models, root, "all")
    every = set(bench.model.parameters)
    default = chosen_parameters(bench.model, "")
    assert default == set(default_parameters(bench.model)) == {name for name in every if ".layer.2." in name}
    assert chosen_parameters(bench.model, "*") == every
    assert chosen_parameters(bench.model, "layer.1.output.") == {name for name in every if "layer.1.output." in name}


@pytest.mark.parametrize("trainable", ["head", "last:1", "static"])
def test_other_proxies_are_compared_in_all_that_is_trainable(
    models: Mapping[str, str], root: Path, trainable: str
) -> None:
    _, bench = text_study(models, root, trainable)
    assert set(default_parameters(bench.model)) == set(bench.model.parameters)


def test_a_name_that_no_parameter_has_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"no trainable parameter has 'layer.9' in its name: .* one of weight"):
        chosen_parameters(bench_of(TABLE, PREPARED).model, "layer.9")


@pytest.mark.parametrize("trainable", ["last:1", "all", "static"])
def test_the_gradient_in_some_parameters_is_part_of_the_whole(
    models: Mapping[str, str], root: Path, trainable: str
) -> None:
    study, bench = text_study(models, root, trainable)
    model, pool = bench.model, DevPool("asked", bench.prepared.targets["asked"], np.ones(12, bool))
    every, some = chosen_parameters(model, "*"), chosen_parameters(model, "")
    whole, part = (
        target_gradient(model, [(1.0, pool)], study.proxy.temperature, names, Encodings(model))
        for names in (every, some)
    )
    inside = torch.cat([torch.full((parameter.numel(),), name in some) for name, parameter in model.parameters.items()])
    torch.testing.assert_close(part.vector, whole.vector[inside], rtol=1e-4, atol=1e-6)
    # As the loss computed at one go, without dropout.
    model.module.eval()
    together = model.embed(np.concatenate([pool.queries, pool.documents]))
    loss = pool.tensor(together[: len(pool.queries)], together[len(pool.queries) :], study.proxy.temperature).mean()
    torch.testing.assert_close(whole.vector, gradient(loss, model, every), rtol=1e-3, atol=1e-5)


def test_only_one_source_has_its_gradient_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {f"s{i}": PREPARED.sources["good"] for i in range(12)}
    run = small_run(Prepared(sources, PREPARED.targets), s0=1.0)
    living: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
    seen: list[int] = []

    def watched(*args: object, **kwargs: bool) -> torch.Tensor:
        seen.append(len(living))
        found = gradient(*args, **kwargs)  # type: ignore[arg-type]
        living.add(found)
        return found

    monkeypatch.setattr("mixtune.training.signals.gradients.gradient", watched)
    assert len(aligned(run, tuple(sources), batches=2).alignment) == 12
    assert len(seen) == 2 + 24 and max(seen) <= 1


def test_the_gradients_of_a_batchs_sources_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = small_run()
    steps = StepGradients(run.model, PREPARED, {"left": 1.0, "right": 0.0}, Gradients(()), temperature=0.05, seed=1)
    target = steps.target(0).vector
    losses = {place: run.loss("good", Taken(np.arange(place, place + 4))) for place in range(9)}
    living: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()

    def watched(*args: object, **kwargs: bool) -> torch.Tensor:
        assert len(living) <= 1
        found = gradient(*args, **kwargs)  # type: ignore[arg-type]
        living.add(found)
        return found

    monkeypatch.setattr("mixtune.training.signals.gradients.gradient", watched)
    product, _ = steps.products(losses, target, 9)
    assert np.isfinite(product).all()
