"""What a proposal will cost, before any model runs: its steps, signals and dev evaluation."""

from dataclasses import replace

import numpy as np

from mixtune.proposal import NEGATIVES, Gradients, Probe, Proposal
from mixtune.recipe import Mixture
from mixtune.rules import make_rule
from mixtune.sampler import RecipeDraw
from mixtune.study import Study
from mixtune.training.cost import SAMPLED_MIXED, mixed_steps
from mixtune.training.encoding.encodings import distinct
from mixtune.training.measuring.devloss import DevPool
from mixtune.training.mixed.step import MixedStep
from mixtune.training.prepared import Prepared
from mixtune.training.proxy import ProxyModel
from mixtune.training.signals.gradients import chosen_parameters
from mixtune.training.signals.probing import probe_pools
from mixtune.training.step import step_of
from mixtune.training.walks.walk import Taken


class Prices:
    """Expected costs of a study's proposals in floating-point operations, counted as a run counts them.

    Ordinary batches cost what they cost at proportional weights, whatever the recipe; what schedules, topics and
    teachers add is left out.

    Args:
        study: prepared, with all its costs.
        prepared: the study's arrays.
        model: the proxy; only lengths are read of its table.
    """

    def __init__(self, study: Study, prepared: Prepared, model: ProxyModel) -> None:
        self._study = study
        self._prepared = prepared
        self._model = model
        self._dev = study.prepared.dev_flops
        self._sources = {name: prepared.sources[name] for name in study.names}
        self._rows = {name: np.arange(len(pairs.queries)) for name, pairs in self._sources.items()}
        self._steps: dict[object, float] = {}
        self._looks: dict[Probe, float] = {}

    def of(self, proposal: Proposal) -> float:
        """The cost of a trial."""
        probe, gradients = proposal.probe, proposal.gradients
        total = proposal.steps * self._step(proposal)
        if proposal.scored:
            total += self._dev
        if probe is not None:
            look = self._look(replace(probe, sources=(), levels=(), options=()))
            total += len(probe.sources) * (probe.steps * self._ordinary + look) + look
        if gradients is not None and not self._at_every_step(proposal):
            total += self._targets(gradients, together=False) + self._compared(gradients)
        return total

    @property
    def _ordinary(self) -> float:
        """A step on a batch of the study's own kind."""
        return (self._study.prepared.run_flops - self._dev) / self._study.proxy.steps

    def _step(self, proposal: Proposal) -> float:
        """A step, with what a rule reads of its sources and of the targets."""
        mixed, rule = proposal.recipe.batching.mixed, proposal.rule
        if not mixed or (rule is None and self._study.space.batching.mixed):
            return self._ordinary
        negatives = NEGATIVES if rule is None else rule.negatives
        gradients = proposal.gradients if self._at_every_step(proposal) else None
        if gradients is None:
            costs = self._study.prepared.mixed
            if costs is None:
                raise ValueError("the study's preparation does not say what mixed batches cost: prepare it anew")
            return costs.step(negatives, reference=proposal.reference is not None)
        key = (negatives, gradients)
        if key not in self._steps:
            draw = RecipeDraw(
                self._rows, Mixture.uniform(self._study.names), self._study.proxy.batch_size, self._study.seed
            )
            steps = mixed_steps(self._sources, draw, SAMPLED_MIXED, negatives)
            sampled = [self._in_parts(step, gradients) for step in steps]
            self._steps[key] = float(np.mean(sampled)) + self._targets(gradients, together=True)
        return self._steps[key]

    def _in_parts(self, step: MixedStep, gradients: Gradients) -> float:
        """A mixed step whose sources' gradients are told apart."""
        model, names = self._model, chosen_parameters(self._model, gradients.parameters)
        parts = [step.part(own).texts() for _, own in step.blocks()]
        return sum(model.train_flops(part) + model.gradient_flops(part, names) for part in parts)

    def _look(self, probe: Probe) -> float:
        """Measuring once the dev loss that influence is made of."""
        if probe not in self._looks:
            self._looks[probe] = sum(self._value(pool) for pool in probe_pools(self._prepared, probe, 0).values())
        return self._looks[probe]

    def _value(self, pool: DevPool) -> float:
        model = self._model
        return (
            model.encode_flops(pool.queries)
            + model.encode_flops(pool.documents)
            + model.flops.similarity(pool.products, 1)
        )

    def _targets(self, gradients: Gradients, *, together: bool) -> float:
        """The gradients of the targets: of the mean of them all, or of each."""
        model, names = self._model, chosen_parameters(self._model, gradients.parameters)
        pools = list(probe_pools(self._prepared, gradients, 0).values())
        groups = [pools] if together else [[pool] for pool in pools]
        total = sum(3 * model.flops.similarity(pool.products, 1) for pool in pools)
        for group in groups:
            texts = distinct(np.concatenate([rows for pool in group for rows in (pool.queries, pool.documents)]))[0]
            total += model.encode_flops(texts) + model.embed_flops(texts) + model.gradient_flops(texts, names)
        return total

    def _compared(self, gradients: Gradients) -> float:
        """The gradients of so many sources, each as an average one."""
        model, names = self._model, chosen_parameters(self._model, gradients.parameters)
        proxy, seed, costs = self._study.proxy, self._study.seed, list[float]()
        for name, pairs in self._sources.items():
            draw = RecipeDraw({name: self._rows[name]}, Mixture({name: 1.0}), proxy.batch_size, seed)
            for position in range(2):
                texts = step_of(pairs, Taken(draw.draw()[1]), proxy.negatives, seed, position).texts()
                costs.append(model.embed_flops(texts) + model.gradient_flops(texts, names))
        return len(gradients.sources) * gradients.batches * float(np.mean(costs))

    @staticmethod
    def _at_every_step(proposal: Proposal) -> bool:
        return proposal.rule is not None and bool(make_rule(proposal.rule).reads & {"product", "norm"})
