import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_study import SOURCES, bench_of, recipe, study_of, synthetic
from tiny_models import save_models, text_study

from mixtune.batching import Batching
from mixtune.errors import TrainingError
from mixtune.measurement import Measurement
from mixtune.proposal import Gradients, Proposal, Role, Rule
from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Mixture, Recipe
from mixtune.study import Study
from mixtune.training.base import Task
from mixtune.training.prepared import Pairs, Prepared
from mixtune.training.trainer import Bench, run_trial

TABLE, PREPARED = synthetic()
STUDY, BENCH = study_of(PREPARED), bench_of(TABLE, PREPARED)


def mixed(**weights: float) -> Recipe:
    return replace(recipe(**weights), batching=Batching(mixed=True))


EVEN = mixed(good=1 / 3, other=1 / 3, shuffled=1 / 3)


def train(
    proposal: Proposal,
    place: Path,
    *,
    seed: int = 5,
    parent: Path | None = None,
    reference: Path | None = None,
    within: tuple[Study, Bench] = (STUDY, BENCH),
) -> Measurement:
    task = Task(0, proposal, seed, place, parent, reference=reference)
    return run_trial(within[0], task, within[1], lambda step, score: None, 0.0).measurement


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("reference") / "c"
    train(Proposal(EVEN, 30, Role.REFERENCE), place)
    return place


def tdro(steps: int, **settings: float) -> Proposal:
    return Proposal(EVEN, steps, Role.ROUND, rule=Rule("tdro", settings), reference=0)


def test_rows_come_from_all_sources_alike_whatever_their_weights(tmp_path: Path) -> None:
    found = train(Proposal(mixed(good=0.9, other=0.08, shuffled=0.02), 60, Role.SEARCH), tmp_path)
    rows = {name: drawn.rows for name, drawn in found.receipt.items()}
    assert sum(rows.values()) == 60 * 16
    assert all(abs(count - 320) < 60 for count in rows.values())
    assert found.exposure == pytest.approx({name: count / 16 for name, count in rows.items()})


def test_a_source_without_weight_is_not_drawn(tmp_path: Path) -> None:
    found = train(Proposal(mixed(good=0.5, other=0.5), 9, Role.SEARCH), tmp_path)
    assert set(found.receipt) == set(found.loss) == {"good", "other"}


def test_weights_decide_what_is_learnt(tmp_path: Path) -> None:
    helped, hurt = (
        train(Proposal(mixed(good=w, other=1 - w), 60, Role.SEARCH), tmp_path).dev_loss["left"] for w in (0.99, 0.01)
    )
    assert helped < 0.7 * hurt


def test_the_first_loss_is_that_of_the_base_model_on_the_pairs_drawn(tmp_path: Path) -> None:
    fields = ("queries", "documents", "groups", "similarity")
    few = {name: Pairs(*(getattr(p, field)[:1] for field in fields)) for name, p in PREPARED.sources.items()}
    told = {
        name: replace(pairs, starts=np.array([0, 7]), negatives=PREPARED.sources[name].documents[1:8])
        for name, pairs in few.items()
    }
    prepared = Prepared(told, PREPARED.targets)
    study = study_of(prepared)
    found = train(Proposal(EVEN, 1, Role.SEARCH), tmp_path, within=(study, bench_of(TABLE, prepared)))
    e = TABLE.embeddings.astype(np.float64)
    for name, pairs in told.items():
        scores = np.concatenate([pairs.documents, pairs.negatives])
        values = e[scores] @ e[pairs.queries[0]] / STUDY.proxy.temperature
        assert found.loss[name] == pytest.approx(np.log(np.exp(values).sum()) - values[0], rel=1e-4)
    assert found.remarks == ()


def test_a_remark_names_a_few_of_many_sources(tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(8)]
    prepared = replace(PREPARED, sources=dict.fromkeys(names, PREPARED.sources["other"]))
    even = Recipe(Mixture.normalised(dict.fromkeys(names, 1.0)), batching=Batching(mixed=True))
    found = train(Proposal(even, 8, Role.SEARCH), tmp_path, within=(study_of(prepared), bench_of(TABLE, prepared)))
    (drawn,) = found.remarks
    assert drawn.endswith("for want of hard negatives: s0, s1, s2, s3, s4 and 3 more")


