import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from small_study import bench_of, run_of, study_of, synthetic
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from mixtune.errors import ModelError
from mixtune.proxy import Proxy
from mixtune.study import OFFLINE_MODEL
from mixtune.training.encoding import models
from mixtune.training.encoding.embedder import BaseModel
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.proxy import FullProxy, HeadProxy, open_proxy

TABLE, PREPARED = synthetic()
ROWS = np.arange(0, 60, 3)


def test_a_head_is_the_identity_at_the_start() -> None:
    np.testing.assert_allclose(HeadProxy(TABLE).encode(ROWS), TABLE.embeddings[ROWS], atol=1e-6)


def test_a_head_has_one_square_layer_without_bias() -> None:
    assert {name: tuple(value.shape) for name, value in HeadProxy(TABLE).parameters.items()} == {"weight": (16, 16)}


def test_embeddings_are_normalised_behind_a_trained_head() -> None:
    run = run_of(bench_of(TABLE, PREPARED), study_of(PREPARED), {"good": 1.0})
    for _ in range(20):
        run.advance()
    np.testing.assert_allclose(np.linalg.norm(run.model.encode(ROWS), axis=1), 1, atol=1e-6)


def test_a_reset_brings_the_base_back_bit_for_bit() -> None:
    run = run_of(bench_of(TABLE, PREPARED), study_of(PREPARED), {"good": 1.0})
    before = run.model.encode(ROWS)
    run.advance()
    assert not np.array_equal(run.model.encode(ROWS), before)
    run.model.reset()
    assert np.array_equal(run.model.encode(ROWS), before)


def test_encoding_in_bulk_equals_embedding_batch_by_batch() -> None:
    model = HeadProxy(TABLE)
    with torch.no_grad():
        np.testing.assert_allclose(model.encode(ROWS)[7:9], model.embed(ROWS[7:9]).numpy(), atol=1e-6)


def test_the_base_model_is_read_from_the_table_at_no_cost() -> None:
    base = BaseModel(TABLE)
    assert np.array_equal(base.encode(ROWS), TABLE.embeddings[ROWS])
    assert base.encode_flops(ROWS) == 0


@pytest.mark.parametrize("trainable", ["first:2", "last", "last:", "last:two", "heads", ""])
def test_a_strange_proxy_is_refused_with_what_is_allowed(trainable: str) -> None:
    with pytest.raises(ModelError, match=r"use 'head', 'all', or 'last:n'"):
        open_proxy(OFFLINE_MODEL, Proxy(trainable=trainable), TABLE)


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, FeatureTable]:
    words = {word: i for i, word in enumerate(["?", *["a", "b", "c", "d", "e", "f", "g", "h"]])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    folder = tmp_path_factory.mktemp("static")
    torch.manual_seed(0)
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu")
    model.save_pretrained(str(folder / "model"))
    table = FeatureTable(folder / "cache", models.resolve(str(folder / "model")), max_length=32, precision="fp32")
    rows, _ = table.add(["a b", "c", "d e f g", "h a"], lambda what, done, total: None)
    table.embed(rows, lambda what, done, total: None)
    return str(folder / "model"), table


def test_a_model_of_static_embeddings_is_trained_whole(static: tuple[str, FeatureTable]) -> None:
    name, table = static
    model = open_proxy(name, Proxy(trainable="all", max_length=32, precision="fp32"), table)
    assert isinstance(model, FullProxy)
    rows = np.arange(4)
    np.testing.assert_allclose(model.encode(rows), table.embeddings[rows], atol=1e-6)
    model.embed(rows).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters.values())
    assert model.train_flops(rows) == 0, "look-ups are not counted"


def test_static_embeddings_have_no_last_layers(static: tuple[str, FeatureTable]) -> None:
    name, table = static
    with pytest.raises(ModelError, match="cannot be trained as a proxy"):
        open_proxy(name, Proxy(trainable="last:1"), table)
