"""A folder with the mixture file and a training script for sentence-transformers that obeys it."""

from pathlib import Path
from string import Template

from mixtune.errors import ExportError
from mixtune.export.base import ExportRequest, write_files
from mixtune.export.mixture import check_ours, mixture_of

MIXTURE_NAME = "mixture.json"
SCRIPT_NAME = "train.py"

FULL_RATE = 3e-5
"""Learning rate of the script where the study's proxy did not train the whole model [ours]."""

_SCRIPT = Template('''\
"""Train a retriever on the mixture in mixture.json.

Written by `mixtune export`; exporting to this folder again overwrites the script. Needs mixtune and
sentence-transformers[train]. Weights are shares of batches: every batch comes from one source. Sources with hard
negatives bring as many to each pair as the mixture file says; what rows lack, and weights of rows, which no loss here
knows, are said in print and in receipt.json. One process; for several, see the docstring of
mixtune.training.batches.RecipeBatchSampler.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, DatasetDict
from mixtune.config.home import home
from mixtune.mixture_file import SourceEntry, read_mixture, source_at
from mixtune.training.batches import sampler_from, trained_on
from mixtune.training.data import read_source
from mixtune.training.models import autocast_dtype, load, resolve
from mixtune.training.triplets import triplets_of
from mixtune.trial import Drawn
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
$imports

MIXTURE = Path(__file__).with_name("mixture.json")
MODEL = $model
TEMPERATURE = $temperature
MAX_LENGTH = $max_length
LEARNING_RATE = $learning_rate
SEED = $seed


def examples(entry: SourceEntry, negatives: int, model: SentenceTransformer) -> tuple[Dataset, list[str]]:
    """Read a source (with static pruning, the pairs that the base model finds most similar), and what to know of it."""
    text = read_source(source_at(entry.name, entry.uri), home().cache)
    if text.sha256 != entry.sha256:
        raise SystemExit(f"source {entry.name} at {entry.uri} is not what the study read (sha256 in {MIXTURE})")
    found = triplets_of(text, negatives, scored=$scored)
    dataset = Dataset.from_dict(found.columns)
    if entry.kept < 1:
        anchors, positives = (
            model.encode(dataset[column][:], normalize_embeddings=True) for column in ("anchor", "positive")
        )
        best = np.argsort(-(anchors * positives).sum(axis=1), kind="stable")[: entry.kept_rows]
        dataset = dataset.select(sorted(best.tolist()))
    return dataset, list(found.notes)


def main() -> None:
    """Train, save the model, and compare what was drawn with what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("output"), help="folder of checkpoints and of the model")
    parser.add_argument("--max-steps", type=int, help="optimiser steps (default: the budget in mixture.json)")
    parser.add_argument("--model", default=MODEL, help="base model: hub name, folder, or offline:NAME")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint in --output")
    options = parser.parse_args()

    mixture = read_mixture(MIXTURE)
    model = load(resolve(options.model), MAX_LENGTH)
    read = {entry.name: examples(entry, mixture.negatives, model) for entry in mixture.drawn}
    train_dataset = DatasetDict({name: dataset for name, (dataset, _) in read.items()})
    for name, (dataset, notes) in read.items():
        print(f"source {name}: columns {', '.join(dataset.column_names)}")
        for note in notes:
            print(f"warning: source {name}: {note}")
    bf16 = autocast_dtype(mixture.precision) is not None
    print(f"precision: {'bf16' if bf16 else 'fp32'} (the mixture file says {mixture.precision})")
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(options.output),
        max_steps=options.max_steps or mixture.budget.steps,
        per_device_train_batch_size=mixture.budget.batch_size,
        learning_rate=LEARNING_RATE,
        warmup_steps=0.1,
        seed=SEED,
        bf16=bf16,
        use_cpu=not torch.accelerator.is_available(),
        multi_dataset_batch_sampler=sampler_from(MIXTURE),
        dataloader_pin_memory=torch.accelerator.is_available(),
        report_to="none",
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=train_dataset,
        loss=$loss,
    )
    trainer.train(resume_from_checkpoint=options.resume)
    model.save_pretrained(str(options.output / "model"))

    receipt = {entry.name: Drawn() for entry in mixture.drawn} | trained_on(trainer)
    batches = sum(drawn.batches for drawn in receipt.values())
    print(f"{'source':<32}{'requested':>12}{'realised':>12}{'batches':>10}{'epochs':>10}")
    for entry in mixture.drawn:
        drawn = receipt[entry.name]
        share = drawn.batches / batches
        print(f"{entry.name:<32}{entry.weight:>12.4f}{share:>12.4f}{drawn.batches:>10}{drawn.epochs:>10.2f}")
    record = {name: asdict(drawn) | {"notes": read[name][1]} for name, drawn in receipt.items()}
    (options.output / "receipt.json").write_text(json.dumps(record, indent=2) + "\\n")


if __name__ == "__main__":
    main()
''')


_LOSSES = "from sentence_transformers.sentence_transformer.losses import "

_INFONCE = {
    "imports": f"{_LOSSES}MultipleNegativesRankingLoss",
    "loss": "MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE)",
    "scored": "False",
}
_MARGIN_MSE = {
    "imports": f"{_LOSSES}MarginMSELoss\nfrom sentence_transformers.util import pairwise_cos_sim",
    "loss": "MarginMSELoss(model, similarity_fct=lambda a, b: pairwise_cos_sim(a, b) / TEMPERATURE)",
    "scored": "True",
}
_BY_LOSS = {"infonce": _INFONCE, "margin-mse": _MARGIN_MSE}
"""What the script says otherwise for each loss of a study's proxy."""


def script_of(request: ExportRequest) -> str:
    """The training script for a request. Everything that the mixture file does not hold is a constant in it.

    The script trains the whole model. Its learning rate is the study's where the proxy trained the whole model too,
    else FULL_RATE; warm-up over a tenth of the steps and linear decay are ours. Its loss is the study's, each with the
    proxy's temperature: `infonce` is MultipleNegativesRankingLoss, `margin-mse` MarginMSELoss on teacher scores.
    """
    proxy = request.study.proxy
    return _SCRIPT.substitute(
        model=_quoted(request.study.model),
        temperature=repr(proxy.temperature),
        max_length=proxy.max_length,
        learning_rate=repr(proxy.rate if proxy.trainable == "all" else FULL_RATE),
        seed=request.study.seed,
        **_BY_LOSS[proxy.loss],
    )


def export_sentence_transformers(request: ExportRequest) -> list[Path]:
    """Write mixture.json and train.py into the folder request.out, replacing those of an earlier export only.

    Raises:
        DataError: the study is not prepared.
        ExportError: the recipe is not one of this study, or out is not a folder of ours or cannot be written.
    """
    mixture, script = request.out / MIXTURE_NAME, request.out / SCRIPT_NAME
    if request.out.exists() and not request.out.is_dir():
        raise ExportError(f"{request.out} is a file: give a folder as --out")
    if request.out.is_dir() and any(request.out.iterdir()) and not mixture.is_file():
        raise ExportError(
            f"{request.out} holds something else than an earlier export, so it is left alone: "
            "give a new or empty folder as --out"
        )
    check_ours(mixture)
    return write_files({mixture: mixture_of(request).to_json(), script: script_of(request)})


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
