from dataclasses import replace

import numpy as np
import pytest
from surface import BEST, NAMES, SEED_SD, recorded_chain, recorded_random, study, truth

from mixtune.errors import ConfigError
from mixtune.measurement import Influence
from mixtune.search import Objective
from mixtune.space import Space
from mixtune.store.recording import Recorded
from mixtune.tuning.fitting import fit_surrogate
from mixtune.tuning.gaussian import fit_process
from mixtune.tuning.recalled import prices_of, recalled, rounds_of
from mixtune.tuning.surrogate import Surrogate


@pytest.fixture(scope="module")
def surrogate() -> Surrogate:
    return fit_surrogate([recorded_random()], surfaces=3)


def test_the_planted_best_mixture_is_found(surrogate: Surrogate) -> None:
    weights, score = surrogate.best(0)
    assert np.abs(weights - BEST).sum() / 2 < 0.08
    assert score == pytest.approx(0.6, abs=0.01)


def test_scores_are_those_of_the_planted_surface(surrogate: Surrogate) -> None:
    weights = np.random.default_rng(9).dirichlet(np.full(4, 0.7), 200)
    error = surrogate.scores(0, weights) - truth(weights).mean(axis=1)
    assert np.sqrt(np.mean(error**2)) < SEED_SD
    assert surrogate.quality.spearman is not None and surrogate.quality.spearman > 0.9


def test_noise_is_told_from_what_the_surface_misses(surrogate: Surrogate) -> None:
    assert surrogate.reruns == 18 and surrogate.mixtures == 60
    assert surrogate.seed_sd == pytest.approx(SEED_SD, rel=0.35)
    assert surrogate.misfit_sd < surrogate.seed_sd
    drawn = np.random.default_rng(0).standard_normal((4000, len(surrogate.seed_noise))) @ surrogate.seed_noise
    assert drawn[:, :2].mean(axis=1).std() == pytest.approx(surrogate.seed_sd, rel=0.05)


def test_without_reruns_all_of_the_error_is_noise() -> None:
    found = fit_surrogate([recorded_random(reruns=0)], surfaces=1)
    assert found.reruns == 0 and found.misfit_sd == 0
    assert found.seed_sd == found.quality.rmse


def test_resampled_surfaces_differ_and_are_the_same_each_time(surrogate: Surrogate) -> None:
    again = fit_surrogate([recorded_random()], surfaces=3)
    values = [surrogate.scores(surface, BEST[None])[0] for surface in range(3)]
    assert len(set(values)) == 3
    assert values == [again.scores(surface, BEST[None])[0] for surface in range(3)]


def test_each_column_takes_the_model_with_the_smaller_error(surrogate: Surrogate) -> None:
    assert [(each.target, each.measure) for each in surrogate.fitted[:3]] == [
        ("easy", "ndcg@10"),
        ("hard", "ndcg@10"),
        ("easy", "dev loss"),
    ]
    for each in surrogate.fitted:
        assert each.model == min(each.errors, key=lambda name: each.errors[name].rmse)


def test_the_best_mixture_obeys_the_space() -> None:
    found = recorded_random()
    capped = Recorded(study(space=Space(cap={"first": 0.2})), found.trials)
    weights, _ = fit_surrogate([capped], surfaces=1).best(0)
    assert weights[0] <= 0.2 + 1e-6


def test_too_few_mixtures_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"19 mixtures .* needs 20 or more"):
        fit_surrogate([recorded_random(mixtures=19)])


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"objective": Objective("recall@20")}, "objective"), ({"space": Space(cap={"first": 0.5})}, "space")],
)
def test_studies_of_something_else_are_refused(changes: dict[str, object], what: str) -> None:
    other = recorded_chain()
    with pytest.raises(ConfigError, match=f"differ in {what}"):
        fit_surrogate([recorded_random(), replace(other, study=replace(other.study, **changes))])  # type: ignore[arg-type]


def test_open_options_are_refused() -> None:
    found = recorded_random()
    opened = replace(found, study=study(space=Space(shared_levels=(1.0, 0.5))))
    with pytest.raises(ConfigError, match="chooses keep beside the weights"):
        fit_surrogate([opened])


def test_a_process_passes_near_what_it_was_told_and_stays_smooth() -> None:
    weights = np.random.default_rng(1).dirichlet(np.ones(4), 80)
    values = truth(weights)[:, 0]
    process = fit_process(weights, values)
    assert np.abs(process(weights) - values).max() < 0.005
    moved = weights + 1e-6 * (np.eye(4)[0] - weights)
    assert np.abs(process(moved) - process(weights)).max() < 1e-4


def test_recorded_influences_and_costs_are_recalled(surrogate: Surrogate) -> None:
    chain = recorded_chain()
    rounds = rounds_of(surrogate.study, [chain])
    found = recalled(surrogate, rounds)
    assert found is not None and found.rounds == 6
    assert found.mean == pytest.approx(np.repeat([[0.03], [0.02], [0.01], [-0.05]], 4, axis=1))
    assert found.error == pytest.approx(np.full(4, 0.002))
    assert (found.probe_steps, found.queries) == (4, 20)
    prices = prices_of(surrogate.study, [recorded_random(), chain], rounds)
    assert (prices.step, prices.dev, prices.probe_step) == (10.0, 200.0, 10.0)
    assert prices.look == pytest.approx(100 / (5 * 20))


def test_rounds_that_measured_no_influence_leave_nothing_to_recall(surrogate: Surrogate) -> None:
    chain = recorded_chain()
    unknown = dict.fromkeys(NAMES, Influence(None, None))
    trials = [
        replace(each, measurement=replace(each.measurement, influence=unknown))
        for each in chain.trials
        if each.measurement is not None
    ]
    assert recalled(surrogate, rounds_of(surrogate.study, [replace(chain, trials=tuple(trials))])) is None


def test_a_source_that_no_round_probed_has_what_the_surface_says(surrogate: Surrogate) -> None:
    chain = recorded_chain()
    trials = [
        replace(each, measurement=replace(each.measurement, influence=without(each.measurement.influence, "noise")))
        for each in chain.trials
        if each.measurement is not None
    ]
    found = recalled(surrogate, rounds_of(surrogate.study, [replace(chain, trials=tuple(trials))]))
    assert found is not None and 0 <= found.gain <= 1
    assert found.mean[3] == pytest.approx(found.gain * found.expected[3])


def without(held: object, name: str) -> dict[str, object]:
    assert isinstance(held, dict) and len(held) == len(NAMES)
    return {key: value for key, value in held.items() if key != name}
