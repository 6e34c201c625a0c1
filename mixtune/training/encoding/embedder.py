"""What turns rows of the feature table into embeddings, and what it reads of the table."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mixtune.training.encoding.flops import Flops
from mixtune.training.prepared import Floats, Rows


class Features(Protocol):
    """What a proxy reads of the feature table: one row per distinct text."""

    @property
    def lengths(self) -> npt.NDArray[np.int32]:
        """Tokens per text, shape (n,)."""
        ...

    @property
    def embeddings(self) -> Floats:
        """The base model's embeddings, shape (n, dim), normalised."""
        ...

    def tokens(self, rows: Rows) -> Sequence[npt.NDArray[np.int32]]:
        """Token numbers of the given texts."""
        ...

    def states(self, layers: int, rows: Rows) -> Sequence[npt.NDArray[np.uint16]]:
        """Hidden states that enter the last `layers` layers, per text (tokens, width), as bf16 bits."""
        ...


class Embedder(Protocol):
    """What an evaluation needs of a model."""

    @property
    def flops(self) -> Flops:
        """What its work costs."""
        ...

    def encode(self, rows: Rows) -> Floats:
        """Embeddings of texts, (len(rows), dim), normalised."""
        ...

    def encode_flops(self, rows: Rows) -> float:
        """Cost of `encode`."""
        ...


class BaseModel:
    """The untrained base model, read from the table: an Embedder whose encoding costs nothing any more."""

    def __init__(self, table: Features) -> None:
        self._embeddings = np.asarray(table.embeddings)
        self.flops = Flops(dim=int(self._embeddings.shape[1]))

    def encode(self, rows: Rows) -> Floats:
        """Embeddings from the table."""
        return self._embeddings[rows]

    def encode_flops(self, rows: Rows) -> float:
        """Nothing is computed."""
        return 0.0
