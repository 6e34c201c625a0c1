import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MarginMSELoss, MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from mixtune.config import teaching
from mixtune.training.losses import (
    LOSSES,
    NEED_BATCH_TEACHER,
    NEED_TEACHER,
    Batch,
    dual,
    in_batch,
    infonce,
    margin_mse,
)


def batch_of(size: int = 6, negatives: int = 0, dim: int = 5) -> Batch:
    """Random embeddings, every text another one; negative j came with query j % size."""
    torch.manual_seed(3)
    return Batch(
        queries=F.normalize(torch.randn(size, dim), dim=1),
        documents=F.normalize(torch.randn(size + negatives, dim), dim=1),
        groups=torch.arange(size),
        rows=torch.arange(100, 100 + size + negatives),
        owners=torch.arange(negatives) % size if negatives else None,
    )


def by_hand(batch: Batch, temperature: float, left_out: set[tuple[int, int]]) -> list[float]:
    """InfoNCE of each pair, with (query, document) places that are no negatives."""
    scores = (batch.queries @ batch.documents.T / temperature).tolist()
    return [
        math.log(sum(math.exp(score) for j, score in enumerate(row) if (i, j) not in left_out)) - row[i]
        for i, row in enumerate(scores)
    ]


@pytest.fixture(scope="module")
def tiny() -> SentenceTransformer:
    vocabulary = {f"w{i}": i for i in range(40)}
    torch.manual_seed(0)
    return SentenceTransformer(
        modules=[StaticEmbedding(Tokenizer(WordLevel(vocabulary, unk_token="w0")), embedding_dim=8)], device="cpu"
    )


def columns(count: int) -> list[dict[str, torch.Tensor]]:
    """Texts of three words as the tiny model takes them: twelve in each column."""
    ids = [torch.randint(0, 40, (12, 3), generator=torch.Generator().manual_seed(i)) for i in range(count)]
    return [{"input_ids": one.flatten(), "offsets": torch.arange(0, one.numel(), one.shape[1])} for one in ids]


def embedded(model: SentenceTransformer, negatives: int) -> Batch:
    q, *documents = (F.normalize(model(one)["sentence_embedding"], dim=1) for one in columns(2 + negatives))
    return replace(batch_of(12, 12 * negatives, 8), queries=q, documents=torch.cat(documents))


@pytest.mark.parametrize("negatives", [0, 1, 3])
def test_it_equals_multiple_negatives_ranking_when_nothing_is_masked(tiny: SentenceTransformer, negatives: int) -> None:
    expected = MultipleNegativesRankingLoss(tiny, scale=1 / 0.05)(columns(2 + negatives), None)
    (theirs,) = torch.autograd.grad(expected, list(tiny.parameters()))
    loss = infonce(embedded(tiny, negatives), 0.05).mean()
    (ours,) = torch.autograd.grad(loss, list(tiny.parameters()))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_margin_mse_equals_sentence_transformers_on_equal_scores(tiny: SentenceTransformer) -> None:
    margins = torch.linspace(-3, 3, 12)

    def scaled_cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return F.cosine_similarity(a, b) / 0.05

    expected = MarginMSELoss(tiny, similarity_fct=scaled_cosine)(columns(3), margins)
    batch = replace(embedded(tiny, 1), teacher=torch.cat([margins + 7, torch.full((12,), 7.0)]))
    assert margin_mse(batch, 0.05).mean().item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_hand_computed_batch_of_two() -> None:
    q = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    d = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    first = -math.log(math.exp(1 / 0.5) / (math.exp(1 / 0.5) + math.exp(0.6 / 0.5)))
    second = -math.log(math.exp(0.8 / 0.5) / (math.exp(0.0) + math.exp(0.8 / 0.5)))
    batch = Batch(q, d, torch.arange(2), torch.arange(2))
    assert infonce(batch, 0.5).mean().item() == pytest.approx((first + second) / 2)


@pytest.mark.parametrize("shared", ["query", "document"])
def test_pairs_of_one_query_or_one_document_are_not_each_others_negatives(shared: str) -> None:
    batch = batch_of()
    equal = batch.groups if shared == "query" else batch.rows
    equal[4] = equal[1]
    expected = np.mean(by_hand(batch, 0.1, {(1, 4), (4, 1)}))
    assert infonce(batch, 0.1).mean().item() == pytest.approx(expected, rel=1e-5)


def test_a_hard_negative_that_is_a_positive_of_a_query_is_no_negative_of_it() -> None:
    batch = batch_of(4, 4)
    # Pairs 0 and 2 are of one query. The negative of pair 1 is the positive of pair 2, that of pair 3 its own positive.
    batch.groups[2] = batch.groups[0]
    batch.rows[5], batch.rows[7] = batch.rows[2], batch.rows[3]
    expected = np.mean(by_hand(batch, 0.1, {(0, 2), (2, 0), (0, 5), (2, 5), (3, 7)}))
    assert infonce(batch, 0.1).mean().item() == pytest.approx(expected, rel=1e-5)


