import pickle
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard, SkipBatchSampler
from datasets import Dataset, DatasetDict
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from torch.utils.data import ConcatDataset, SequentialSampler

from mixtune.errors import ConfigError
from mixtune.recipe import Mixture
from mixtune.sampler import RecipeDraw
from mixtune.training.batches import RecipeBatchSampler, sampler_from, trained_on

SIZES = {"large": 300, "middle": 90, "tiny": 5}
MIXTURE = Mixture({"large": 0.2, "middle": 0.5, "tiny": 0.3})
Batches = list[list[int]]


def make(
    sizes: Mapping[str, int] = SIZES,
    mixture: Mixture = MIXTURE,
    *,
    batch_size: int = 8,
    seed: int = 3,
    drop_last: bool = False,
    **options: object,
) -> RecipeBatchSampler:
    parts = [list(range(size)) for size in sizes.values()]
    samplers = [DefaultBatchSampler(SequentialSampler(part), batch_size, drop_last) for part in parts]
    names = options.pop("names", list(sizes))
    return RecipeBatchSampler(
        ConcatDataset(parts), samplers, torch.Generator(), seed, mixture=mixture, names=names, **options
    )


def epoch(sampler: RecipeBatchSampler, number: int) -> Batches:
    sampler.set_epoch(number)
    return list(sampler)


def sources_of(batch: list[int]) -> set[str]:
    edges = np.cumsum(list(SIZES.values()))
    return {list(SIZES)[int(np.searchsorted(edges, row, side="right"))] for row in batch}


def test_every_batch_comes_from_one_source() -> None:
    assert all(len(sources_of(batch)) == 1 for batch in make(steps=200))


def test_batches_are_those_of_the_plain_draw() -> None:
    draw = RecipeDraw({name: np.arange(size) for name, size in SIZES.items()}, MIXTURE, 8, 3)
    offsets = {"large": 0, "middle": 300, "tiny": 390}
    expected = [(rows + offsets[name]).tolist() for name, rows in (draw.draw() for _ in range(60))]
    assert list(make(steps=60)) == expected


def test_a_source_smaller_than_a_batch_gives_all_it_has_each_time_even_under_drop_last() -> None:
    tiny = [batch for batch in make(steps=200, drop_last=True) if sources_of(batch) == {"tiny"}]
    assert len(tiny) > 40
    assert all(sorted(batch) == [390, 391, 392, 393, 394] for batch in tiny)


def test_an_epoch_is_as_long_as_the_rows_unless_told_otherwise() -> None:
    assert len(make()) == 395 // 8
    assert len(list(make())) == 395 // 8
    assert len(make(steps=7)) == 7


def test_epochs_are_stretches_of_one_long_draw() -> None:
    sampler = make(steps=30)
    assert [batch for number in range(4) for batch in epoch(sampler, number)] == list(make(steps=120))


def test_an_epoch_does_not_depend_on_what_was_iterated_before() -> None:
    wandered = make(steps=30)
    epoch(wandered, 0)
    assert epoch(wandered, 2) == list(make(steps=90))[60:]
    wandered.set_epoch(1)
    next(iter(wandered))
    assert epoch(wandered, 1) == list(make(steps=60))[30:]


def test_a_pass_over_a_source_goes_on_across_epochs() -> None:
    sampler = make({"only": 40}, Mixture({"only": 1.0}), steps=2)
    rows = [row for number in range(5) for batch in epoch(sampler, number) for row in batch]
    assert sorted(rows) == sorted([*range(40), *range(40)])


def test_skipping_batches_resumes_in_the_middle_of_an_epoch() -> None:
    resumed = make(steps=30)
    resumed.set_epoch(2)
    assert list(SkipBatchSampler(resumed, 11)) == list(make(steps=90))[71:]


def test_a_saved_state_resumes_in_the_middle_of_an_epoch_and_later_epochs_follow() -> None:
    whole, first, second = make(steps=30), make(steps=30), make(steps=30)
    first.set_epoch(1)
    batches = iter(first)
    for _ in range(12):
        next(batches)
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict()
    assert list(second) == epoch(whole, 1)[12:]
    assert list(second) == epoch(whole, 1)
    assert epoch(second, 2) == epoch(whole, 2)


