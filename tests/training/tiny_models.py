"""A study on texts whose models are tiny: a transformer of three layers with dropout, and static embeddings."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding, Transformer
from small_study import study_of
from tokenizers import Tokenizer
from transformers import AutoModel, BertConfig

from mixtune.study import OFFLINE_MODEL, Study
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.encoding.models import resolve
from mixtune.training.prepared import Pairs, Prepared, PreparedTarget, Split
from mixtune.training.proxy import open_proxy
from mixtune.training.trainer import Bench

WORDS = ("river", "stone", "lamp", "cloud", "garden", "winter", "market", "bridge", "paper", "silver", "engine")
PAIRS = {"notes": 14, "logs": 9}
DIM = 32


def save_models(folder: Path) -> Mapping[str, str]:
    """Where a tiny transformer and a tiny model of static embeddings were saved."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=DIM,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=80,
    )
    AutoModel.from_config(config).save_pretrained(folder / "layers")
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copy(resolve(OFFLINE_MODEL).path / name, folder / "layers" / name)
    transformer = Transformer(str(folder / "layers"))
    SentenceTransformer(modules=[transformer, Pooling(DIM)], device="cpu").save_pretrained(str(folder / "bert"))
    tokenizer = Tokenizer.from_file(str(resolve(OFFLINE_MODEL).path / "tokenizer.json"))
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((tokenizer.get_vocab_size(), DIM)).astype(np.float32)
    static = StaticEmbedding(tokenizer, embedding_weights=weights)
    SentenceTransformer(modules=[static], device="cpu").save_pretrained(str(folder / "static"))
    return {name: str(folder / name) for name in ("bert", "static")}


def text_study(models: Mapping[str, str], root: Path, trainable: str) -> tuple[Study, Bench]:
    """Two sources and a target over random texts of 3 to 40 words; `static` trains static embeddings."""
    model = models["static" if trainable == "static" else "bert"]
    trainable = "all" if trainable == "static" else trainable
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, int(rng.integers(3, 40)))) + f" {i}" for i in range(120)]
    table = FeatureTable(root, resolve(model), max_length=48, precision="fp32")
    rows, _ = table.add(texts, lambda what, done, total: None)
    table.embed(rows, lambda what, done, total: None)
    if trainable.startswith("last"):
        table.freeze(int(trainable[5:]), rows, lambda what, done, total: None)
    left = rows
    sources = {}
    for name, pairs in PAIRS.items():
        q, d, left = left[:pairs], left[pairs : 2 * pairs], left[2 * pairs :]
        sources[name] = Pairs(q, d, np.arange(pairs), rng.random(pairs).astype(np.float32))
    q, corpus = left[:12], left[12:50]
    split = Split(q, corpus, np.arange(13), np.arange(12), np.ones(12, np.float32), True)
    target = PreparedTarget(split, split, np.arange(12) % 2 == 0, np.arange(12, 30))
    prepared = Prepared(sources, {"asked": target})
    study = study_of(prepared, trainable=trainable, batch_size=6, learning_rate=1e-3, precision="fp32", max_length=48)
    return study, Bench(prepared, open_proxy(model, study.proxy, table))
