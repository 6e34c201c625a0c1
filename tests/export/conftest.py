import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from mixtune.export.base import ExportRequest, MetricValue
from mixtune.preparation import Preparation
from mixtune.proxy import Final, Proxy
from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.study import Study
from mixtune.target import Target
from mixtune.training.data.reading import read_source

ROWS = {"homes": 300, "wide web": 90, "tiny": 6}
VERSIONS = {"homes": "2.4.5"}


@pytest.fixture
def study() -> Study:
    return Study(
        name="little",
        sources=(
            Source("homes", "docstrings", "numpy", corrupt=0.25),
            Source("wide web", "beir", "data/wide web", split="dev", limit=90),
            Source("tiny", "beir", "data/tiny", weight=3.0),
            Source("left-out", "beir", "data/out", weight=0.0),
        ),
        targets=(Target("t", "beir", "data/t"),),
        search=Search("infdds"),
        budget=Budget(trials=4),
        proxy=Proxy(batch_size=4, temperature=0.02, max_length=64),
        final=Final(steps=120),
        seed=5,
        preparation=Preparation(
            key="k",
            sources={
                name: SourceFacts(rows, rows, 20.0, f"sha-{name}", VERSIONS.get(name)) for name, rows in ROWS.items()
            },
            targets={},
            run_flops=1.0,
        ),
    )


@pytest.fixture
def recipe() -> Recipe:
    thirds = {"homes": 1 / 3, "wide web": 1 / 7, "tiny": 1 - 1 / 3 - 1 / 7}
    return Recipe(Mixture(thirds), Pruning({"homes": 0.51}))


@pytest.fixture
def asked(study: Study, recipe: Recipe) -> Callable[[Path], ExportRequest]:
    def ask(out: Path) -> ExportRequest:
        return ExportRequest(
            study=study,
            trial=17,
            recipe=recipe,
            metric=MetricValue("ndcg@10", 0.574, (0.57, 0.578), 3),
            created=1_700_000_000.0,
            out=out,
            versions={"mixtune": "0.1.0", "numpy": "2.4.6"},
        )

    return ask


WORDS = [f"w{number}" for number in range(60)]


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A bag-of-words model on disk: real, random, and quick."""
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(["[UNK]", *WORDS])}, "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    weights = np.random.default_rng(0).normal(size=(len(WORDS) + 1, 8)).astype(np.float32)
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu")
    model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
    return tmp_path / "model"


@pytest.fixture
def two_sources(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study whose sources are BEIR folders on disk: `big` with 40 pairs, `tiny` with 3; MIXTUNE_HOME is beside."""
    monkeypatch.setenv("MIXTUNE_HOME", str(tmp_path / "home"))
    sources, facts = [], {}
    for name, rows in {"big": 40, "tiny": 3}.items():
        folder = tmp_path / "data" / name
        (folder / "qrels").mkdir(parents=True)
        texts = {
            "queries": [{"_id": f"q{i}", "text": f"w{i} w{i + 1}"} for i in range(rows)],
            "corpus": [{"_id": f"d{i}", "title": "", "text": f"w{i} w{i + 2} w{i + 3}"} for i in range(rows)],
        }
        for part, lines in texts.items():
            (folder / f"{part}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        judgements = "".join(f"q{i}\td{i}\t1\n" for i in range(rows))
        (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judgements)
        sources.append(Source(name, "beir", str(folder)))
        text = read_source(sources[-1], tmp_path / "home" / "cache")
        facts[name] = SourceFacts(rows, rows, 6.0, text.sha256)
    return replace(study, sources=tuple(sources), preparation=replace(study.prepared, sources=facts))
