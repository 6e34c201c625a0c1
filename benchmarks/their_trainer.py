"""sentence-transformers' own trainer on given batches, with a clock on its steps."""

import copy
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch import nn
from torch.utils.data import SequentialSampler
from transformers import PrinterCallback, TrainerCallback

from mixtune.training.data.texts import SourceText
from mixtune.training.prepared import Rows

Settings: TypeAlias = Mapping[str, Any]
"""Arguments of the trainer that are not its defaults."""


def clocks() -> tuple[float, float]:
    """Wall and CPU seconds."""
    return time.perf_counter(), time.process_time()


class StepWatch(TrainerCallback):
    """The clocks at the end of each optimiser step, the losses that the trainer logged, and what layers gave."""

    def __init__(self) -> None:
        self.clocks: list[tuple[float, float]] = []
        self.losses: list[float] = []
        self.dtypes: set[torch.dtype] = set()

    def on_step_end(self, *_: object, **__: object) -> None:
        """Read the clocks."""
        self.clocks.append(clocks())

    def on_log(self, *_: object, logs: Mapping[str, float] | None = None, **__: object) -> None:
        """Keep the loss; the last line of a run has none."""
        if logs and "loss" in logs:
            self.losses.append(logs["loss"])


def train(
    model: SentenceTransformer, text: SourceText, batches: Sequence[Rows], watch: StepWatch, settings: Settings
) -> None:
    """A copy of the model in the trainer with its defaults, but for the batches, which it takes in the order given.

    A copy, because accelerate prepares a model once for all: one that was trained in fp32 stays in fp32.
    """
    model = copy.deepcopy(model)
    order = text.take(np.concatenate(batches).tolist())
    dataset = Dataset.from_dict({"anchor": order.queries, "positive": order.documents})
    model.model_card_data.generate_widget_examples = False
    with tempfile.TemporaryDirectory() as folder:
        trainer = SentenceTransformerTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=len(batches[0]),
                num_train_epochs=1,
                batch_sampler=_in_order,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=not torch.cuda.is_available(),
                **settings,
            ),
            train_dataset=dataset,
            loss=MultipleNegativesRankingLoss(model),
            callbacks=[watch],
        )
        trainer.pop_callback(PrinterCallback)
        layer = next(module for module in model.modules() if isinstance(module, nn.Linear))
        layer.register_forward_hook(lambda module, inputs, output: watch.dtypes.add(output.dtype))
        trainer.train()


def _in_order(dataset: Dataset, batch_size: int, drop_last: bool, **_: object) -> DefaultBatchSampler:
    return DefaultBatchSampler(SequentialSampler(dataset), batch_size, drop_last)
