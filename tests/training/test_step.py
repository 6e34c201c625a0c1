from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_study import DIM, bench_of, recipe, run_of, study_of, synthetic

from mixtune.measurement import Outcome
from mixtune.proposal import Proposal, Role
from mixtune.proxy import Proxy
from mixtune.training.base import Task
from mixtune.training.prepared import Pairs, Prepared
from mixtune.training.run import Run
from mixtune.training.step import Step, step_of
from mixtune.training.trainer import run_trial
from mixtune.training.walks.walk import Taken

TABLE, PREPARED = synthetic()
GOOD = PREPARED.sources["good"]
COUNTS = np.array([3, 0, 5, 1])


def ragged(weights: tuple[float, ...] = (), teacher: bool = False) -> Pairs:
    """Four pairs of the planted source with 3, 0, 5 and 1 hard negatives, which are texts 0 to 8 of another."""
    total = int(COUNTS.sum())
    return Pairs(
        *(GOOD.queries[:4], GOOD.documents[:4], np.arange(4), np.zeros(4, np.float32)),
        starts=np.concatenate([[0], np.cumsum(COUNTS)]),
        negatives=PREPARED.sources["other"].documents[:total],
        weights=np.array(weights, dtype=np.float32),
        teacher=np.arange(4 + total, dtype=np.float32) if teacher else np.empty(0, np.float32),
    )


def chosen(step: Step) -> list[list[int]]:
    """Places in the pair's own list, per pair."""
    return [
        (step.negatives[step.owners == i] - step.pairs.starts[row]).tolist() for i, row in enumerate(step.rows.tolist())
    ]


def test_each_pair_brings_as_many_as_asked_or_all_it_has() -> None:
    found = chosen(step_of(ragged(), Taken(np.array([2, 1, 0, 3])), 3, 0, 0))
    assert [len(own) for own in found] == [3, 0, 3, 1]
    assert all(len(set(own)) == len(own) for own in found)
    assert [max(own, default=-1) < count for own, count in zip(found, [5, 0, 3, 1], strict=True)] == [True] * 4


def test_over_many_steps_all_negatives_of_a_pair_are_used_alike() -> None:
    drawn = [chosen(step_of(ragged(), Taken(np.array([2])), 2, 7, position))[0] for position in range(500)]
    shares = np.bincount(np.concatenate(drawn), minlength=5) / 1000
    assert shares == pytest.approx(np.full(5, 0.2), abs=0.05)
    assert all((b - a) % 5 == 1 for a, b in drawn)


def test_the_choice_follows_from_seed_and_position() -> None:
    rows = np.arange(4)

    def choices(seed: int) -> list[list[list[int]]]:
        return [chosen(step_of(ragged(), Taken(rows), 1, seed, position)) for position in range(8)]

    assert choices(1) == choices(1)
    assert choices(1) != choices(2)


@pytest.mark.parametrize("most", [0, 2])
def test_a_source_without_negatives_embeds_its_pairs_only(most: int) -> None:
    rows = np.array([5, 3])
    step = step_of(GOOD, Taken(rows), most, 0, 0)
    assert step.texts().tolist() == [*GOOD.queries[rows], *GOOD.documents[rows]]
    assert len(step.owners) == 0


def test_negatives_that_are_switched_off_cost_nothing() -> None:
    model, rows, settings = bench_of(TABLE, PREPARED).model, np.arange(4), Proxy()
    without = Step(GOOD, rows, np.empty(0, np.int64), np.empty(0, np.int64))
    assert step_of(ragged(), Taken(rows), 0, 0, 0).flops(model, settings) == without.flops(model, settings)
    # Two products with the layer's weight per text (forward, and its gradient), three of each query with each document.
    more = step_of(ragged(), Taken(rows), 1, 0, 0).flops(model, settings) - without.flops(model, settings)
    assert more == 3 * 2 * 2 * DIM * DIM + 3 * 2 * 4 * 3 * DIM


