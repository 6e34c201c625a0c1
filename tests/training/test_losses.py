import math

import pytest
import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from mixtune.training.losses import LOSSES, infonce


def embeddings(size: int = 6, dim: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    return F.normalize(torch.randn(size, dim), dim=1), F.normalize(torch.randn(size, dim), dim=1)


def apart(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.arange(size), torch.arange(100, 100 + size)


def test_it_equals_multiple_negatives_ranking_when_nothing_is_masked() -> None:
    vocabulary = {f"w{i}": i for i in range(40)}
    model = SentenceTransformer(
        modules=[StaticEmbedding(Tokenizer(WordLevel(vocabulary, unk_token="w0")), embedding_dim=8)], device="cpu"
    )
    ours, theirs = [torch.randint(0, 40, (12, 3), generator=torch.Generator().manual_seed(i)) for i in (1, 2)]

    def features(ids: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"input_ids": ids.flatten(), "offsets": torch.arange(0, ids.numel(), ids.shape[1])}

    expected = MultipleNegativesRankingLoss(model, scale=1 / 0.05)([features(ours), features(theirs)], None)
    q, d = (F.normalize(model(features(ids))["sentence_embedding"], dim=1) for ids in (ours, theirs))
    assert infonce(q, d, *apart(12), 0.05).item() == pytest.approx(expected.item(), rel=1e-6)


def test_a_hand_computed_batch_of_two() -> None:
    q = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    d = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    first = -math.log(math.exp(1 / 0.5) / (math.exp(1 / 0.5) + math.exp(0.6 / 0.5)))
    second = -math.log(math.exp(0.8 / 0.5) / (math.exp(0.0) + math.exp(0.8 / 0.5)))
    assert infonce(q, d, *apart(2), 0.5).item() == pytest.approx((first + second) / 2)


@pytest.mark.parametrize("shared", ["query", "document"])
def test_pairs_of_one_query_or_one_document_are_not_each_others_negatives(shared: str) -> None:
    q, d = embeddings()
    groups, rows = apart(6)
    (groups if shared == "query" else rows)[4] = (groups if shared == "query" else rows)[1]
    scores = (q @ d.T / 0.1).tolist()
    total = 0.0
    for i in range(6):
        others = [j for j in range(6) if {i, j} != {1, 4}]
        total -= scores[i][i] - math.log(sum(math.exp(scores[i][j]) for j in others))
    assert infonce(q, d, groups, rows, 0.1).item() == pytest.approx(total / 6, rel=1e-5)


def test_a_batch_of_one_query_has_loss_zero_and_no_gradient() -> None:
    q, d = (x.requires_grad_() for x in embeddings(3))
    loss = infonce(q, d, torch.zeros(3, dtype=torch.long), torch.arange(3), 0.05)
    loss.backward()
    assert loss.item() == 0
    assert q.grad is not None and q.grad.abs().max().item() == 0


def test_gradients_agree_with_finite_differences() -> None:
    q, d = (x.double().requires_grad_() for x in embeddings(4))
    groups, rows = torch.tensor([0, 1, 1, 2]), torch.tensor([5, 6, 7, 5])
    assert torch.autograd.gradcheck(lambda a, b: infonce(a, b, groups, rows, 0.3), (q, d))


def test_losses_are_found_by_the_names_that_studies_use() -> None:
    assert LOSSES["infonce"] is infonce
