"""A made-up world whose best mixture is known, and the loop that lets a searcher explore it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mixtune.errors import SearchExhausted
from mixtune.measurement import Alignment, Cost, Influence, Measurement
from mixtune.preparation import Preparation
from mixtune.proposal import Proposal, Role
from mixtune.recipe import FloatArray, Mixture, Recipe
from mixtune.report.options import chosen
from mixtune.rules import StepSignals, make_rule, state_of, stored
from mixtune.search import Budget, Search
from mixtune.searchers import Searcher
from mixtune.source import Source, SourceFacts
from mixtune.space import OF_SCHEDULE, Space
from mixtune.study import Study
from mixtune.target import Target, TargetFacts
from mixtune.trial import Trial, TrialState


def planted_study(sources: int, *, targets: int = 2, space: Space | None = None, seed: int = 0) -> Study:
    """Sources s0, s1, ... of growing size, where s0 is small and the last one is large."""
    names = [f"s{index}" for index in range(sources)]
    facts = {name: SourceFacts(100 + 50 * index, 100, 40.0, "") for index, name in enumerate(names)}
    tasks = [f"t{index}" for index in range(targets)]
    return Study(
        name="planted",
        sources=tuple(Source(name, "docstrings", name, weight=1.0 + index) for index, name in enumerate(names)),
        targets=tuple(Target(name, "docstrings", name) for name in tasks),
        search=Search("uniform"),
        budget=Budget(trials=10),
        space=space or Space(),
        seed=seed,
        preparation=Preparation("key", facts, {name: TargetFacts(50, 50, 500, 500, "") for name in tasks}, 1e12),
    )


@dataclass(frozen=True)
class World:
    """Target j gets better with the weight of its home, source j: score = sum_j v_j sqrt(w_j), noise on top.

    Influence of a home on its target is 0.1, of any other source 0; both carry noise of the size that is reported as
    standard error. The best mixture gives home j a share proportional to v_j ** 2. best_kept says at which keep level
    alone a home is worth that; at any other its batches are worth a quarter. Other sources' levels make no difference.
    best_options says likewise of open choices of the space, for all homes; each that has another value costs as much.
    The gradient of a home has cosine 0.5 with its target's, of any other source 0, its norm is 1. In a mixed batch the
    loss of a home is 1.5 where the reference model's is 1, that of any other source 1 like its reference's, and that of
    the last source, if it is no home, 4 where the reference's is 3.9: it is noise.
    """

    study: Study
    noise: float = 0.0
    best_kept: Mapping[str, float] = field(default_factory=dict)
    best_options: Mapping[str, float] = field(default_factory=dict)

    def gains(self) -> FloatArray:
        """Noiseless influence per source and target, shape (M, N)."""
        return 0.1 * np.eye(len(self.study.names), len(self.study.targets))

    def worth(self, source: str, kept: float, options: Mapping[str, float]) -> float:
        """What a batch of a source is worth at a keep level and under options."""
        off = OF_SCHEDULE if options.get("dynamic", 1.0) == 0 else ()  # where it is off its ends do nothing
        worse = sum(options.get(name) != value for name, value in self.best_options.items() if name not in off)
        return 0.25**worse * (1.0 if kept == self.best_kept.get(source, kept) else 0.25)

    def value(self, recipe: Recipe) -> float:
        """Noiseless score of a recipe."""
        options = chosen(self.study.space, recipe)
        worth = np.array([self.worth(name, recipe.pruning.share(name), options) for name in self.study.names])
        homes = (recipe.mixture.array(self.study.names) * worth)[: len(self.study.targets)]
        importance = self.study.target_weights()[: len(homes)]
        return float(importance @ np.sqrt(homes))

    def answer(self, proposal: Proposal, seed: int) -> Measurement:
        """What a run of the proposal measures."""
        rng = np.random.default_rng(seed)
        position = {name: index for index, name in enumerate(self.study.names)}
        influence = {}
        for name, (source, level) in proposal.probe.arms.items() if proposal.probe else ():
            kept = proposal.recipe.pruning.share(source) if level is None else level
            options = proposal.probe.tried.get(name) if proposal.probe else None
            options = chosen(self.study.space, proposal.recipe) if options is None else options
            gain = self.worth(source, kept, options) * self.gains()[position[source]]
            seen = gain + self.noise * rng.standard_normal(len(self.study.targets))
            tasks = [target.name for target in self.study.targets]
            influence[name] = Influence(
                value=float(seen @ self.study.target_weights()),
                error=self.noise,
                per_target=dict(zip(tasks, seen.tolist(), strict=True)),
                per_target_error=dict.fromkeys(tasks, self.noise),
            )
        score = self.value(proposal.recipe) + self.noise * float(rng.standard_normal())
        return Measurement(
            proposal.steps,
            score,
            influence=influence,
            rule=self.ruled(proposal, seed),
            alignment=self.aligned(proposal, seed),
            cost=Cost(train=1.0),
            checkpoint="here",
        )

    def aligned(self, proposal: Proposal, seed: int) -> dict[str, Alignment]:
        """What the proposal's gradients show at the end of its run."""
        if proposal.gradients is None or proposal.rule is not None:
            return {}
        cosine = 5 * self.gains() + self.noise * np.random.default_rng([seed, 1]).standard_normal(self.gains().shape)
        tasks, found = [target.name for target in self.study.targets], {}
        for name in proposal.gradients.sources:
            own = dict(zip(tasks, cosine[self.study.names.index(name)].tolist(), strict=True))
            found[name] = Alignment(own, own, 1.0)
        return found

    def ruled(self, proposal: Proposal, seed: int) -> dict[str, tuple[float, ...]]:
        """The state that the proposal's rule ends in."""
        if proposal.rule is None:
            return {}
        rule, count = make_rule(proposal.rule), len(self.study.names)
        weights = proposal.recipe.mixture.array(self.study.names)
        state = state_of(rule, proposal.rule.state) if proposal.rule.state else rule.start(weights)
        rng, drawn = np.random.default_rng([seed, 2]), np.flatnonzero(weights > 0)
        homes = np.arange(count) < len(self.study.targets)
        noisy = ~homes & (np.arange(count) == count - 1)
        proxy, reference = 1 + 0.5 * homes + 3 * noisy, 1 + 2.9 * noisy
        product = 5 * self.gains() @ self.study.target_weights()
        for _ in range(proposal.steps):
            sources = np.sort(rng.choice(drawn, 32))
            present = np.bincount(sources, minlength=count) > 0
            loss, seen = proxy[sources], product + self.noise * rng.standard_normal(count)
            signals = StepSignals(
                sources,
                loss + self.noise * rng.standard_normal(32),
                reference[sources],
                np.where(present, seen, np.nan),
                np.where(present, 1.0, np.nan),
            )
            state = rule.step(state, signals)
        return stored(state)


