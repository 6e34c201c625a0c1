"""The draw of batches from a recipe: one source per batch, by weight. numpy only, resumable, with a receipt."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue as Json

from mixtune.measurement import Drawn
from mixtune.recipe import Mixture

Rows = npt.NDArray[np.int64]


class RecipeDraw:
    """Draws (source, rows) batches for ever.

    Batch b comes from source i with probability w_i, decided by a random number that depends on (seed, b) alone. Each
    source is walked in a fresh random order per pass, which depends on (seed, source position, pass); a pass that
    ends inside a batch runs on into the next, and no batch holds a row twice. A source with fewer rows than a batch
    gives all it has. The state is a handful of integers, so a draw can stop anywhere and go on elsewhere, also under
    another mixture.

    Args:
        rows: usable row numbers per source, each of shape (n_i,). Order matters for replays.
        mixture: weight per source; sources without rows must have weight 0.
        batch_size: rows per batch.
        seed: anything that numpy accepts as a non-negative integer seed.

    Raises:
        ValueError: a source with weight has no rows, or batch_size is below 1.
    """

    def __init__(self, rows: Mapping[str, Rows], mixture: Mixture, batch_size: int, seed: int) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self._names = tuple(rows)
        self._rows = {name: np.asarray(numbers, dtype=np.int64) for name, numbers in rows.items()}
        self.batch_size = batch_size
        self.seed = seed
        self._batch = 0
        self._pass = dict.fromkeys(self._names, 0)
        self._position = dict.fromkeys(self._names, 0)
        self._carried = dict.fromkeys(self._names, np.empty(0, dtype=np.int64))
        self._orders: dict[str, tuple[int, Rows]] = {}
        self._sorted: dict[str, Rows] = {}
        self._batches = dict.fromkeys(self._names, 0)
        self._drawn = dict.fromkeys(self._names, 0)
        self._seen = {name: np.zeros(len(self._rows[name]), dtype=bool) for name in self._names}
        self.use(mixture)

    def use(self, mixture: Mixture) -> None:
        """Draw from another mixture from now on."""
        empty = [name for name, weight in mixture.items() if weight > 0 and len(self._rows.get(name, ())) == 0]
        if empty:
            raise ValueError(f"sources with weight but without rows: {', '.join(sorted(empty))}")
        self._weighted = [name for name in self._names if mixture.get(name, 0.0) > 0]
        self._edges = np.cumsum(mixture.array(self._names))
        self._edges /= self._edges[-1]

    def draw(self) -> tuple[str, Rows]:
        """Next batch: the source and its row numbers, shape (min(batch_size, rows of the source),)."""
        name = self.choose()
        return name, self.draw_from(name)

    def choose(self) -> str:
        """Source of the next batch, for who takes its rows elsewhere (and says so with `count`)."""
        u = np.random.default_rng([self.seed, 0, self._batch]).random()
        self._batch += 1
        return self._names[int(np.searchsorted(self._edges, u, side="right"))]

    def choose_rows(self) -> dict[str, int]:
        """How many rows of the next batch come from each source when a batch mixes them, all alike likely.

        Each of the batch_size rows chooses its source by itself, however much weight it has; a source without any is
        never chosen. Sources in order, those with no row left out.
        """
        rng = np.random.default_rng([self.seed, 0, self._batch])
        self._batch += 1
        counts = np.bincount(rng.integers(len(self._weighted), size=self.batch_size), minlength=len(self._weighted))
        return {name: count for name, count in zip(self._weighted, counts.tolist(), strict=True) if count}

    def count(self, name: str, rows: Rows) -> None:
        """Put rows of a source on the receipt, as one batch."""
        self._batches[name] += 1
        self._drawn[name] += len(rows)
        if name not in self._sorted:
            self._sorted[name] = np.argsort(self._rows[name], kind="stable")
        order = self._sorted[name]
        self._seen[name][order[np.searchsorted(self._rows[name], rows, sorter=order)]] = True

    def draw_from(self, name: str) -> Rows:
        """Next batch of one source, whatever its weight."""
        rows = self.walk(name, self.batch_size)
        self.count(name, rows)
        return rows

    def _order(self, name: str) -> Rows:
        held = self._orders.get(name)
        if held is None or held[0] != self._pass[name]:
            rng = np.random.default_rng([self.seed, 1 + self._names.index(name), self._pass[name]])
            order = rng.permutation(len(self._rows[name]))
            carried = np.isin(order, self._carried[name])
            if carried.any():
                # Rows that the batch across the border already holds go behind those that fill it up.
                fresh, late = order[~carried], order[carried]
                missing = min(self.batch_size, len(order)) - len(late)
                order = np.concatenate([fresh[:missing], late, fresh[missing:]])
            held = (self._pass[name], order)
            self._orders[name] = held
        return held[1]

    def walk(self, name: str, size: int) -> Rows:
        """The next rows of one source, at most `size` and at most batch_size, not put on the receipt."""
        total = len(self._rows[name])
        size = min(size, self.batch_size, total)
        picked = self._order(name)[self._position[name] : self._position[name] + size]
        self._position[name] += len(picked)
        if self._position[name] == total:
            self._pass[name] += 1
            self._position[name] = size - len(picked)
            self._carried[name] = picked if len(picked) < size else picked[:0]
            picked = np.concatenate([picked, self._order(name)[: self._position[name]]])
        return self._rows[name][picked]

    def receipt(self) -> dict[str, Drawn]:
        """What was drawn since the start or the last restore, per source that gave anything."""
        return {
            name: Drawn(
                batches=self._batches[name],
                rows=self._drawn[name],
                unique_rows=int(self._seen[name].sum()),
                epochs=self._drawn[name] / len(self._rows[name]),
            )
            for name in self._names
            if self._batches[name]
        }

    def state(self) -> dict[str, Json]:
        """Where the draw stands, as plain JSON: what `restore` takes."""
        return {
            "batch": self._batch,
            "sources": {
                name: [self._pass[name], self._position[name], *self._carried[name].tolist()]
                for name in self._names
                if self._pass[name] or self._position[name]
            },
        }

    def restore(self, state: Mapping[str, Json]) -> None:
        """Go on where a draw over the same rows, batch size and seed stood; the receipt starts at zero.

        Raises:
            ValueError: not a state of RecipeDraw.
        """
        batch, sources = state.get("batch"), state.get("sources")
        if not isinstance(batch, int) or not isinstance(sources, dict):
            raise ValueError(f"not a state of RecipeDraw: {dict(state)!r}")
        self._batch = batch
        self._orders.clear()
        for name in self._names:
            where = np.asarray(sources.get(name, [0, 0]), dtype=np.int64)
            self._pass[name], self._position[name] = int(where[0]), int(where[1])
            self._carried[name] = where[2:]
            self._batches[name] = self._drawn[name] = 0
            self._seen[name][:] = False
