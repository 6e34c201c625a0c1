"""A study on tiny texts whose student is a bag of embeddings: sources mine negatives, and teachers score them."""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from transformers import BertConfig, BertForSequenceClassification

from mixtune.proxy import Proxy
from mixtune.search import Budget, Search
from mixtune.source import Source
from mixtune.study import OFFLINE_MODEL, Study
from mixtune.target import Target
from mixtune.teacher import Teacher
from mixtune.training.encoding.models import quiet, resolve

MINILM = Teacher(OFFLINE_MODEL, "sentence-transformer")
THINGS = ("cat", "dog", "cow", "hen", "fox", "owl", "bee", "ant", "eel", "elk", "yak", "ram")
PLACES = ("farm", "wood", "town", "hill")


def silent(what: str, done: int, total: int) -> None:
    pass


def write_data(folder: Path) -> Path:
    """A set of 48 documents, one a thing and place; its queries are half train, a quarter dev, a quarter test."""
    (folder / "qrels").mkdir(parents=True)
    both = [(thing, place) for place in PLACES for thing in THINGS]
    rows = {
        "corpus": [
            {"_id": f"d{i}", "title": "", "text": f"The {a} lives on the {b}."} for i, (a, b) in enumerate(both)
        ],
        "queries": [{"_id": f"q{i}", "text": f"where is the {a} of the {b}"} for i, (a, b) in enumerate(both)],
    }
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    for split, keep in {"train": (0, 1), "dev": (2,), "test": (3,)}.items():
        judged = [f"q{i}\td{i}\t1" for i in range(len(both)) if i % 4 in keep]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")
    return folder


def save_student(folder: Path) -> str:
    """A StaticEmbedding model of 32 random dimensions."""
    tokenizer = Tokenizer.from_file(str(resolve(OFFLINE_MODEL).path / "tokenizer.json"))
    weights = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 32)).astype(np.float32)
    student = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu")
    student.save_pretrained(str(folder), create_model_card=False)
    return str(folder)


def save_cross_encoder(folder: Path, labels: int = 1) -> str:
    """A random cross-encoder of two layers."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=64,
        num_labels=labels,
        initializer_range=0.6,
    )
    with quiet():
        BertForSequenceClassification(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copy(resolve(OFFLINE_MODEL).path / name, folder / name)
    return str(folder)


def study_on(data: Path, student: str, *, mine: int = 3, **proxy: object) -> Study:
    """One source that mines its negatives, and one target; the whole student is trained."""
    settings: dict[str, object] = {
        "trainable": "all",
        "steps": 12,
        "batch_size": 8,
        "learning_rate": 1e-2,
        "max_length": 24,
        "precision": "fp32",
    }
    return Study(
        name="taught",
        sources=(Source("things", "beir", str(data), mine=mine),),
        targets=(Target("asked", "beir", str(data), pool=0),),
        search=Search("uniform"),
        budget=Budget(trials=2),
        model=student,
        proxy=Proxy(**(settings | proxy)),
    )