def test_it_is_remarked_for_which_sources_negatives_were_drawn(tmp_path: Path) -> None:
    good = PREPARED.sources["good"]
    given = replace(
        good, starts=np.arange(0, 7 * 201, 7), negatives=np.random.default_rng(0).choice(good.documents, 1400)
    )
    one = PREPARED.sources["shuffled"]
    narrow = replace(one, documents=np.full_like(one.documents, one.documents[0]))
    # The given negatives may be drawn positives of their own pairs: those are left out, and others take their place.
    own = given.negatives.reshape(200, 7)
    clash = own == good.documents[:, None]
    own[clash] = np.roll(good.documents, 1)[clash.any(axis=1)][: clash.sum()]
    prepared = replace(PREPARED, sources={**PREPARED.sources, "good": given, "shuffled": narrow})
    found = train(Proposal(EVEN, 8, Role.SEARCH), tmp_path, within=(study_of(prepared), bench_of(TABLE, prepared)))
    drawn, short = found.remarks
    assert drawn.endswith("for want of hard negatives: other")
    assert short == "sources with too few documents for 7 own negatives: shuffled"
    assert found.loss["shuffled"] == 0.0


def test_a_rule_moves_the_weights_and_its_state_comes_back(tmp_path: Path, reference: Path) -> None:
    found = train(tdro(20, eta=0.1), tmp_path / "a", reference=reference)
    assert found.rule["steps"] == (20.0,)
    assert len(found.rule["log_w"]) == 3 and set(found.reference_loss) == set(SOURCES)
    weights = np.exp(found.rule["log_w"])
    assert weights.sum() == pytest.approx(1) and np.ptp(weights) > 0.05


def test_the_reference_loss_of_a_run_that_stands_where_the_reference_stands_is_its_own(
    tmp_path: Path, reference: Path
) -> None:
    # One step from the reference's own parameters: before it moves, proxy and reference are the same model.
    found = train(replace(tdro(1), parent=0), tmp_path / "a", parent=reference, reference=reference)
    assert found.loss == pytest.approx(found.reference_loss, rel=1e-5)
    base = train(tdro(1), tmp_path / "b", reference=reference)
    assert base.reference_loss["good"] < 0.8 * base.loss["good"]


def test_reading_reference_losses_leaves_the_training_alone(tmp_path: Path, reference: Path) -> None:
    plain = train(Proposal(EVEN, 12, Role.ROUND), tmp_path / "a")
    read = train(Proposal(EVEN, 12, Role.ROUND, reference=0), tmp_path / "b", reference=reference)
    assert read.reference_loss and not plain.reference_loss
    assert (read.loss, read.dev, read.dev_loss) == (plain.loss, plain.dev, plain.dev_loss)
    files = [(tmp_path / name / "parameters.safetensors").read_bytes() for name in "ab"]
    assert files[0] == files[1]


def test_parameters_move_on_the_weights_after_the_rule(tmp_path: Path, reference: Path) -> None:
    # An enormous step of the rule: already the first batch is weighed by where it lands.
    moved = train(replace(tdro(1, eta=1e4, mode="difference"), recipe=EVEN), tmp_path / "a", reference=reference)
    weights = np.exp(moved.rule["log_w"])
    top = SOURCES[int(weights.argmax())]
    assert weights.max() == pytest.approx(1)
    alone = train(
        Proposal(mixed(**{name: 1.0 if name == top else 1e-12 for name in SOURCES} | {top: 1 - 2e-12}), 1, Role.ROUND),
        tmp_path / "b",
    )
    assert moved.dev_loss == pytest.approx(alone.dev_loss, rel=1e-4)


def test_a_rule_starts_at_the_weights_of_the_recipe(tmp_path: Path, reference: Path) -> None:
    start = Proposal(mixed(good=0.7, other=0.2, shuffled=0.1), 0, Role.ROUND, rule=Rule("tdro"), reference=0)
    found = train(start, tmp_path / "a", reference=reference)
    assert np.exp(found.rule["log_w"]) == pytest.approx([0.7, 0.2, 0.1])