def survey(study: Study) -> Trial:
    """The trial that every study starts with, complete. All neighbours and clusters of a target come from its home."""
    proposal = Proposal(Recipe(study.proportional()), 0, Role.SURVEY)
    homes = [source.name for source in study.sources]
    shares = {target.name: {homes[index]: 1.0} for index, target in enumerate(study.targets)}
    found = Measurement(score=0.1, neighbours=shares, clusters=shares)
    return Trial(0, proposal, study.trial_seed(0), state=TrialState.COMPLETE, measurement=found)


def finish(world: World, proposal: Proposal, number: int) -> Trial:
    """The trial of a proposal, complete."""
    seed = world.study.trial_seed(number)
    return Trial(number, proposal, seed, state=TrialState.COMPLETE, measurement=world.answer(proposal, seed))


def explore(searcher: Searcher, world: World, proposals: int) -> list[Trial]:
    """The survey and up to that many trials of the searcher, one at a time, all complete."""
    trials = [survey(world.study)]
    for number in range(1, proposals + 1):
        try:
            proposal = searcher.suggest(world.study, trials, world.study.rng(number))
        except SearchExhausted:
            break
        trials.append(finish(world, proposal, number))
    return trials


def recommended(searcher: Searcher, world: World, proposals: int) -> Mixture:
    """The mixture that a searcher recommends after that many trials."""
    return searcher.recommend(world.study, explore(searcher, world, proposals)).mixture


def with_last(trials: Sequence[Trial], state: TrialState, measurement: Measurement | None = None) -> list[Trial]:
    """The same trials, the last one in another state."""
    return [*trials[:-1], replace(trials[-1], state=state, measurement=measurement)]
