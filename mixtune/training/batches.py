"""The sampler for users' own trainers: sentence-transformers batches that follow a recipe, with a receipt."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import JsonValue as Json
from sentence_transformers.base.sampler import MultiDatasetDefaultBatchSampler
from torch.utils.data import BatchSampler, ConcatDataset
from transformers import Trainer

from mixtune.measurement import Drawn
from mixtune.mixture_file import read_mixture
from mixtune.recipe import Mixture
from mixtune.sampler import RecipeDraw


class RecipeBatchSampler(MultiDatasetDefaultBatchSampler):
    """One source per batch, chosen by weight: give it to a Trainer as `multi_dataset_batch_sampler`.

    Use `sampler_from` for a mixture file, or `functools.partial(RecipeBatchSampler, mixture=..., names=...)`; both can
    be pickled, which saving a checkpoint needs. The four leading arguments are what the Trainer passes.

    The batches of a run are one long draw (see RecipeDraw) that depends on mixture, rows, batch size and seed alone;
    epoch e is its stretch of `steps` batches from e * steps on. So small sources restart and are never dropped, passes
    over a source go on across epochs, and a Trainer that resumes from a checkpoint (set_epoch, then skipping batches)
    sees what an undisturbed one would have seen. Loaders that keep the sampler's own state (torchdata) find
    state_dict and load_state_dict. A source with fewer rows than a batch gives all it has, also under drop_last.

    Several processes: accelerate runs this sampler in full in each process (the draw is equal everywhere) and hands
    process r of P the batches r, P + r, ... (BatchSamplerShard); so an optimiser step takes P batches, usually of
    different sources, and an epoch's `steps` are P times as many batches as the optimiser sees. What is left when P
    does not divide steps goes to the first processes only: choose a multiple, or set dataloader_drop_last. Where the
    batch size is declared, the shard silently drops each round of P batches that ends in a smaller one; therefore
    batch_size is None while any source is smaller than a batch. transformers 5.23 does not pass the epoch through
    a shard when it resumes in the middle of one: with P processes let one epoch span the whole run, steps = P times
    the optimiser steps.

    Args:
        dataset: the sources, concatenated in the order of names.
        batch_samplers: the Trainer's own samplers, one per source; only their batch size is used.
        generator: ignored, the seed decides.
        seed: seed of the draw; the Trainer passes its own.
        mixture: weight per source, the share of batches.
        names: source of each dataset; the order of the keys of the DatasetDict, whose names the Trainer drops.
        rows: usable row numbers of a source, for static pruning; a source not named uses all its rows.
        steps: batches per epoch (micro-batches under gradient accumulation); default: usable rows // batch size.
        counts: usable rows that each source must have. The names' order cannot be checked otherwise.

    Raises:
        ValueError: names, mixture, rows or counts do not fit the datasets, or steps is below 1.
    """

    def __init__(
        self,
        dataset: ConcatDataset[object],
        batch_samplers: list[BatchSampler],
        generator: torch.Generator | None = None,
        seed: int = 0,
        *,
        mixture: Mixture,
        names: Sequence[str],
        rows: Mapping[str, Sequence[int]] | None = None,
        steps: int | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(dataset, batch_samplers, generator, seed)
        sizes = [len(part) for part in dataset.datasets]  # type: ignore[arg-type]
        _check_names(names, sizes, mixture, rows or {})
        self.mixture = mixture
        self._size = int(batch_samplers[0].batch_size)
        self._offsets = dict(zip(names, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
        self._rows = {name: _usable(name, size, rows or {}) for name, size in zip(names, sizes, strict=True)}
        for name, count in (counts or {}).items():
            if name in self._rows and len(self._rows[name]) != count:
                raise ValueError(
                    f"source {name!r} must have {count} rows, its dataset has {len(self._rows[name])}: check that the "
                    f"names ({', '.join(names)}) are in the order of the DatasetDict, that static pruning was applied, "
                    "and that the data is what the study read"
                )
        if steps is not None and steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        usable = sum(len(numbers) for numbers in self._rows.values())
        self._steps = steps or max(1, usable // self._size)
        if any(len(self._rows[name]) < self._size for name, weight in mixture.items() if weight > 0):
            self.batch_size = None  # type: ignore[assignment]  # accelerate's sign for batches of unequal size
        self._boundary: tuple[int, dict[str, Json]] = (0, self._draw().state())
        self._handed = (0, 0)
        self._resume: tuple[int, int] | None = None

    def __len__(self) -> int:
        """Batches of one epoch."""
        return self._steps

    def __iter__(self) -> Iterator[list[int]]:
        """The batches of the current epoch: positions in the concatenated dataset."""
        first = 0
        if self._resume is not None and self._resume[0] == self.epoch:
            first = self._resume[1]
        self._resume = None
        return self._batches(self.epoch, first)

    def _batches(self, epoch: int, first: int) -> Iterator[list[int]]:
        draw = self._draw()
        at, state = self._boundary if self._boundary[0] <= epoch else (0, draw.state())
        draw.restore(state)
        for _ in range((epoch - at) * self._steps + first):
            draw.draw()
        for batch in range(first, self._steps):
            name, rows = draw.draw()
            self._handed = (epoch, batch + 1)
            if batch + 1 == self._steps:
                self._boundary = (epoch + 1, draw.state())
            yield (rows + self._offsets[name]).tolist()

    def _draw(self) -> RecipeDraw:
        return RecipeDraw(self._rows, self.mixture, self._size, self.seed)

    @property
    def handed(self) -> int:
        """Batches handed out since the start of the run, those that a resumed run skipped included."""
        return self._handed[0] * self._steps + self._handed[1]

    def receipt(self, batches: int | None = None) -> dict[str, Drawn]:
        """What the first batches of the run held, per source that gave any: drawn again and counted.

        Args:
            batches: how many; loaders fetch ahead, so a run that stopped within an epoch used fewer than were handed
                out (see trained_on). Default: all that were handed out.

        Raises:
            ValueError: more batches than were handed out.
        """
        if batches is None:
            batches = self.handed
        if not 0 <= batches <= self.handed:
            raise ValueError(f"{self.handed} batches were handed out, a receipt for {batches} cannot be given")
        draw = self._draw()
        for _ in range(batches):
            draw.draw()
        return draw.receipt()

    def state_dict(self) -> dict[str, Json]:
        """Where the sampler stands, as plain JSON, for loaders that keep their samplers' state."""
        epoch, batch = self._resume or self._handed
        return {"epoch": epoch, "batch": batch, "draw": self._identity()}

    def load_state_dict(self, state: Mapping[str, Json]) -> None:
        """Let the next iteration go on behind the batch that the state was taken after.

        Raises:
            ValueError: not a state of a sampler with this seed, batch size, steps, mixture and rows.
        """
        epoch, batch = state.get("epoch"), state.get("batch")
        if not isinstance(epoch, int) or not isinstance(batch, int) or state.get("draw") != self._identity():
            raise ValueError(
                f"not a state of this sampler ({self._identity()}): {dict(state)!r}; resume with the same mixture "
                "file, data, batch size, steps and seed"
            )
        self.set_epoch(epoch)
        self._resume = self._handed = (epoch, batch)

    def _identity(self) -> Json:
        sources: dict[str, Json] = {
            name: [len(numbers), self.mixture.get(name, 0.0)] for name, numbers in self._rows.items()
        }
        return {"seed": self.seed, "batch_size": self._size, "steps": self._steps, "sources": sources}