def chained(whole: Proposal, cuts: tuple[int, ...], folder: Path, within: tuple[Study, Bench], reference: Path) -> None:
    """One long run and a chain of its pieces, each from what its predecessor stored as JSON, end bit for bit alike."""
    one = train(whole, folder / "whole", reference=reference, within=within)
    parent: Path | None = None
    state: Mapping[str, tuple[float, ...]] = {}
    for index, steps in enumerate(cuts):
        rule = None if whole.rule is None else replace(whole.rule, state=state)
        piece = replace(whole, steps=steps, rule=rule, parent=None if parent is None else 0)
        last = train(
            piece,
            folder / f"{index}",
            seed=5 if parent is None else 99,
            parent=parent,
            reference=reference,
            within=within,
        )
        parent = folder / f"{index}"
        state = {name: tuple(values) for name, values in json.loads(json.dumps(last.rule)).items()}
    assert (last.step, last.dev, last.dev_loss, last.score) == (one.step, one.dev, one.dev_loss, one.score)
    assert last.rule == one.rule and last.exposure == pytest.approx(one.exposure, rel=1e-12)
    for name in ("parameters.safetensors", "optimiser.safetensors", "rng.safetensors"):
        assert (folder / "whole" / name).read_bytes() == (parent / name).read_bytes(), name


