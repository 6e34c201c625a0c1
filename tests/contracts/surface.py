"""Recorded studies of a made-up surface whose best mixture is known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mixtune.measurement import Cost, Influence, Measurement
from mixtune.preparation import Preparation
from mixtune.proposal import Probe, Proposal, Role
from mixtune.proxy import Final, Proxy
from mixtune.recipe import FloatArray, Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.store.recording import Recorded
from mixtune.study import Study
from mixtune.target import Target, TargetFacts
from mixtune.trial import Trial, TrialState

NAMES = ("first", "second", "third", "noise")
BEST = np.array([0.5, 0.3, 0.2, 0.0])
STEPS = 100
SEED_SD = 0.004


def truth(weights: FloatArray) -> FloatArray:
    """Metrics (n, 2) at weights (n, 4): highest at BEST, at .7 and .5."""
    apart = ((np.sqrt(weights) - np.sqrt(BEST)) ** 2).sum(axis=1)
    return np.stack([0.7 - 0.2 * apart, 0.5 - 0.1 * apart], axis=1)


def study(**changes: object) -> Study:
    facts = {name: SourceFacts(200 * (1 + place), 200, 30.0, name) for place, name in enumerate(NAMES)}
    targets = ("easy", "hard")
    made = Study(
        name="planted",
        sources=tuple(Source(name, "docstrings", f"/data/{name}") for name in NAMES),
        targets=tuple(Target(name, "docstrings", f"/data/{name}") for name in targets),
        search=Search("random"),
        budget=Budget(runs=7.0, workers=1),
        proxy=Proxy(steps=STEPS, batch_size=8),
        final=Final(steps=200, seeds=2),
        preparation=Preparation("k", facts, {name: TargetFacts(40, 40, 90, 90, name) for name in targets}, 1200.0),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def measured(weights: FloatArray, rng: np.random.Generator) -> Measurement:
    """A fresh run: its metrics with noise, dev losses that are 1 - metric, and its cost."""
    easy, hard = (truth(weights[None])[0] + rng.normal(0, SEED_SD * 2**0.5, 2)).tolist()
    return Measurement(
        step=STEPS,
        score=(easy + hard) / 2,
        dev={"easy": {"ndcg@10": easy}, "hard": {"ndcg@10": hard}},
        dev_loss={"easy": 1 - easy, "hard": 1 - hard},
        exposure={name: STEPS * weight for name, weight in zip(NAMES, weights.tolist(), strict=True)},
        cost=Cost(train=1000.0, dev=200.0, seconds=3.0),
    )


def ran(number: int, role: Role, weights: FloatArray, found: Measurement, **proposed: object) -> Trial:
    recipe = Recipe(Mixture.from_array(NAMES, weights))
    proposal = replace(Proposal(recipe, STEPS, role), **proposed)  # type: ignore[arg-type]
    return Trial(number, proposal, number, state=TrialState.COMPLETE, measurement=found, node="here", pid=7)


def recorded_random(mixtures: int = 60, reruns: int = 3) -> Recorded:
    """A survey, random mixtures, and reruns of the first few of them."""
    rng = np.random.default_rng(3)
    drawn = rng.dirichlet(np.full(4, 0.7), mixtures)
    base = replace(
        measured(np.full(4, 0.25), rng), step=0, neighbours={name: {"first": 1.0} for name in ("easy", "hard")}
    )
    base = replace(
        base, score=0.4, dev={name: {"ndcg@10": 0.4} for name in base.dev}, dev_loss=dict.fromkeys(base.dev, 0.6)
    )
    trials = [ran(0, Role.SURVEY, np.full(4, 0.25), base, steps=0)]
    for weights in [*drawn, *np.repeat(drawn[:6], reruns, axis=0)]:
        trials.append(ran(len(trials), Role.SEARCH, weights, measured(weights, rng)))
    return Recorded(study(), tuple(trials))


def recorded_chain(gains: Sequence[float] = (0.03, 0.02, 0.01, -0.05), rounds: int = 6) -> Recorded:
    """A chain of rounds in which a probe of a source lowers either dev loss by its gain, with an error of .002."""
    rng, trials = np.random.default_rng(4), list[Trial]()
    for number in range(rounds):
        influence = {
            name: Influence(
                gain, 0.001, *(dict.fromkeys(("easy", "hard"), value) for value in (gain, 0.002, gain, 0.002))
            )
            for name, gain in zip(NAMES, gains, strict=True)
        }
        found = replace(
            measured(BEST, rng),
            influence=influence,
            exposure=dict(zip(NAMES, (10.0 * (number + 1) * BEST).tolist(), strict=True)),
            cost=Cost(train=100.0, probe=160.0, dev=100.0),
        )
        probe = Probe(NAMES, 4, queries=10)
        proposed = {"steps": 10, "probe": probe, "parent": number - 1 if number else None, "scored": False}
        trials.append(ran(number, Role.ROUND, BEST, found, **proposed))
    return Recorded(study(name="chain", search=Search("infdds")), tuple(trials))


def recorded_ruled(*last: FloatArray) -> Recorded:
    """A real search of tdro: a reference, then a round of three fresh runs that ends at each of the weights."""
    rng = np.random.default_rng(5)
    uniform, settings = np.full(4, 0.25), {"transfer": "reweight", "length": 30 * len(last)}
    trials = [ran(0, Role.REFERENCE, uniform, replace(measured(uniform, rng), score=None, cost=Cost(train=1200.0)))]
    for number, weights in enumerate(last, 1):
        rule = {"log_w": tuple(np.log(weights).tolist())}
        found = replace(measured(weights, rng), score=None, rule=rule, cost=Cost(train=3600.0))
        proposed = {"steps": 30, "parent": number - 1 if number > 1 else None, "scored": False}
        trials.append(ran(number, Role.ROUND, weights, found, **proposed))
    return Recorded(study(name="ruled", search=Search("tdro", settings)), tuple(trials))