def sampler_from(
    path: str | Path,
    names: Sequence[str] | None = None,
    *,
    rows: Mapping[str, Sequence[int]] | None = None,
    steps: int | None = None,
) -> "partial[RecipeBatchSampler]":
    """The sampler of a mixture file, as `multi_dataset_batch_sampler` takes it.

    Every source must have as many usable rows as the file says it keeps: either its dataset holds the kept rows only,
    or rows names them. A pruning schedule and topics are not in it: a UserWarning says what is left out, if anything.

    Args:
        path: the mixture file. It is read now; the result does not depend on it any more.
        names: keys of the training DatasetDict in its order; default: the file's sources that have a weight.
        rows: usable row numbers per source, where the datasets hold more than the kept rows.
        steps: batches per epoch; default: the final budget, so that one epoch is the whole run.

    Raises:
        ConfigError: not a mixture file.
        ValueError: a name that the file does not know, or a source with weight that is not named.
    """
    file = read_mixture(path)
    for lost in file.beyond_sampling:
        warnings.warn(f"not carried over from {str(path)!r}: {lost}", stacklevel=2)
    chosen = tuple(names) if names is not None else tuple(source.name for source in file.drawn)
    known = [source.name for source in file.sources]
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise ValueError(f"{str(path)!r} knows no source {', '.join(unknown)}; it has {', '.join(known)}")
    missing = [source.name for source in file.drawn if source.name not in chosen]
    if missing:
        raise ValueError(f"{str(path)!r} gives weight to {', '.join(missing)}: add it to the training DatasetDict")
    return partial(
        RecipeBatchSampler,
        mixture=file.recipe.mixture,
        names=chosen,
        rows=rows,
        steps=steps or file.budget.steps,
        counts={source.name: source.kept_rows for source in file.sources},
    )