def test_a_batch_of_one_query_has_loss_zero_and_no_gradient() -> None:
    batch = replace(batch_of(3), groups=torch.zeros(3, dtype=torch.long))
    batch.queries.requires_grad_()
    loss = infonce(batch, 0.05).mean()
    loss.backward()
    assert loss.item() == 0
    assert batch.queries.grad is not None and batch.queries.grad.abs().max().item() == 0


def test_row_weights_make_the_mean_a_weighted_one() -> None:
    batch = batch_of(4, 2)
    weights = torch.tensor([0.5, 2.0, 0.0, 1.0])
    expected = np.average(by_hand(batch, 0.1, set()), weights=weights)
    assert infonce(replace(batch, weights=weights), 0.1).mean().item() == pytest.approx(expected, rel=1e-5)
    assert infonce(replace(batch, weights=torch.full((4,), 3.0)), 0.1).mean().item() == pytest.approx(
        infonce(batch, 0.1).mean().item()
    )


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_a_batch_without_weight_has_loss_zero(loss: str) -> None:
    batch = replace(batch_of(3, 3), weights=torch.zeros(3), teacher=torch.arange(6.0), batch_teacher=torch.ones(3, 6))
    assert LOSSES[loss](batch, 0.1).mean().item() == 0


def test_margins_by_hand_with_no_one_or_two_negatives() -> None:
    q = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    d = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.6, 0.8], [0.6, 0.8], [0.8, 0.6]])
    batch = Batch(
        *(q, d, torch.arange(3), torch.arange(6)),
        owners=torch.tensor([0, 1, 1]),
        teacher=torch.tensor([5.0, 2.0, 9.0, 4.5, 1.0, 3.0]),
    )
    # At temperature 0.5 the student's margins are 2 (1 - .6), 2 (1 - .8), 2 (1 - .6); the teacher's .5, 1, -1.
    first, second = (0.8 - 0.5) ** 2, ((0.4 - 1) ** 2 + (0.8 + 1) ** 2) / 2
    assert margin_mse(batch, 0.5).mean().item() == pytest.approx((first + second) / 2)
    weighted = replace(batch, weights=torch.tensor([1.0, 3.0, 9.0]))
    assert margin_mse(weighted, 0.5).mean().item() == pytest.approx((first + 3 * second) / 4)


def test_margins_of_a_batch_without_negatives_teach_nothing() -> None:
    batch = replace(batch_of(3), teacher=torch.ones(3))
    batch.queries.requires_grad_()
    loss = margin_mse(batch, 0.5).mean()
    loss.backward()
    assert loss.item() == 0
    assert batch.queries.grad is not None and batch.queries.grad.abs().max().item() == 0


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_gradients_agree_with_finite_differences(loss: str) -> None:
    batch = batch_of(4, 3)
    q, d = (x.double().requires_grad_() for x in (batch.queries, batch.documents))
    batch.groups[2] = batch.groups[1]
    batch.rows[3] = batch.rows[0]
    rest = replace(
        batch,
        weights=torch.tensor([1.0, 2.0, 0.5, 1.0]).double(),
        teacher=torch.linspace(0, 1, 7).double(),
        batch_teacher=torch.randn(4, 7).double(),
    )
    assert torch.autograd.gradcheck(
        lambda a, b: LOSSES[loss](replace(rest, queries=a, documents=b), 0.3).mean(), (q, d)
    )


def in_batch_by_hand(batch: Batch, temperature: float) -> float:
    """L_inb by its formula, one sum after the other; documents are the positives, then one negative for each query."""
    assert batch.batch_teacher is not None
    n = len(batch.queries)
    s = (batch.queries @ batch.documents.T / temperature).tolist()
    c = batch.batch_teacher.tolist()
    halves = []
    for start in (0, n):
        errors = [
            ((s[i][i] - s[i][start + j]) - (c[i][i] - c[i][start + j])) ** 2
            for i in range(n)
            for j in range(n)
            if i != j
        ]
        halves.append(sum(errors) / len(errors))
    return sum(halves) / 2


def scored(size: int = 4, negatives: int = 4) -> Batch:
    batch = batch_of(size, negatives)
    torch.manual_seed(8)
    scores = 5 * torch.randn(size, size + negatives)
    return replace(batch, teacher=5 * torch.randn(size + negatives), batch_teacher=scores)


def test_the_in_batch_loss_is_its_formula() -> None:
    batch = scored()
    assert in_batch(batch, 0.5).mean().item() == pytest.approx(in_batch_by_hand(batch, 0.5), rel=1e-5)


