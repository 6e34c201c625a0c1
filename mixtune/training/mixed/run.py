"""A run on mixed batches: the mixture weighs losses, and a rule may move it at every step."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mixtune.errors import TrainingError
from mixtune.proposal import NEGATIVES
from mixtune.recipe import FloatArray
from mixtune.rules import RuleState, StepRule, StepSignals, stored
from mixtune.training.mixed.own_negatives import OwnNegatives
from mixtune.training.mixed.reference import Reference
from mixtune.training.mixed.step import MixedStep, mixed_step, weighted_mean
from mixtune.training.prepared import Floats
from mixtune.training.run import Run
from mixtune.training.signals.gradients import StepGradients
from mixtune.training.walks.walk import Taken

NAMED = 5
"""Sources that a remark names."""


class MixedRun:
    """Steps of a run on mixed batches.

    Each row comes from a source of its own, all sources with weight alike likely. An example's loss is told from its
    own negatives alone. Without a rule a step goes down sum_n w_g(n) l_n / sum_n w_g(n), w being the recipe's mixture;
    a rule sees the losses first, moves, and then weighs the examples (as in tDRO, arXiv 2408.10613). state is where the
    rule stands; reference_losses holds the reference loss of each example per source, dev_flops what the
    gradients of targets cost. Losses, exposure (rows over the rows of the batch) and all other costs are the run's:
    reference losses and gradients of sources are part of a step.

    Args:
        run: what is trained.
        names: the study's usable sources, in its order.
        rule: what moves the weights, with where it stands.
        negatives: own negatives per example.
        reference: the model that gives reference losses, None: there are none.
        gradients: of the targets, for a rule that reads inner products.
        seed: of the study, which decides the negatives that are drawn.
    """

    def __init__(
        self,
        run: Run,
        names: Sequence[str],
        *,
        rule: tuple[StepRule, RuleState] | None = None,
        negatives: int = NEGATIVES,
        reference: Reference | None = None,
        gradients: StepGradients | None = None,
        seed: int,
    ) -> None:
        self.run = run
        self.state: RuleState = {} if rule is None else rule[1]
        self.reference_losses: defaultdict[str, list[float]] = defaultdict(list)
        self.dev_flops = 0.0
        self._names = tuple(names)
        self._rule = None if rule is None else rule[0]
        self._weights = run.recipe.mixture.array(self._names)
        self._most = negatives
        self._reference = reference
        self._gradients = gradients
        self._places = {name: place for place, name in enumerate(names)}
        self._sources = [run.sources[name] for name in names]
        self._negatives = OwnNegatives(self._sources, negatives, seed=seed)
        self._drawn: set[int] = set()
        self._short: set[int] = set()

    def advance(self) -> None:
        """One ordinary step on the next batch of the draw.

        Raises:
            TrainingError: a loss is not finite.
        """
        run = self.run
        run.refresh()
        drawn = run.draw.choose_rows()
        taken = {name: run.walks[name].take(size, run.optimiser.position) for name, size in drawn.items()}
        for name, some in taken.items():
            run.draw.count(name, some.rows)
        step = self._step(taken, noted=True)
        reference = self._reference_of(step)
        target = None if self._gradients is None else self._gradients.target(run.optimiser.position)
        run.model.module.train()
        parts, each, cosines = self._forward(step)
        losses = torch.cat(each)
        values = losses.detach().cpu().double().numpy()
        self._check(values, step, "loss")
        blocks = [(self._names[place], own) for place, own in step.blocks()]
        product, norm = None, None
        if self._gradients is not None and target is not None:
            product, norm = self._gradients.products(_means(parts, each), target.vector, len(self._names))
            self.dev_flops += target.flops
            run.flops += self._gradients.flops([part.texts() for part in parts])
        if self._rule is not None:
            signals = StepSignals(step.sources, values, reference, product, norm)
            self.state = self._rule.step(self.state, signals)
        run.optimiser.step(weighted_mean(step, losses, self._example_weights(step)))
        run.flops += sum(run.model.train_flops(part.texts()) for part in parts)
        run.optimiser.position += 1
        for name, own in blocks:
            run.walks[name].learn(taken[name], cosines[own], values[own].astype(np.float32))
            run.exposure[name] += len(own) / len(values)
            run.losses[name].extend(values[own].tolist())
            if reference is not None:
                self.reference_losses[name].extend(reference[own].tolist())

    def loss(self, source: str, taken: Taken) -> Tensor:
        """The loss on pairs of a source, with its gradient; nothing moves."""
        step = self._step({source: taken})
        _, (losses,), _ = self._forward(step)
        return _mean(step, losses)

    def loss_flops(self, source: str, taken: Taken, names: frozenset[str]) -> float:
        """Cost of `loss` and of its gradient in the named parameters alone."""
        texts = self._step({source: taken}).texts()
        return self.run.model.embed_flops(texts) + self.run.model.gradient_flops(texts, names)

    @property
    def reads_gradients(self) -> bool:
        """Whether gradients are taken at every step."""
        return self._gradients is not None

    @property
    def reference_loss(self) -> dict[str, float]:
        """Mean reference loss per source drawn."""
        return {source: float(np.mean(losses)) for source, losses in sorted(self.reference_losses.items())}

    @property
    def stored(self) -> Mapping[str, tuple[float, ...]]:
        """Where the rule stands, as a measurement holds it; empty without a rule."""
        return stored(self.state)

    def remarks(self) -> tuple[str, ...]:
        """What the run did otherwise than its sources' hard negatives would have had it, in words."""
        drawn, short = ([self._names[place] for place in sorted(places)] for places in (self._drawn, self._short))
        notes = []
        if drawn:
            notes.append(
                f"of {self._most} own negatives per example some or all were drawn from the source's own documents,"
                f" for want of hard negatives: {_some(drawn)}"
            )
        if short:
            notes.append(f"sources with too few documents for {self._most} own negatives: {_some(short)}")
        if self.run.settings.loss != "infonce":
            notes.append(f"mixed batches are trained on cross-entropy over own negatives, not {self.run.settings.loss}")
        return tuple(notes)

    def _step(self, taken: Mapping[str, Taken], *, noted: bool = False) -> MixedStep:
        """Taken pairs with what they are told from at the schedule's present position, which is noted for remarks."""
        by_place = {self._places[name]: some for name, some in taken.items()}
        told = self._negatives.of(by_place, self.run.draw.seed, self.run.optimiser.position)
        step = mixed_step(by_place, self._sources, told.documents)
        if noted:
            self._drawn.update(step.sources[told.drawn > 0].tolist())
            self._short.update(step.sources[told.documents[:, -1:].min(axis=1, initial=0) < 0].tolist())
        return step

    def _forward(self, step: MixedStep) -> tuple[list[MixedStep], list[Tensor], Floats]:
        """The parts that went through the model one by one, the losses of each with gradient, and all cosines.

        One part is the whole; gradients per source need a part for each, so that none computes on another's texts.
        """
        parts = [step] if self._gradients is None else [step.part(own) for _, own in step.blocks()]
        found = [part.losses(self.run.model.embed(part.texts()), self.run.settings.temperature) for part in parts]
        cosines: Floats = torch.cat([cosine for _, cosine in found]).cpu().numpy()
        return parts, [losses for losses, _ in found], cosines

    def _reference_of(self, step: MixedStep) -> FloatArray | None:
        """Reference losses of a step's examples, in evaluation mode."""
        if self._reference is None:
            return None
        texts = step.texts()
        with self._reference.in_turn() as model:
            embeddings = torch.from_numpy(model.encode(texts))
        self.run.flops += self.run.model.encode_flops(texts)
        losses, _ = step.losses(embeddings, self.run.settings.temperature)
        values = losses.double().numpy()
        self._check(values, step, "reference loss")
        return np.asarray(values)

    def _example_weights(self, step: MixedStep) -> FloatArray:
        if self._rule is not None:
            return self._rule.example_weights(self.state, step.sources)
        weights = self._weights[step.sources]
        return np.asarray(weights / max(float(weights.sum()), 1e-300))

    def _check(self, losses: FloatArray, step: MixedStep, what: str) -> None:
        wrong = np.flatnonzero(~np.isfinite(losses))
        if len(wrong):
            settings, source = self.run.settings, self._names[int(step.sources[wrong[0]])]
            raise TrainingError(
                f"the {what} is {losses[wrong[0]]} at step {self.run.optimiser.position + 1}, on an example of source"
                f" {source!r}: lower learning_rate ({settings.rate:g}) or raise temperature ({settings.temperature:g})"
                " of proxy"
            )


def _means(parts: Sequence[MixedStep], each: Sequence[Tensor]) -> dict[int, Tensor]:
    """Mean loss of each present source, by its place; the parts are the sources' own."""
    return {int(part.sources[0]): _mean(part, losses) for part, losses in zip(parts, each, strict=True)}


def _mean(step: MixedStep, losses: Tensor) -> Tensor:
    """Mean of the losses of one source's examples."""
    return weighted_mean(step, losses, np.full(len(losses), 1 / len(losses)))


def _some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - NAMED
    return f"{', '.join(names[:NAMED])}{f' and {more} more' if more > 0 else ''}"
