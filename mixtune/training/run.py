"""A training run under way: a proxy, its optimiser, the draw of batches, and what went into it so far."""

import math
from collections import defaultdict
from collections.abc import Mapping

from mixtune.errors import TrainingError
from mixtune.proxy import Proxy
from mixtune.recipe import Mixture
from mixtune.sampler import RecipeDraw
from mixtune.training.optimiser import Optimiser
from mixtune.training.prepared import Pairs, Rows
from mixtune.training.proxy import ProxyModel
from mixtune.training.step import Step, StepResult, step_of
from mixtune.training.walk import ShuffledWalk, Taken, Walk


class Run:
    """Steps of training on batches from a draw.

    exposure counts the steps per source that went into the parameters; flops what the ordinary steps cost; losses
    holds the training loss of each ordinary step per source. Dropout takes torch's global generator.

    Args:
        model: the proxy to train, at the values to start from.
        settings: loss, temperature, batch size, rate and schedule.
        sources: training pairs of every source that may be drawn.
        rows: the pairs of each source that are used, same keys in the same order.
        mixture: weight per source.
        seed: seed of the draw of batches.
        horizon: steps that the schedule spans, None for a constant rate.
    """

    def __init__(
        self,
        model: ProxyModel,
        settings: Proxy,
        *,
        sources: Mapping[str, Pairs],
        rows: Mapping[str, Rows],
        mixture: Mixture,
        seed: int,
        horizon: int | None = None,
    ) -> None:
        self.model = model
        self.settings = settings
        self.sources = sources
        self.rows = rows
        self.draw = RecipeDraw(rows, mixture, settings.batch_size, seed)
        self.walks: dict[str, Walk] = {name: ShuffledWalk(self.draw, name) for name in rows}
        self.optimiser = Optimiser(model.parameters, settings, horizon)
        self.exposure: defaultdict[str, float] = defaultdict(float)
        self.losses: defaultdict[str, list[float]] = defaultdict(list)
        self.flops = 0.0

    def learn(self, source: str, taken: Taken) -> StepResult:
        """One optimiser step on pairs of a source, nothing counted; the loss may be finite or not."""
        result = self._step(source, taken).run(self.model, self.settings)
        self.optimiser.step(result.loss)
        return result

    def step_flops(self, source: str, taken: Taken) -> float:
        """Cost of `learn` at the schedule's present position."""
        return self._step(source, taken).flops(self.model, self.settings)

    def _step(self, source: str, taken: Taken) -> Step:
        most = self.settings.negatives
        return step_of(self.sources[source], taken, most, self.draw.seed, self.optimiser.position)

    def advance(self) -> None:
        """One ordinary step on the next batch of the draw.

        Raises:
            TrainingError: the loss is not finite.
        """
        source = self.draw.choose()
        taken = self.walks[source].take(self.settings.batch_size, self.optimiser.position)
        self.draw.count(source, taken.rows)
        self.model.module.train()
        result = self.learn(source, taken)
        loss = result.loss.item()
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at step {self.optimiser.position + 1}, on a batch of source {source!r}: lower"
                f" learning_rate ({self.settings.rate:g}) or raise temperature ({self.settings.temperature:g}) of proxy"
            )
        self.walks[source].learn(taken, result.similarity, result.losses)
        self.flops += self.step_flops(source, taken)
        self.optimiser.position += 1
        self.exposure[source] += 1.0
        self.losses[source].append(loss)
