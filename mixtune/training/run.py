"""A training run under way: a proxy, its optimiser, the draw of batches, and what went into it so far."""

import math
from collections import defaultdict
from collections.abc import Mapping

from torch import Tensor

from mixtune.errors import TrainingError
from mixtune.proxy import Proxy
from mixtune.recipe import Recipe
from mixtune.sampler import RecipeDraw
from mixtune.training.encoding.encodings import cosines
from mixtune.training.optimiser import Optimiser
from mixtune.training.prepared import Pairs, Rows
from mixtune.training.proxy import ProxyModel
from mixtune.training.step import Step, StepResult, step_of
from mixtune.training.teaching.teachers import NO_TEACHING, Teaching
from mixtune.training.walks.topics import Topics
from mixtune.training.walks.walk import Taken
from mixtune.training.walks.walks import open_walks


class Run:
    """Steps of training on batches from a draw.

    exposure counts the steps per source that went into the parameters; flops what the ordinary steps cost; losses
    holds the training loss of each ordinary step per source. Dropout takes torch's global generator. renewed is the
    position at which the stored cosines of a pruning schedule were last refreshed (0: never).

    Args:
        model: the proxy to train, at the values to start from.
        settings: loss, temperature, batch size, rate and schedule.
        sources: training pairs of every source that may be drawn.
        rows: the pairs of each source that are used, same keys in the same order.
        recipe: weight per source, and how each one's rows are gone through; a pruning schedule spans the horizon, or
            the proxy's steps where there is none.
        seed: seed of the draw of batches.
        horizon: steps that the schedule spans, None for a constant rate.
        teaching: what the loss learns from besides labels.
        topics: of the study's sources; None finds them by itself, and keeps them for this run alone.
    """

    def __init__(
        self,
        model: ProxyModel,
        settings: Proxy,
        *,
        sources: Mapping[str, Pairs],
        rows: Mapping[str, Rows],
        recipe: Recipe,
        seed: int,
        horizon: int | None = None,
        teaching: Teaching = NO_TEACHING,
        topics: Topics | None = None,
    ) -> None:
        self.model = model
        self.settings = settings
        self.sources = sources
        self.rows = rows
        self.recipe = recipe
        self.span = horizon or settings.steps
        self.draw = RecipeDraw(rows, recipe.mixture, settings.batch_size, seed)
        self.teaching = teaching
        self.topics = topics or Topics(model.table)
        self.walks = open_walks(
            recipe, sources, rows, self.draw, self.span, topics=self.topics, negatives=settings.negatives > 0
        )
        self.renewed = 0
        self.optimiser = Optimiser(model.parameters, settings, horizon)
        self.exposure: defaultdict[str, float] = defaultdict(float)
        self.losses: defaultdict[str, list[float]] = defaultdict(list)
        self.flops = 0.0

    def learn(self, source: str, taken: Taken) -> StepResult:
        """One optimiser step on pairs of a source, nothing counted; the loss may be finite or not."""
        result = self._step(source, taken).run(self.model, self.settings)
        self.optimiser.step(result.loss)
        return result

    def loss(self, source: str, taken: Taken) -> Tensor:
        """The loss on pairs of a source, with its gradient; nothing moves."""
        return self._step(source, taken).run(self.model, self.settings).loss

    def loss_flops(self, source: str, taken: Taken, names: frozenset[str]) -> float:
        """Cost of `loss` and of its gradient in the named parameters alone."""
        step = self._step(source, taken)
        texts, model = step.texts(), self.model
        partial = model.embed_flops(texts) + model.gradient_flops(texts, names)
        return step.flops(model, self.settings) - model.train_flops(texts) + partial

    def step_flops(self, source: str, taken: Taken) -> float:
        """Cost of `learn` at the schedule's present position."""
        return self._step(source, taken).flops(self.model, self.settings)

    def _step(self, source: str, taken: Taken) -> Step:
        most = self.settings.negatives
        return step_of(self.sources[source], taken, most, self.draw.seed, self.optimiser.position, self.teaching)

    def advance(self) -> None:
        """One ordinary step on the next batch of the draw.

        Raises:
            TrainingError: the loss is not finite.
        """
        self.refresh()
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

    def refresh(self) -> None:
        """Renew the stored cosines of the sources in use where the schedule asks for it; it is part of the steps' cost.

        Due at every multiple of Schedule.refresh, or at the next step where a probe has moved the schedule past one.
        Source by source, so that memory does not grow with their number.
        """
        schedule, position = self.recipe.pruning.schedule, self.optimiser.position
        every = schedule.refresh if schedule is not None and schedule.method == "dynamic" else 0
        if not every or position // every == self.renewed // every:
            return
        for name, rows in self.rows.items():
            if self.recipe.mixture.get(name, 0.0) > 0:
                similarity, flops = cosines(self.model, self.sources[name], rows)
                self.walks[name].renew(similarity)
                self.flops += flops
        self.renewed = position