@pytest.mark.parametrize("rule", ["tdro", "doremi", "doge", None])
def test_a_chain_of_rounds_is_one_long_run_bit_for_bit(tmp_path: Path, reference: Path, rule: str | None) -> None:
    proposal = Proposal(
        EVEN,
        11,
        Role.ROUND,
        rule=Rule(rule) if rule else None,
        reference=0,
        gradients=Gradients(SOURCES, queries=5, negatives=9) if rule == "doge" else None,
    )
    chained(proposal, (4, 1, 6), tmp_path, (STUDY, BENCH), reference)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return save_models(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("trainable", ["last:1", "all", "static"])
def test_a_chain_is_one_long_run_for_every_kind_of_proxy(
    models: Mapping[str, str], root: Path, tmp_path: Path, trainable: str
) -> None:
    study, bench = text_study(models, root, trainable)
    even = Recipe(Mixture.uniform(study.names), batching=Batching(mixed=True))
    train(Proposal(even, 2, Role.REFERENCE), tmp_path / "reference", within=(study, bench))
    for rule, gradients in (("tdro", None), ("doge", Gradients(study.names, queries=3, negatives=4))):
        proposal = Proposal(even, 3, Role.ROUND, rule=Rule(rule, negatives=3), reference=0, gradients=gradients)
        (tmp_path / rule).mkdir()
        chained(proposal, (1, 2), tmp_path / rule, (study, bench), tmp_path / "reference")


@pytest.mark.parametrize("schedule", [Schedule(), Schedule("infobatch")])
def test_a_chain_with_a_pruning_schedule_is_one_long_run(tmp_path: Path, reference: Path, schedule: Schedule) -> None:
    pruned = replace(EVEN, pruning=Pruning({"good": 0.2, "other": 0.3}, schedule))
    chained(
        Proposal(pruned, 40, Role.ROUND, rule=Rule("tdro"), reference=0), (15, 25), tmp_path, (STUDY, BENCH), reference
    )


@pytest.mark.parametrize("count", [1, 2, 200])
def test_any_number_of_sources_is_mixed(tmp_path: Path, count: int) -> None:
    good = PREPARED.sources["good"]
    fields = ("queries", "documents", "groups", "similarity")
    sources = {
        f"s{i}": Pairs(*(getattr(good, field)[i % 100 : i % 100 + 1 + i % 9] for field in fields)) for i in range(count)
    }
    prepared = Prepared(sources, PREPARED.targets)
    study, bench = study_of(prepared), bench_of(TABLE, prepared)
    even = Recipe(Mixture.uniform(study.names), batching=Batching(mixed=True))
    train(Proposal(even, 3, Role.REFERENCE), tmp_path / "r", within=(study, bench))
    for rule in ("tdro", "doremi", "doge"):
        proposal = Proposal(
            even, 6, Role.ROUND, rule=Rule(rule), reference=0, gradients=Gradients(study.names, queries=4, negatives=4)
        )
        found = train(proposal, tmp_path / rule, reference=tmp_path / "r", within=(study, bench))
        assert len(found.rule["log_w"]) == count and np.isfinite(found.rule["log_w"]).all()
        assert sum(found.exposure.values()) == pytest.approx(6)
        assert all(drawn.rows >= drawn.unique_rows for drawn in found.receipt.values())


def test_doge_follows_the_source_that_the_targets_resemble(tmp_path: Path) -> None:
    proposal = Proposal(EVEN, 40, Role.ROUND, rule=Rule("doge", {"eta": 0.2}), gradients=Gradients(SOURCES, queries=10))
    found = train(proposal, tmp_path / "c")
    good, *others = np.exp(found.rule["log_w"])
    assert good > 1.5 * max(others)
    plain = train(replace(proposal, rule=None, gradients=None), tmp_path / "d")
    assert found.alignment == {} and found.cost.dev > plain.cost.dev


def test_a_loss_that_is_not_finite_names_step_and_source(tmp_path: Path) -> None:
    table, prepared = synthetic()
    table.embeddings[prepared.sources["other"].documents] = np.nan
    with pytest.raises(TrainingError, match=r"the loss is nan at step 1, on an example of source 'other'"):
        train(Proposal(EVEN, 5, Role.SEARCH), tmp_path, within=(STUDY, bench_of(table, prepared)))


@pytest.mark.parametrize(
    ("proposal", "message"),
    [
        (Proposal(recipe(good=1.0), 3, Role.ROUND, rule=Rule("tdro")), r"rule 'tdro' needs batches that mix sources"),
        (Proposal(recipe(good=1.0), 3, Role.ROUND, reference=4), r"the reference trial 4 needs batches that mix"),
        (Proposal(EVEN, 3, Role.ROUND, rule=Rule("tdro")), r"reads reference losses: propose it with a reference"),
        (Proposal(EVEN, 3, Role.ROUND, reference=4), r"reference losses from trial 4, but no checkpoint"),
        (Proposal(EVEN, 3, Role.ROUND, rule=Rule("doge")), r"reads gradients: propose it with Gradients"),
        (
            Proposal(EVEN, 3, Role.ROUND, rule=Rule("doge"), gradients=Gradients(("good",), parameters="x.y")),
            r"no trainable parameter has 'x.y' in its name",
        ),
    ],
)
def test_what_a_rule_lacks_is_said(tmp_path: Path, proposal: Proposal, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        train(proposal, tmp_path / "c")


def test_the_state_of_a_rule_over_other_sources_is_refused(tmp_path: Path, reference: Path) -> None:
    state = train(tdro(1), tmp_path / "a", reference=reference).rule
    rule = Rule("tdro", state={name: values[:2] if len(values) == 3 else values for name, values in state.items()})
    with pytest.raises(TrainingError, match="is of 2 sources, and the study has 3"):
        train(replace(tdro(1), rule=rule), tmp_path / "b", reference=reference)


def test_a_reference_that_is_missing_torn_or_of_another_proxy_is_refused(tmp_path: Path, reference: Path) -> None:
    with pytest.raises(TrainingError, match=r"gone is missing or not whole"):
        train(tdro(1), tmp_path / "c", reference=tmp_path / "gone")
    narrow = bench_of(replace(TABLE, embeddings=TABLE.embeddings[:, :8]), PREPARED)
    with pytest.raises(TrainingError, match=r"of the reference is not of this proxy"):
        train(tdro(1), tmp_path / "c", reference=reference, within=(STUDY, narrow))
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "standing.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"torn is missing or not whole"):
        train(tdro(1), tmp_path / "c", reference=torn)


def test_a_survey_of_mixed_batches_trains_nothing(tmp_path: Path) -> None:
    found = train(Proposal(EVEN, 0, Role.SURVEY), tmp_path)
    assert (found.cost.train, found.receipt, found.rule) == (0.0, {}, {})
    assert torch.equal(BENCH.model.module.state_dict()["weight"], torch.eye(16))
