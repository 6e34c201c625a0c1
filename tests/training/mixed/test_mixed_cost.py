from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from small_study import bench_of, study_of, synthetic
from tiny_models import save_models, text_study
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mixtune.batching import Batching
from mixtune.measurement import Cost
from mixtune.proposal import Gradients, Proposal, Role, Rule
from mixtune.recipe import Mixture, Recipe
from mixtune.study import Study
from mixtune.training.base import Task
from mixtune.training.cost import fresh_run_flops
from mixtune.training.trainer import Bench, run_trial


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@contextmanager
def counted() -> Iterator[FlopCounterMode]:
    # The fused attention kernels of the CPU have no formula in torch's counter; the plain products do.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        yield counter


def train(study: Study, bench: Bench, proposal: Proposal, place: Path, reference: Path | None = None) -> Cost:
    task = Task(0, proposal, 5, place, reference=reference)
    return run_trial(study, task, bench, lambda step, score: None, 0.0).measurement.cost


@pytest.mark.parametrize("trainable", ["head", "last:1", "all"])
@pytest.mark.parametrize("kind", ["tdro", "doge", "aligned"])
def test_a_run_on_mixed_batches_costs_what_torchs_counter_counts(
    models: Mapping[str, str], root: Path, tmp_path: Path, trainable: str, kind: str
) -> None:
    study, bench = text_study(models, root, trainable)
    even = Recipe(Mixture.uniform(study.names), batching=Batching(mixed=True))
    proposal = Proposal(even, 2, Role.ROUND, scored=False)
    if kind == "tdro":
        train(study, bench, replace(proposal, role=Role.REFERENCE), tmp_path / "r")
        proposal = replace(proposal, rule=Rule("tdro"), reference=0)
    elif kind == "doge":
        proposal = replace(proposal, rule=Rule("doge"), gradients=Gradients(study.names, queries=3, negatives=5))
    elif kind == "aligned":
        proposal = replace(proposal, steps=1, gradients=Gradients(study.names, batches=2))
    with counted() as counter:
        cost = train(study, bench, proposal, tmp_path / "c", tmp_path / "r" if kind == "tdro" else None)
    assert cost.flops == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert (cost.dev > 0) == (kind in ("doge", "aligned")) and (cost.probe > 0) == (kind == "aligned")


@pytest.mark.parametrize(("parameters", "mixed"), [("", False), ("", True), ("*", False), ("layer.1.", False)])
def test_gradients_in_some_parameters_cost_what_torchs_counter_counts(
    models: Mapping[str, str], root: Path, tmp_path: Path, parameters: str, mixed: bool
) -> None:
    study, bench = text_study(models, root, "all")
    asked = Gradients(study.names, batches=2, parameters=parameters)
    recipe = Recipe(Mixture.uniform(study.names), batching=Batching(mixed=mixed))
    with counted() as counter:
        cost = train(study, bench, Proposal(recipe, 1, Role.SEARCH, scored=False, gradients=asked), tmp_path / "c")
    assert cost.flops == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_the_unit_of_a_budget_of_mixed_runs_is_what_one_is_charged(tmp_path: Path) -> None:
    table, prepared = synthetic()
    study = study_of(prepared)
    study = replace(study, space=replace(study.space, batching=Batching(mixed=True)))
    bench = bench_of(table, prepared)
    expected = fresh_run_flops(study, study.prepared.sources, prepared, bench.model)
    proposal = Proposal(study.recipe(study.proportional()), study.proxy.steps, Role.SEARCH)
    assert proposal.recipe.batching.mixed
    assert train(study, bench, proposal, tmp_path / "c").flops == pytest.approx(expected)
    plain = replace(study, space=replace(study.space, batching=Batching()))
    assert expected > 2 * fresh_run_flops(plain, study.prepared.sources, prepared, bench.model)