def test_the_loss_is_over_all_documents_of_the_step() -> None:
    model, settings = bench_of(TABLE, PREPARED).model, Proxy(temperature=0.1)
    step = step_of(ragged(weights=(1.0, 2.0, 3.0, 4.0)), Taken(np.array([2, 0, 1])), 2, 0, 0)
    e = torch.from_numpy(TABLE.embeddings)
    scores = e[step.texts()[:3]] @ e[step.texts()[3:]].T / 0.1
    losses = torch.logsumexp(scores, dim=1) - scores.diagonal()
    expected = (losses * torch.tensor([3.0, 1.0, 2.0])).sum() / 6
    assert scores.shape == (3, 3 + 4)
    assert step.run(model, settings).loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_teacher_scores_stay_with_their_documents() -> None:
    model, settings = bench_of(TABLE, PREPARED).model, Proxy(temperature=0.1, loss="margin-mse")
    step = step_of(ragged(teacher=True), Taken(np.array([2, 3])), 5, 0, 0)
    e = torch.from_numpy(TABLE.embeddings)
    q, p, n = (e[rows] for rows in np.split(step.texts(), [2, 4]))
    owners = torch.from_numpy(step.owners)
    student = (q * p).sum(1)[owners] / 0.1 - (q[owners] * n).sum(1) / 0.1
    # The negatives of pair 2 are numbers 3 to 7, that of pair 3 is number 8; positives are scored first.
    teacher = torch.tensor([2.0, 3.0])[owners] - (4 + torch.from_numpy(step.negatives)).float()
    squares = (student - teacher) ** 2
    expected = (squares[owners == 0].mean() + squares[owners == 1].mean()) / 2
    assert step.run(model, settings).loss.item() == pytest.approx(expected.item(), rel=1e-5)


def with_negatives(loss: str = "infonce") -> tuple[Run, Prepared]:
    """A run over a source whose pairs have four hard negatives each: their own documents of the next pairs."""
    size = len(GOOD.queries)
    negatives = np.stack([np.roll(GOOD.documents, -shift) for shift in range(1, 5)], axis=1).ravel()
    scores = (TABLE.embeddings[np.repeat(GOOD.queries, 4)] * TABLE.embeddings[negatives]).sum(axis=1)
    pairs = replace(
        GOOD,
        starts=np.arange(0, 4 * size + 1, 4),
        negatives=negatives,
        teacher=np.concatenate([np.full(size, 20.0), 20 * scores]).astype(np.float32),
    )
    prepared = replace(PREPARED, sources={**PREPARED.sources, "good": pairs})
    study = study_of(prepared, loss=loss, negatives=2)
    return run_of(bench_of(TABLE, prepared), study, {"good": 1.0}), prepared


@pytest.mark.parametrize("loss", ["infonce", "margin-mse"])
def test_training_with_hard_negatives_lowers_the_loss(loss: str) -> None:
    run, _ = with_negatives(loss)
    for _ in range(40):
        run.advance()
    assert np.mean(run.losses["good"][-5:]) < 0.7 * np.mean(run.losses["good"][:5])


def test_a_run_counts_the_negatives_of_each_batch() -> None:
    run, _ = with_negatives()
    cost = run.step_flops("good", Taken(np.arange(16)))
    run.advance()
    run.advance()
    assert run.flops == 2 * cost
    plain = run_of(bench_of(TABLE, PREPARED), study_of(PREPARED), {"good": 1.0})
    assert cost - plain.step_flops("good", Taken(np.arange(16))) == 32 * 2 * 2 * DIM * DIM + 3 * 2 * 16 * 32 * DIM


def test_a_chain_of_rounds_chooses_the_negatives_of_one_long_run(tmp_path: Path) -> None:
    _, prepared = with_negatives()
    study, bench = study_of(prepared, negatives=2), bench_of(TABLE, prepared)
    whole = Proposal(recipe(good=1.0), 7, Role.ROUND)

    def train(proposal: Proposal, name: str, parent: Path | None = None) -> Outcome:
        return run_trial(study, Task(0, proposal, 5, tmp_path / name, parent), bench, lambda step, score: None, 0.0)

    once = train(whole, "whole").measurement
    train(replace(whole, steps=3), "first")
    rest = train(replace(whole, steps=4, parent=0), "rest", tmp_path / "first").measurement
    assert (rest.dev, rest.dev_loss) == (once.dev, once.dev_loss)
