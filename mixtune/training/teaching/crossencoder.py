"""A cross-encoder as teacher: the logits of pairs of texts, each computed once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from sentence_transformers import CrossEncoder
from torch import Tensor, nn
from transformers import PreTrainedModel

from mixtune.errors import DataError, ModelError
from mixtune.training.base import Progress
from mixtune.training.encoding.models import ResolvedModel, quiet
from mixtune.training.encoding.textlog import digest
from mixtune.training.prepared import Floats
from mixtune.training.teaching.scorebook import ScoreBook, pair_address

_AT_ONCE = 1024


class CrossEncoderTeacher:
    """Scores pairs of texts by a CrossEncoder's logit, in float32, without the sigmoid that `predict` has by default.

    Texts are cut where the model itself cuts them. The model is loaded when a score is missing, and not before. What
    is computed goes to disk and is read back, so that every run under a cache root reads the same numbers, whichever
    run asked first; the last digits of a score depend on the batch that it was computed in.

    Args:
        model: the cross-encoder.
        root: cache root.
    """

    def __init__(self, model: ResolvedModel, root: Path) -> None:
        self._model = model
        self._book = ScoreBook(root / "teachers" / f"{model.fingerprint[:24]}.db")
        self._held: dict[bytes, str] = {}
        self.flops = 0.0

    def learn(self, texts: Sequence[str], progress: Progress, *, lasting: bool) -> None:
        """Know texts by their addresses: in this process, or (lasting) in all that come."""
        known = {digest(text): text for text in texts}
        if lasting:
            new = known.keys() - self._book.texts(known).keys()
            self._book.keep_texts({address: known[address] for address in new})
        else:
            self._held |= known

    def knows(self, addresses: Sequence[bytes]) -> bool:
        """Whether any pair of these texts could be scored in another process."""
        return len(self._book.texts(addresses)) == len(set(addresses))

    def scores(self, queries: Sequence[bytes], documents: Sequence[bytes], progress: Progress) -> Floats:
        """Score of each document for the query beside it, shape (n,).

        Raises:
            DataError: a text is not known.
            ModelError: the model cannot be loaded, or gives more than one score.
        """
        pairs = [pair_address(query, document) for query, document in zip(queries, documents, strict=True)]
        known = self._book.scores(pairs)
        missing = {
            pair: (query, document)
            for pair, query, document in zip(pairs, queries, documents, strict=True)
            if pair not in known
        }
        if missing:
            self._score(missing, progress)
            known |= self._book.scores(missing)
        return np.array([known[pair] for pair in pairs], dtype=np.float32)

    def matrix(self, queries: Sequence[bytes], documents: Sequence[bytes]) -> Tensor:
        """Score of every document for every query, shape (queries, documents)."""
        flat = self.scores([query for query in queries for _ in documents], [*documents] * len(queries), _silent)
        return torch.from_numpy(flat).reshape(len(queries), len(documents))

    def matrix_flops(self, queries: int, documents: int) -> float:
        """Nothing: scores are computed once for all trials, so that no trial pays for them."""
        return 0.0

    def _score(self, missing: Mapping[bytes, tuple[bytes, bytes]], progress: Progress) -> None:
        asked = list(missing.items())
        texts = self._texts({address for _, both in asked for address in both})
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            with quiet(), self._counted():
                scores = self._loaded.predict(
                    [(texts[query], texts[document]) for _, (query, document) in some],
                    activation_fn=nn.Identity(),
                    show_progress_bar=False,
                )
            self._book.keep_scores({pair: float(score) for (pair, _), score in zip(some, scores, strict=True)})
            progress("scoring by the teacher", start + len(some), len(asked))

    def _texts(self, addresses: set[bytes]) -> dict[bytes, str]:
        found = {address: self._held[address] for address in addresses & self._held.keys()}
        found |= self._book.texts(addresses - found.keys())
        if len(found) < len(addresses):
            raise DataError(
                f"{len(addresses) - len(found)} texts that teacher {self._model.name!r} is to score are not in the"
                " cache: prepare the study on this machine first"
            )
        return found

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count the operations of linear layers and attention inside the block, as training.flops does."""
        inner = self._inner
        width = 4.0 * int(inner.config.hidden_size) * int(inner.config.num_hidden_layers)

        def linear(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if isinstance(layer, nn.Linear):
                self.flops += 2.0 * inputs[0].numel() * layer.out_features

        def attention(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self.flops += width * inputs[0].numel() * inputs[0].shape[-1]

        layers = [layer for layer in inner.modules() if isinstance(layer, nn.Linear)]
        hooks = [layer.register_forward_pre_hook(linear) for layer in layers]
        hooks.append(inner.get_input_embeddings().register_forward_pre_hook(attention))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @property
    def _inner(self) -> PreTrainedModel:
        inner = getattr(self._loaded[0], "model", None)
        if not isinstance(inner, PreTrainedModel):
            raise ModelError(
                f"teacher {self._model.name!r} starts with {type(self._loaded[0]).__name__}: use a cross-encoder that"
                " is a transformer"
            )
        return inner

    @cached_property
    def _loaded(self) -> CrossEncoder:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model: CrossEncoder
        try:
            with quiet():
                model = CrossEncoder(str(self._model.path), device=device, local_files_only=True)
        except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ModelError(
                f"teacher {self._model.name!r} in {self._model.path} cannot be loaded as a cross-encoder ({reason}):"
                " give a model of sentence-transformers' CrossEncoder, or kind: sentence-transformer"
            ) from error
        if model.num_labels != 1:
            raise ModelError(
                f"teacher {self._model.name!r} gives {model.num_labels} scores a pair, and a teacher gives one: use a"
                " cross-encoder with one label"
            )
        model.float().eval()
        return model


def _silent(what: str, done: int, total: int) -> None:
    """Nobody watches."""