def test_a_loaded_state_is_kept_when_the_loader_names_the_same_epoch() -> None:
    sampler = make(steps=30)
    batches = iter(sampler)
    next(batches)
    restored = make(steps=30)
    restored.load_state_dict(sampler.state_dict())
    restored.set_epoch(0)
    assert list(restored) == epoch(make(steps=30), 0)[1:]


@pytest.mark.parametrize("change", [{"seed": 4}, {"steps": 31}, {"batch_size": 4}])
def test_a_state_of_another_sampler_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="not a state of this sampler"):
        make(**{"steps": 30} | change).load_state_dict(make(steps=30).state_dict())


def test_the_receipt_counts_what_was_handed_out() -> None:
    sampler = make(steps=50)
    batches = list(sampler)
    receipt = sampler.receipt()
    for name in SIZES:
        own = [batch for batch in batches if sources_of(batch) == {name}]
        assert receipt[name].batches == len(own)
        assert receipt[name].rows == sum(len(batch) for batch in own)
        assert receipt[name].unique_rows == len({row for batch in own for row in batch})
        assert receipt[name].epochs == pytest.approx(sum(len(batch) for batch in own) / SIZES[name])


def test_the_receipt_of_a_resumed_run_counts_the_skipped_batches_too() -> None:
    whole, resumed = make(steps=20), make(steps=20)
    for number in range(3):
        epoch(whole, number)
    resumed.set_epoch(2)
    list(SkipBatchSampler(resumed, 15))
    assert resumed.receipt() == whole.receipt()


def test_a_receipt_for_batches_that_were_not_handed_out_is_refused() -> None:
    sampler = make(steps=20)
    next(iter(sampler))
    with pytest.raises(ValueError, match="1 batches were handed out"):
        sampler.receipt(2)


def test_only_kept_rows_are_drawn() -> None:
    kept = [3, 50, 77, 120, 121, 122, 200, 299, 7]
    drawn = {row for batch in make(steps=200, rows={"large": kept}) for row in batch if row < 300}
    assert drawn == set(kept)


def test_names_follow_the_order_of_the_datasets() -> None:
    swapped = make({"middle": 90, "large": 300, "tiny": 5}, steps=400)
    shares = np.histogram([batch[0] for batch in swapped], bins=[0, 90, 390, 395])[0] / 400
    assert shares == pytest.approx([0.5, 0.2, 0.3], abs=0.1)


def test_wrong_names_rows_and_counts_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="3 datasets need as many different names"):
        make(names=["large", "middle"])
    with pytest.raises(ValueError, match=r"without a weight \['medium'\], without a dataset \['middle'\]"):
        make(names=["large", "medium", "tiny"])
    with pytest.raises(ValueError, match=r"row numbers of source 'tiny' must lie in \[0, 5\)"):
        make(rows={"tiny": [5]})
    with pytest.raises(ValueError, match="'tiny' are given twice"):
        make(rows={"tiny": [1, 1]})
    with pytest.raises(ValueError, match="source 'large' must have 90 rows, its dataset has 300"):
        make(counts={"large": 90, "middle": 300})
    with pytest.raises(ValueError, match="steps must be at least 1"):
        make(steps=0)


def test_sampler_and_partial_survive_pickling() -> None:
    factory = pickle.loads(pickle.dumps(partial(RecipeBatchSampler, mixture=MIXTURE, names=tuple(SIZES), steps=9)))
    parts = [list(range(size)) for size in SIZES.values()]
    samplers = [DefaultBatchSampler(SequentialSampler(part), 8, False) for part in parts]
    built = factory(ConcatDataset(parts), batch_samplers=samplers, generator=torch.Generator(), seed=3)
    assert list(built) == list(make(steps=9))
    assert list(pickle.loads(pickle.dumps(built))) == list(make(steps=9))


def test_processes_share_every_batch_among_them_small_sources_included() -> None:
    whole = list(make(steps=40))
    shards = [list(BatchSamplerShard(make(steps=40), 2, process, even_batches=False)) for process in range(2)]
    assert [batch for pair in zip(*shards, strict=True) for batch in pair] == whole


