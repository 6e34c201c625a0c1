"""A StaticEmbedding student, made from all-MiniLM-L6-v2 without a network."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from mixtune.recipe import FloatArray
from mixtune.study import OFFLINE_MODEL
from mixtune.training.encoding import models

DIMENSIONS = 256
BATCH = 1024


def static_student(folder: Path, contextual: bool = True) -> Path:
    """Where the student lies; it is made on the first call, which takes a minute or two.

    As model2vec does it (Minish Lab): every token of the vocabulary is encoded on its own, the embeddings are reduced
    to their DIMENSIONS principal components, and a token weighs log(1 + its rank), since the vocabulary is ordered by
    frequency. Where it is not contextual, the teacher's own input embeddings take the place of encoded tokens: a
    weaker student, made at once.
    """
    resolved = models.resolve(OFFLINE_MODEL)
    place = folder / f"static-{'encoded' if contextual else 'input'}-{DIMENSIONS}-{resolved.fingerprint[:12]}"
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            beside = Path(name) / "student"
            teacher = models.load(resolved, max_length=128)
            vectors = encoded_tokens(teacher) if contextual else input_embeddings(teacher)
            _bag(teacher, vectors).save_pretrained(str(beside), create_model_card=False)
            shutil.move(beside, place)
    return place


def input_embeddings(teacher: SentenceTransformer) -> FloatArray:
    """The teacher's own vector of each token, shape (V, 384)."""
    transformer: Any = teacher.transformers_model
    weights = transformer.get_input_embeddings().weight
    return np.asarray(weights.detach().cpu().double().numpy())


def encoded_tokens(teacher: SentenceTransformer) -> FloatArray:
    """The teacher's embedding of each token as a text of its own, shape (V, 384)."""
    tokenizer, parts = teacher.tokenizer, []
    for first in range(0, len(tokenizer), BATCH):
        tokens = torch.arange(first, min(first + BATCH, len(tokenizer)))
        start, end = (torch.full_like(tokens, each) for each in (tokenizer.cls_token_id, tokenizer.sep_token_id))
        ids = torch.stack([start, tokens, end], dim=1).to(teacher.device)
        features = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
        with torch.no_grad():
            parts.append(teacher(features)["sentence_embedding"])
    return np.asarray(torch.cat(parts).cpu().double().numpy())


def _bag(teacher: SentenceTransformer, vectors: FloatArray) -> SentenceTransformer:
    """A bag of the teacher's tokens with these vectors, reduced and weighted."""
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    rarity = np.log(np.arange(len(vectors)) + 2)[:, None]
    reduced = centred @ directions[:, ::-1][:, :DIMENSIONS] * rarity
    module = StaticEmbedding(teacher.tokenizer.backend_tokenizer, embedding_weights=reduced.astype(np.float32))
    return SentenceTransformer(modules=[module], device="cpu")