def test_the_in_batch_loss_of_two_hand_computed_pairs() -> None:
    q = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    d = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.8, 0.6]])
    teacher = torch.tensor([[3.0, 1.0, 9.0, 2.5], [1.0, 4.0, 0.0, 9.0]])
    batch = Batch(q, d, torch.arange(2), torch.arange(4), owners=torch.arange(2), batch_teacher=teacher)
    # At temperature 0.5. Positives: 2 (1 - .6) against 3 - 1, 2 (.8 - 0) against 4 - 1.
    positives = ((0.8 - 2) ** 2 + (1.6 - 3) ** 2) / 2
    # The other pair's negative: 2 (1 - .8) against 3 - 2.5, 2 (.8 - 1) against 4 - 0.
    negatives = ((0.4 - 0.5) ** 2 + (-0.4 - 4) ** 2) / 2
    assert in_batch(batch, 0.5).mean().item() == pytest.approx((positives + negatives) / 2)


def test_without_hard_negatives_the_in_batch_loss_is_its_first_half() -> None:
    batch = scored(4, 4)
    assert batch.batch_teacher is not None
    alone = replace(batch, documents=batch.documents[:4], owners=None, batch_teacher=batch.batch_teacher[:, :4])
    # Copies of the positives for negatives make both halves equal.
    doubled = replace(
        batch,
        documents=torch.cat([batch.documents[:4]] * 2),
        batch_teacher=torch.cat([batch.batch_teacher[:, :4]] * 2, dim=1),
    )
    assert in_batch(alone, 0.5).mean().item() == pytest.approx(in_batch_by_hand(doubled, 0.5), rel=1e-5)


def test_a_student_whose_margins_are_the_in_batch_teachers_has_no_in_batch_loss() -> None:
    batch = batch_of(5, 5)
    shifts = torch.randn(5, 1)
    taught = replace(batch, batch_teacher=batch.queries @ batch.documents.T / 0.1 + shifts)
    assert in_batch(taught, 0.1).mean().item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.0, 0.5])])
@pytest.mark.parametrize("owners", [[0, 1, 2, 3], [0, 0, 2, 2]])
def test_dual_is_the_pairwise_loss_and_three_quarters_of_the_in_batch_loss(
    owners: list[int], weights: torch.Tensor | None
) -> None:
    batch = replace(scored(), owners=torch.tensor(owners), weights=weights)
    expected = margin_mse(batch, 0.5).mean() + 0.75 * in_batch(batch, 0.5).mean()
    assert dual(batch, 0.5).mean().item() == pytest.approx(expected.item(), rel=1e-5)


def test_dual_on_pairs_without_hard_negatives_is_the_in_batch_part() -> None:
    batch = scored(4, 4)
    assert batch.batch_teacher is not None and batch.teacher is not None
    alone = replace(
        batch,
        documents=batch.documents[:4],
        owners=None,
        teacher=batch.teacher[:4],
        batch_teacher=batch.batch_teacher[:, :4],
    )
    assert dual(alone, 0.5).mean().item() == pytest.approx(0.75 * in_batch(alone, 0.5).mean().item(), rel=1e-6)


def test_a_batch_of_one_pair_has_the_pairwise_loss_alone() -> None:
    batch = scored(1, 1)
    assert dual(batch, 0.5).mean().item() == pytest.approx(margin_mse(batch, 0.5).mean().item())
    batch.queries.requires_grad_()
    nothing = in_batch(batch, 0.5).mean()
    nothing.backward()
    assert nothing.item() == 0
    assert batch.queries.grad is not None and batch.queries.grad.abs().max().item() == 0


def test_a_document_that_the_in_batch_teacher_prefers_to_the_positive_is_no_negative() -> None:
    batch = batch_of(4, 4)
    teacher = torch.zeros(4, 8)
    teacher.fill_diagonal_(1.0)
    # For query 0 the teacher prefers the positive of 2, for query 3 its own hard negative; a tie masks nothing.
    teacher[0, 2], teacher[3, 7], teacher[1, 0] = 1.5, 2.0, 1.0
    expected = np.mean(by_hand(batch, 0.1, {(0, 2), (3, 7)}))
    assert infonce(replace(batch, batch_teacher=teacher), 0.1).mean().item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", sorted(NEED_TEACHER | NEED_BATCH_TEACHER))
def test_a_loss_says_which_teacher_it_lacks(loss: str) -> None:
    with pytest.raises(ValueError, match="teacher"):
        LOSSES[loss](batch_of(3, 3), 0.1)


def test_losses_are_found_by_the_names_that_studies_use() -> None:
    assert {name: loss.__name__ for name, loss in LOSSES.items()} == {
        "dual": "dual",
        "in-batch": "in_batch",
        "infonce": "infonce",
        "margin-mse": "margin_mse",
    }


def test_a_study_file_asks_for_the_teachers_that_losses_need() -> None:
    assert set(teaching.PAIRWISE) == NEED_TEACHER
    assert set(teaching.IN_BATCH) == NEED_BATCH_TEACHER
