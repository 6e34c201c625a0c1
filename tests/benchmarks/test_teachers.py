from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from teachers import headed, trained_teacher
from tiny import write_sets
from triples import pooled

from mixtune.source import Source
from mixtune.study import OFFLINE_MODEL
from mixtune.target import Target
from mixtune.training.encoding.models import resolve

TEXTS = ["a short text", "another one that is a little longer"]


def test_a_headed_teacher_embeds_through_its_head(tmp_path: Path) -> None:
    weight = torch.randn(384, 384, generator=torch.Generator().manual_seed(0))
    headed(weight).save_pretrained(str(tmp_path / "teacher"), create_model_card=False)
    found = SentenceTransformer(str(tmp_path / "teacher"), device="cpu", local_files_only=True).encode(TEXTS)
    base = SentenceTransformer(str(resolve(OFFLINE_MODEL).path), device="cpu", local_files_only=True).encode(TEXTS)
    expected = base @ weight.numpy().T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_teacher_is_trained_once_and_its_length_is_of_the_best_dev_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sets(tmp_path)
    pool = pooled([Source("tldr", "beir", str(tmp_path / "tldr"))], tmp_path / "cache", 2)
    targets = [Target("tldr", "beir", str(tmp_path / "tldr"), pool=10)]
    made = trained_teacher(pool, targets, tmp_path / "cache", (0, 1, 2))
    assert made.steps == max((1, 2), key=lambda steps: made.dev[steps])
    assert set(made.dev) == {0, 1, 2} and set(made.judged.test) == set(made.base.test) == {"tldr"}
    monkeypatch.setattr("teachers.Driver", lambda study: pytest.fail("trained again"))
    assert trained_teacher(pool, targets, tmp_path / "cache", (0, 1, 2)) == made
