"""InfoBatch on one source: of the pairs with a low loss, a part is left out, and the others weigh more."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue as Json

from mixtune.training.prepared import Floats, Pairs, Rows
from mixtune.training.walks.epochs import Epochs
from mixtune.training.walks.walk import Arrays, Taken

KEPT_OF_LOW = 0.75
"""Share of the pairs below the mean loss that an epoch uses, as in OPERA's comparison (arXiv 2603.17205)."""


class InfoBatchWalk:
    """InfoBatch (arXiv 2303.04947), the baseline of dynamic pruning, inside one source.

    Each pair has a stored loss, that of the last ordinary step it was in. An epoch uses all pairs but those strictly
    below the mean of the stored losses, of which it uses floor(0.75 n_low), drawn at random, with their losses
    multiplied by 1 / 0.75: the sum of gradients over an epoch stays what it was. All stored losses start equal (as not
    known), so the first epoch leaves nothing out. The mean is over the losses that are known; one that is not is never
    low.

    The rule is the paper's. Ours: an epoch never uses fewer than min(batch size, n) of the n pairs, nor than `least`;
    where that saves pairs the weights are n_low over those used. The paper's last epochs without any pruning
    (annealing) are not part of it.

    Args:
        pairs: the source.
        rows: the pair numbers that static pruning keeps, shape (n,), at least one.
        batch_size: pairs of a batch.
        seed: numbers that no other walk of the run has.
        least: pairs that an epoch uses at least, where there are so many.
    """

    def __init__(self, pairs: Pairs, rows: Rows, *, batch_size: int, seed: Sequence[int], least: int = 1) -> None:
        self._rows = rows
        self._seed = tuple(seed)
        self._fewest = min(len(rows), max(batch_size, least))
        self._losses: Floats = np.full(len(pairs.queries), np.nan, dtype=np.float32)
        self._pruned = 0
        self._epochs = Epochs(self._plan, np.arange(len(pairs.queries)))

    @property
    def completed(self) -> int:
        """Epochs whose last pair was taken."""
        return self._epochs.completed

    @property
    def pruned(self) -> int:
        """Pairs that the last epoch begun leaves out."""
        return self._pruned

    def take(self, size: int, position: int) -> Taken:
        """The next pairs of the epoch, with the factors of their losses."""
        return self._epochs.take(min(size, self._fewest), position)

    def learn(self, taken: Taken, similarity: Floats, losses: Floats) -> None:
        """Store the losses of taken pairs, without their factors."""
        self._losses[taken.rows] = losses

    def renew(self, similarity: Floats) -> None:
        """Nothing: cosines are not looked at."""

    def memory(self) -> Floats:
        """Stored loss of every pair of the source."""
        return self._losses

    def adopt(self, memory: Floats) -> None:
        """Start from the losses that another walk over the source has stored."""
        self._losses = np.array(memory, dtype=np.float32)

    def state(self) -> dict[str, Json]:
        """Epochs begun, and what the last one leaves out."""
        return {**self._epochs.state(), "pruned": self._pruned}

    def arrays(self) -> Arrays:
        """Stored losses where there are any, and what is left of the epoch."""
        losses = self._losses[self._rows]
        return {**self._epochs.arrays(), **({"memory": losses} if np.isfinite(losses).any() else {})}

    def restore(self, state: Mapping[str, Json], arrays: Arrays) -> None:
        """Go on where another walk over the same rows stood."""
        self._epochs.restore(state, arrays)
        if "memory" in arrays:
            self._losses[self._rows] = arrays["memory"]
        pruned = state["pruned"]
        self._pruned = pruned if isinstance(pruned, int) else 0

    def _plan(self, epoch: int, position: int) -> Taken:
        rng = np.random.default_rng([*self._seed, epoch, position])
        low = low_losses(self._losses[self._rows])
        below, others = np.flatnonzero(low), np.flatnonzero(~low)
        kept = max(int(KEPT_OF_LOW * len(below)), self._fewest - len(others))
        weight = 1 / KEPT_OF_LOW if kept == int(KEPT_OF_LOW * len(below)) else len(below) / kept
        used = rng.permutation(np.concatenate([others, rng.choice(below, kept, replace=False)]))
        self._pruned = len(below) - kept
        return Taken(self._rows[used], weights=np.where(low[used], weight, 1.0).astype(np.float32))


def low_losses(losses: Floats) -> npt.NDArray[np.bool_]:
    """Which losses (n,) are strictly below the mean of the finite ones; equal ones never are."""
    known: npt.NDArray[np.bool_] = np.isfinite(losses)
    if not known.any():
        return known
    # Told from one of them, equal losses are exactly 0, and so is their mean.
    excess = losses.astype(np.float64) - float(losses[known][0])
    return np.asarray(known & (excess < excess[known].mean()))
