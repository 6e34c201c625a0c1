"""Everything computed once per text and model: tokens, base-model embeddings, hidden states before the last layers."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from filelock import FileLock
from sentence_transformers import SentenceTransformer

from mixtune.errors import DataError, ModelError
from mixtune.training.base import Progress
from mixtune.training.encoding.column import Column
from mixtune.training.encoding.encoder import encode, encode_all, model_inputs, tokenise
from mixtune.training.encoding.models import ResolvedModel, autocast_dtype, load
from mixtune.training.encoding.textlog import TextLog, Tokens, digest
from mixtune.training.encoding.truncated import capture_entering, continue_from
from mixtune.training.prepared import Floats, Rows

TOKENISE_AT_ONCE = 4096


class FeatureTable:
    """One append-only table of texts per (model, max_length, precision), shared by all studies under a cache root.

    Texts are addressed by content and keep their row number for ever. Reading needs no model and no lock; writing
    takes a file lock, so two preparations of the same texts do the work once. Files are sparse: a text takes no room
    for what was never asked of it. Nothing is promised to processes that run while the folder is deleted.

    Args:
        root: cache root; the table is a folder below it.
        model: the base model, loaded when a text is new and not before.
        max_length: tokens per text, special tokens included.
        precision: as Proxy.precision; what it comes down to on this machine is part of the table's key.
    """

    def __init__(self, root: Path, model: ResolvedModel, *, max_length: int, precision: str) -> None:
        self.model = model
        self.max_length = max_length
        self.dtype = autocast_dtype(precision)
        self.key = f"{model.fingerprint[:24]}-{max_length}-{'fp32' if self.dtype is None else 'bf16'}"
        self.folder = root / "features" / self.key
        self._texts = TextLog(self.folder)
        self._embedded = Column(self.folder, "embeddings", "<f4")
        self._frozen: dict[int, Column] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, texts: Sequence[str], progress: Progress) -> tuple[Rows, int]:
        """Row number of each text, shape (len(texts),), and how many texts were tokenised because they were new."""
        addresses = [digest(text) for text in texts]
        self._texts.refresh()
        before = len(self._texts)
        if any(self._texts.row(address) is None for address in addresses):
            with self._lock():
                self._texts.repair()
                before = len(self._texts)
                new = {
                    address: text
                    for address, text in zip(addresses, texts, strict=True)
                    if self._texts.row(address) is None
                }
                self._tokenise(new, progress)
        rows = [self._texts.row(address) for address in addresses]
        return np.array(rows, dtype=np.int64), len(self._texts) - before

    def _tokenise(self, new: dict[bytes, str], progress: Progress) -> None:
        items = list(new.items())
        for start in range(0, len(items), TOKENISE_AT_ONCE):
            chunk = items[start : start + TOKENISE_AT_ONCE]
            tokens = tokenise(self._loaded, [text for _, text in chunk], self.max_length)
            self._texts.append([address for address, _ in chunk], tokens)
            progress("tokenising", start + len(chunk), len(items))

    def embed(self, rows: Rows, progress: Progress) -> int:
        """Make the base model's embeddings of the rows exist; returns how many texts went through the model."""
        return self._encode(rows, None, progress)

    def freeze(self, layers: int, rows: Rows, progress: Progress) -> int:
        """Make the hidden states entering the last `layers` layers exist for the rows, and their embeddings with them.

        Returns how many texts went through the model. What it stores is checked on a sample first: going on from the
        states must give the model's own embeddings.

        Raises:
            ModelError: last:n is not supported for this architecture, or the model has fewer layers.
        """
        return self._encode(rows, layers, progress)

    def _encode(self, rows: Rows, layers: int | None, progress: Progress) -> int:
        column = self._embedded if layers is None else self._states(layers)
        wanted = np.unique(rows)
        if column.have(wanted).all():
            return 0
        with self._lock():
            missing = wanted[~column.have(wanted)]
            if layers is None:
                self._embed(missing, progress)
            elif len(missing):
                self._check_split(layers, missing[:8])
                self._freeze(layers, missing, progress)
            return len(missing)

    def _embed(self, rows: Rows, progress: Progress) -> None:
        done = 0
        with self._embedded.writer(len(self), self._width) as out:
            for batch in encode_all(self._loaded, self.tokens(rows), self.dtype):
                for row, embedding in zip(rows[batch.positions].tolist(), batch.embeddings, strict=True):
                    out.write(row, row, embedding.tobytes())
                done += len(batch.positions)
                progress("encoding", done, len(rows))

    def _freeze(self, layers: int, rows: Rows, progress: Progress) -> None:
        starts, done = self._texts.starts, 0
        embedded = self._embedded.have(rows)
        with (
            self._embedded.writer(len(self), self._width) as embeddings,
            self._states(layers).writer(int(starts[-1]), self._hidden) as states,
        ):
            for batch in encode_all(self._loaded, self.tokens(rows), self.dtype, layers):
                assert batch.states is not None
                for i, hidden, embedding in zip(batch.positions.tolist(), batch.states, batch.embeddings, strict=True):
                    row = int(rows[i])
                    start, end = int(starts[row]), int(starts[row + 1])
                    states.write(row, start, hidden[: end - start].tobytes())
                    if not embedded[i]:
                        embeddings.write(row, row, embedding.tobytes())
                done += len(batch.positions)
                progress("freezing", done, len(rows))

    def _check_split(self, layers: int, rows: Rows) -> None:
        model, tokens = self._loaded, self.tokens(rows)
        rest = continue_from(model, layers).eval()
        with capture_entering(model, layers) as entering:
            own = encode(model, tokens, None)
        with torch.inference_mode():
            mask = model_inputs(model, tokens)["attention_mask"]
            again = torch.nn.functional.normalize(rest(entering.states, mask).float(), dim=-1).cpu().numpy()
        if not float((own * again).sum(axis=1).min()) > 0.9999:
            raise ModelError(
                f"last:n is not supported for this architecture ({type(model[0].model).__name__}): going on from the"
                " hidden states does not give the model's own embeddings; use trainable: head or all"
            )

    @property
    def lengths(self) -> npt.NDArray[np.int32]:
        """Tokens per row, shape (n,)."""
        return np.diff(self._texts.starts).astype(np.int32)

    def tokens(self, rows: Rows) -> list[Tokens]:
        """Token ids of each row, special tokens included, cut at max_length."""
        return self._texts.tokens(rows)

    def addresses(self, rows: Rows) -> list[bytes]:
        """What names each row's text in every table: its digest."""
        return self._texts.addresses(rows)

    def rows_of(self, addresses: Sequence[bytes]) -> Rows:
        """Row of each text by its digest, -1 where it was never added."""
        found = [self._texts.row(address) for address in addresses]
        return np.array([-1 if row is None else row for row in found], dtype=np.int64)

    def have(self, rows: Rows, layers: int | None = None) -> npt.NDArray[np.bool_]:
        """Which rows have embeddings, or the states entering the last `layers` layers; shape (len(rows),)."""
        return (self._embedded if layers is None else self._states(layers)).have(rows)

    @property
    def embeddings(self) -> Floats:
        """Base-model embeddings of length 1, (rows so far, dim) float32, read-only. Rows never embedded are zero.

        Raises:
            DataError: no text was ever embedded.
        """
        view = self._embedded.view()
        if view is None:
            raise DataError(f"no embeddings in {self.folder}: prepare the study on this machine first")
        return view

    def states(self, layers: int, rows: Rows) -> list[npt.NDArray[np.uint16]]:
        """Bits of the bfloat16 hidden states entering the last `layers` layers, (tokens_i, dim) per row.

        Raises:
            DataError: they were never computed.
        """
        view = self._states(layers).view()
        if view is None:
            raise DataError(f"no states for last:{layers} in {self.folder}: prepare the study on this machine first")
        starts = self._texts.starts
        return [view[starts[row] : starts[row + 1]] for row in rows]

    def _states(self, layers: int) -> Column:
        return self._frozen.setdefault(layers, Column(self.folder, f"states-last{layers}", "<u2"))

    def _lock(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "writer.lock")

    @cached_property
    def _loaded(self) -> SentenceTransformer:
        return load(self.model, self.max_length)

    @property
    def _width(self) -> int:
        return int(encode(self._loaded, tokenise(self._loaded, ["width"], 8), None).shape[1])

    @property
    def _hidden(self) -> int:
        with capture_entering(self._loaded, 1) as entering:
            encode(self._loaded, tokenise(self._loaded, ["width"], 8), None)
        return int(entering.states.shape[-1])
