"""A folder with the mixture file and a training script for sentence-transformers that obeys it."""

from pathlib import Path
from string import Template

from mixtune.errors import ExportError
from mixtune.export.base import ExportRequest, write_files
from mixtune.export.mixture import check_ours, mixture_of
from mixtune.proxy import Proxy

MIXTURE_NAME = "mixture.json"
SCRIPT_NAME = "train.py"

FULL_RATE = 3e-5
"""Learning rate of the script where the study's proxy did not train the whole model [ours]."""

_SCRIPT = Template('''\
"""Train a retriever on the mixture in mixture.json.

Written by `mixtune export`; exporting to this folder again overwrites the script. Needs mixtune and
sentence-transformers[train]. Weights are shares of batches: every batch comes from one source. Sources with hard
negatives bring as many to each pair as the mixture file says; what rows lack, and weights of rows, which no loss here
knows, are said in print and in receipt.json, and so is what a sampler cannot carry over of the recipe (pruning
schedules, topics). One process; for several, see the docstring of mixtune.training.batches.RecipeBatchSampler.
"""

import argparse
import json
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, DatasetDict
from mixtune.config.home import home
from mixtune.measurement import Drawn
from mixtune.mixture_file import SourceEntry, read_mixture, source_at
from mixtune.training.batches import sampler_from, trained_on
from mixtune.training.data.reading import read_source
from mixtune.training.data.triplets import triplets_of
from mixtune.training.encoding.models import autocast_dtype, load, resolve
from mixtune.training.preparing.mining import mined
${scaled}from sentence_transformers import (
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
NOT_CARRIED_OVER = ($lost)
"""What the study's runs did, and neither sentence-transformers' losses nor its samplers do."""


def examples(entry: SourceEntry, negatives: int, model: SentenceTransformer) -> tuple[Dataset, list[str]]:
    """Read a source (with static pruning, the pairs that the base model finds most similar), and what to know of it."""
    source = source_at(entry.name, entry.uri)
    text = read_source(source, home().cache).without(entry.left_out)
    if text.sha256 != entry.sha256:
        raise SystemExit(f"source {entry.name} at {entry.uri} is not what the study read (sha256 in {MIXTURE})")
    if source.mine and not text.negatives:
        texts = list(dict.fromkeys((*text.queries, *text.documents)))
        rows = dict(zip(texts, range(len(texts)), strict=True))
        queries, documents = (np.array([rows[each] for each in side]) for side in (text.queries, text.documents))
        text = mined(text, queries, documents, model.encode(texts, normalize_embeddings=True), source.mine)
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
${scaling}    for name, (dataset, notes) in read.items():
        print(f"source {name}: columns {', '.join(dataset.column_names)}")
        for note in notes:
            print(f"warning: source {name}: {note}")
    for lost in NOT_CARRIED_OVER:
        print(f"warning: not carried over: {lost}")
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # they are among these
        sampler = sampler_from(MIXTURE)
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
        multi_dataset_batch_sampler=sampler,
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
    missing = [f"not carried over: {lost}" for lost in NOT_CARRIED_OVER]
    record = {name: asdict(drawn) | {"notes": [*missing, *read[name][1]]} for name, drawn in receipt.items()}
    (options.output / "receipt.json").write_text(json.dumps(record, indent=2) + "\\n")


if __name__ == "__main__":
    main()
''')


_LOSSES = "from sentence_transformers.sentence_transformer.losses import "

_INFONCE = {
    "imports": f"{_LOSSES}MultipleNegativesRankingLoss",
    "loss": "MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE)",
    "scored": "False",
    "scaled": "",
    "scaling": "",
}
_MARGIN_MSE = {
    "imports": f"{_LOSSES}MarginMSELoss\nfrom sentence_transformers.util import pairwise_cos_sim",
    "loss": "MarginMSELoss(model, similarity_fct=lambda a, b: pairwise_cos_sim(a, b) / TEMPERATURE)",
    "scored": "True",
    "scaled": "from mixtune.training.teaching.margins import scaled\n",
    "scaling": (
        "    train_dataset, divisor = scaled(\n"
        "        train_dataset, lambda texts: model.encode(texts, normalize_embeddings=True), TEMPERATURE\n"
        "    )\n"
        '    print(f"teacher margins are divided by {divisor:.3g}: then they spread as the untrained model\'s do")\n'
    ),
}
_UNSCALED = {"scaled": "", "scaling": ""}
_BY_LOSS = {"infonce": _INFONCE, "margin-mse": _MARGIN_MSE}
"""What the script says otherwise for each loss that sentence-transformers has."""


def loss_of(proxy: Proxy) -> tuple[str, str | None]:
    """The script's loss in place of the study's, and what is lost by it (None: nothing).

    Losses of an in-batch teacher exist nowhere else, and teacher scores that the study computed are not in the data.
    """
    scored = proxy.loss in ("dual", "margin-mse") and proxy.teacher is None
    loss = "margin-mse" if scored else "infonce"
    if loss != proxy.loss:
        lack = "its in-batch teacher" if scored or proxy.loss == "in-batch" else "its teacher's scores"
        return loss, f"loss {proxy.loss} for want of {lack} (the script trains with {loss})"
    if proxy.loss == "infonce" and proxy.batch_teacher is not None:
        return loss, "what proxy.batch_teacher says is no negative (every other document of a batch is one)"
    return loss, None


def lost_of(request: ExportRequest) -> tuple[str, ...]:
    """What the script does not carry over of the study's runs, in words.

    Raises:
        DataError: the study is not prepared.
        ExportError: the recipe is not one of this study.
    """
    _, lost = loss_of(request.study.proxy)
    return (*mixture_of(request).beyond_sampling, *([] if lost is None else [lost]))


def script_of(request: ExportRequest) -> str:
    """The training script for a request. Everything that the mixture file does not hold is a constant in it.

    The script trains the whole model. Its learning rate is the study's where the proxy trained the whole model too,
    else FULL_RATE; warm-up over a tenth of the steps and linear decay are ours. Its loss is the study's, each with the
    proxy's temperature: `infonce` is MultipleNegativesRankingLoss, `margin-mse` MarginMSELoss on teacher scores that
    are scaled as the study's are, though by a sample of the drawn sources' pairs (mixtune.training.teaching.margins),
    or not at all where its teacher_scale is `raw`; see loss_of for the others.
    """
    proxy, lost = request.study.proxy, lost_of(request)
    parts = _BY_LOSS[loss_of(proxy)[0]]
    return _SCRIPT.substitute(
        model=_quoted(request.study.model),
        temperature=repr(proxy.temperature),
        max_length=proxy.max_length,
        learning_rate=repr(proxy.rate if proxy.trainable == "all" else FULL_RATE),
        seed=request.study.seed,
        lost="".join(f"\n    {_quoted(each)}," for each in lost) + ("\n" if lost else ""),
        **(parts | _UNSCALED if proxy.teacher_scale == "raw" else parts),
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