def trained_on(trainer: Trainer) -> dict[str, Drawn]:
    """What a Trainer with a RecipeBatchSampler has really trained on since the start of its run, all processes.

    Raises:
        ValueError: the Trainer has not trained yet, or with another sampler.
    """
    loader = trainer.callback_handler.train_dataloader
    sampler = None if loader is None else loader.batch_sampler
    while sampler is not None and not isinstance(sampler, RecipeBatchSampler):
        sampler = getattr(sampler, "batch_sampler", None)
    if loader is None or sampler is None:
        raise ValueError("this Trainer has not trained with a RecipeBatchSampler: set multi_dataset_batch_sampler")
    # An epoch's last optimiser step takes what is left; everything else is whole steps.
    per_step = trainer.args.gradient_accumulation_steps
    epochs, steps = divmod(trainer.state.global_step, -(-len(loader) // per_step))
    return sampler.receipt(epochs * len(sampler) + min(steps * per_step * trainer.args.world_size, len(sampler)))


def _check_names(
    names: Sequence[str], sizes: Sequence[int], mixture: Mixture, rows: Mapping[str, Sequence[int]]
) -> None:
    if len(names) != len(sizes) or len(set(names)) != len(names):
        raise ValueError(
            f"{len(sizes)} datasets need as many different names, in the order of the DatasetDict; got {list(names)}"
        )
    unweighted = [name for name in names if name not in mixture]
    missing = [name for name, weight in mixture.items() if weight > 0 and name not in names]
    if unweighted or missing:
        raise ValueError(
            f"datasets and mixture do not fit: without a weight {unweighted}, without a dataset {missing}; "
            f"the mixture has {', '.join(mixture)}"
        )
    strangers = sorted(set(rows) - set(names))
    if strangers:
        raise ValueError(f"rows are given for {strangers}, the datasets are {list(names)}")


def _usable(name: str, size: int, rows: Mapping[str, Sequence[int]]) -> npt.NDArray[np.int64]:
    if name not in rows:
        return np.arange(size)
    numbers = np.asarray(rows[name], dtype=np.int64)
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= size):
        raise ValueError(f"row numbers of source {name!r} must lie in [0, {size}), got up to {numbers.max()}")
    if len(np.unique(numbers)) != len(numbers):
        raise ValueError(f"row numbers of source {name!r} are given twice")
    return numbers
