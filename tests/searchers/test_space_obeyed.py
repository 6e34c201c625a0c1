"""Every searcher stays in the space, whatever its bounds are, at 2, 25 and 1,000 sources."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from planted import World, explore, planted_study

from mixtune.recipe import Recipe
from mixtune.searchers import SEARCHERS, InfDDS, Searcher, candidates
from mixtune.searchers.cmaes import CMAES
from mixtune.searchers.keep import lowest_pruning
from mixtune.searchers.optuna import GP, TPE
from mixtune.searchers.regmix import RegMix
from mixtune.space import SimplexMapping, Space
from mixtune.study import Study

EAGER: Mapping[str, Searcher] = {
    "cmaes": CMAES(population=4),
    "gp": GP(n_startup_trials=2),
    "infdds": InfDDS(beta=5.0),
    "regmix": RegMix(n_fit=2, k=1),
    "tpe": TPE(n_startup_trials=2),
}
"""Searchers set so that they leave their start within a few trials."""

SLOW = ("cmaes", "gp", "regmix")
"""Searchers that compute on matrices of the size of the box, or on very many points of it."""

SOURCES = [2, 25, 1000]


def room(study: Study) -> bool:
    """Whether any mixture fits, by hand: the k largest caps, those that have to be there among them, make up 1."""
    space, size = study.space, len(study.names)
    kept = [min([*space.levels.get(name, ()), *(space.shared_levels or (1.0,))], default=1.0) for name in study.names]
    rows = np.array([max(1, np.floor(k * n + 1e-9)) for k, n in zip(kept, study.rows.values(), strict=True)])
    caps = np.array([space.cap.get(name, 1.0) for name in study.names])
    if space.max_epochs is not None:
        caps = np.minimum(caps, space.max_epochs * rows / study.final_rows)
    wanted = [name in space.must_include or name in space.floor for name in study.names]
    free = np.sort(caps[np.logical_not(wanted)])[::-1][: (space.at_most or size) - sum(wanted)]
    return bool(caps[wanted].sum() + free.sum() >= 1)


@st.composite
def studies(draw: st.DrawFn, size: int) -> Study:
    """Studies whose space has room: floors take at most half of the mixture, and never more than their caps."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    names = [f"s{index}" for index in range(size)]
    capped = rng.choice(names, int(rng.integers(size + 1)), replace=False)
    cap = {str(name): float(rng.uniform(0.5, 4.0) / size) for name in capped}
    few = [str(name) for name in rng.choice(names, int(rng.integers(min(size, 4))), replace=False)]
    floor = {name: float(rng.uniform(0, 0.5) / size) for name in few} if draw(st.booleans()) else {}
    must = tuple(few[:2]) if draw(st.booleans()) else ()
    at_most = int(rng.integers(max(len(few), 1), size + 1)) if draw(st.booleans()) else None
    listed = [str(name) for name in rng.choice(names, int(rng.integers(min(size, 3))), replace=False)]
    space = Space(
        mapping=draw(st.sampled_from(SimplexMapping)),
        floor=floor,
        cap=cap,
        must_include=must,
        at_most=at_most,
        max_epochs=float(rng.uniform(1, 6)) * 64_000 / sum(100 + 50 * i for i in range(size))
        if draw(st.booleans())
        else None,
        levels=dict.fromkeys(listed, (0.5, 1.0)) if draw(st.booleans()) else {},
        shared_levels=(0.75, 1.0) if draw(st.booleans()) else (),
    )
    study = planted_study(size, space=space, seed=int(rng.integers(1000)))
    assume(room(study))
    return study


def check(study: Study, recipe: Recipe) -> None:
    """Every bound, counted anew."""
    space, mixture = study.space, recipe.mixture
    used = [name for name, weight in mixture.items() if weight > 0]
    assert sum(mixture.values()) == pytest.approx(1, abs=1e-9)
    assert len(used) <= (space.at_most or len(study.names))
    assert set(space.must_include) <= set(used)
    assert all(mixture[name] <= most * (1 + 1e-9) for name, most in space.cap.items())
    assert all(
        mixture[name] >= least * (1 - 1e-9)
        for name, least in space.floor.items()
        if least <= bound(study, name, recipe)
    )
    if space.max_epochs is not None:
        assert max(study.epochs(recipe).values()) <= space.max_epochs * (1 + 1e-9)
    for name in study.names:
        assert recipe.pruning.share(name) in (space.levels.get(name) or space.shared_levels or (1.0,))
    assert study.broken_bounds(recipe) == ()


def bound(study: Study, name: str, recipe: Recipe) -> float:
    """The most that caps and epochs leave a source."""
    _, high = study.bounds(recipe.pruning)
    return float(high[study.names.index(name)])


QUIET = [HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.mark.parametrize(("size", "examples"), [(2, 60), (25, 60), (1000, 8)])
def test_any_weights_are_brought_into_the_space(size: int, examples: int) -> None:
    @given(studies(size), st.integers(0, 2**32 - 1), st.sampled_from([0.001, 0.1, 1.0, 100.0]))
    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=QUIET)
    def fitted(study: Study, seed: int, concentration: float) -> None:
        rng = np.random.default_rng(seed)
        weights = rng.dirichlet(np.full(size, concentration))
        weights[rng.random(size) < rng.choice([0.0, 0.9])] = 0.0
        pruning = lowest_pruning(study)
        check(study, study.recipe(dict(zip(study.names, weights.tolist(), strict=True)), pruning))

    fitted()


@pytest.mark.parametrize("size", SOURCES)
@pytest.mark.parametrize("name", SEARCHERS)
def test_every_proposal_and_recommendation_lies_in_the_space(
    name: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "CANDIDATES", 3000)
    searcher = EAGER.get(name) or SEARCHERS[name]()
    examples, trials = {2: (15, 6), 25: (10, 6), 1000: (2, 4)}[size]
    if name in SLOW:
        examples, trials = max(1, examples // 5), min(trials, 5 if size < 1000 else 2)

    @given(studies(size))
    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=QUIET)
    def explored(study: Study) -> None:
        found = explore(searcher, World(study, noise=0.01), trials)
        assert len(found) > 1
        everyone = replace(study, space=replace(study.space, at_most=None))
        for trial in found[1:]:
            recipe = trial.proposal.recipe
            check(everyone if recipe.batching.mixed else study, recipe)  # see rounds.mixed_recipe
        check(study, searcher.recommend(study, found))

    explored()