def test_batches_are_split_among_processes_where_all_are_full() -> None:
    sizes, mixture = {"large": 300, "middle": 90}, Mixture({"large": 0.3, "middle": 0.7})
    halves = [
        list(BatchSamplerShard(make(sizes, mixture, steps=20), 2, process, split_batches=True, even_batches=False))
        for process in range(2)
    ]
    assert [a + b for a, b in zip(*halves, strict=True)] == list(make(sizes, mixture, steps=20))


# --- the real thing: SentenceTransformerTrainer ---

WORDS = [f"w{i}" for i in range(400)]


def tiny_model() -> SentenceTransformer:
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(["[UNK]", *WORDS])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    weights = np.random.default_rng(0).normal(size=(len(WORDS) + 1, 8)).astype(np.float32)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu")


def training_data() -> DatasetDict:
    return DatasetDict(
        {
            name: Dataset.from_dict(
                {"anchor": [f"{name} w{i}" for i in range(size)], "positive": [f"w{i} w{i + 1}" for i in range(size)]}
            )
            for name, size in SIZES.items()
        }
    )


class Recording(SentenceTransformerTrainer):
    """Remembers the anchors of each batch as the loss sees them."""

    def compute_loss(
        self, model: torch.nn.Module, inputs: dict[str, torch.Tensor], *args: object, **kwargs: object
    ) -> torch.Tensor:
        tokens, offsets = inputs["anchor_input_ids"].tolist(), [*inputs["anchor_offsets"].tolist(), None]
        self.batches = [*getattr(self, "batches", []), [tokens[a:b][-1] for a, b in pairwise(offsets)]]
        return super().compute_loss(model, inputs, *args, **kwargs)


def trainer(out: Path, sampler: object, **options: object) -> Recording:
    model = tiny_model()
    settings = {"max_steps": 200, "per_device_train_batch_size": 8, "save_steps": 80, "seed": 3} | options
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(out),
        multi_dataset_batch_sampler=sampler,
        report_to="none",
        disable_tqdm=True,
        logging_steps=1000,
        use_cpu=True,
        **settings,
    )
    return Recording(
        model=model, args=arguments, train_dataset=training_data(), loss=MultipleNegativesRankingLoss(model)
    )


def factory(**options: object) -> "partial[RecipeBatchSampler]":
    return partial(RecipeBatchSampler, mixture=MIXTURE, names=list(SIZES), **options)


def test_a_real_run_obeys_the_weights_and_its_receipt_says_so(tmp_path: Path) -> None:
    run = trainer(tmp_path, factory(steps=250))
    run.train()
    receipt = trained_on(run)
    assert sum(drawn.batches for drawn in receipt.values()) == 200 == len(run.batches)
    assert receipt["tiny"].batches == sum(len(batch) == 5 for batch in run.batches)
    assert receipt["tiny"].epochs == receipt["tiny"].batches
    for name, weight in MIXTURE.items():
        error = np.sqrt(weight * (1 - weight) / 200)
        assert abs(receipt[name].batches / 200 - weight) < 4 * error
    assert (tmp_path / "checkpoint-160" / "training_args.bin").is_file()


@pytest.mark.parametrize("steps", [250, 90, 80])
def test_a_run_resumed_from_its_checkpoint_sees_the_batches_of_an_undisturbed_one(tmp_path: Path, steps: int) -> None:
    whole = trainer(tmp_path, factory(steps=steps))
    whole.train()
    resumed = trainer(tmp_path, factory(steps=steps))
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-160"))
    assert resumed.batches == whole.batches[160:]
    assert trained_on(resumed) == trained_on(whole)
    assert torch.equal(resumed.model[0].embedding.weight, whole.model[0].embedding.weight)


def test_the_receipt_counts_accumulated_batches(tmp_path: Path) -> None:
    run = trainer(tmp_path, factory(steps=10), max_steps=7, gradient_accumulation_steps=4, save_strategy="no")
    run.train()
    # Three optimiser steps an epoch take 4 + 4 + 2 batches; the seventh takes 4 of the third epoch.
    assert sum(drawn.batches for drawn in trained_on(run).values()) == 24 == len(run.batches)


def test_a_trainer_with_another_sampler_has_no_receipt(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="set multi_dataset_batch_sampler"):
        trained_on(trainer(tmp_path, "proportional"))


def test_the_sampler_of_a_missing_file_says_so() -> None:
    with pytest.raises(ConfigError, match="write one with `mixtune export`"):
        sampler_from("nowhere.json")
