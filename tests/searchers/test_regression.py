from dataclasses import replace

import numpy as np
import pytest

from mixtune.ranks import spearman
from mixtune.searchers.regression import MODELS, Predict, Runs, out_of_fold


def runs(scores: np.ndarray, features: np.ndarray | None = None, values: np.ndarray | None = None) -> Runs:
    n = len(scores)
    features = np.random.default_rng(0).dirichlet(np.ones(4), n) if features is None else features
    columns = scores[:, None] if values is None else values
    return Runs(features, scores, columns, np.arange(n), lambda each: each.mean(axis=1))


def memorise(seen: Runs) -> Predict:
    """The score of the run that has these very features, the mean of all for any other."""
    known = {row.tobytes(): score for row, score in zip(seen.features, seen.scores, strict=True)}
    mean = float(seen.scores.mean())
    return lambda features: np.array([known.get(row.tobytes(), mean) for row in np.asarray(features)])


def test_a_model_that_memorises_noise_is_found_out() -> None:
    noise = np.random.default_rng(1).normal(size=200)
    all_runs = runs(noise)
    assert memorise(all_runs)(all_runs.features) == pytest.approx(noise)
    error = out_of_fold(all_runs, memorise)
    assert error is not None and error.rmse == pytest.approx(noise.std(), rel=0.05)
    assert error.spearman is not None and error.spearman < 0.1


def test_equal_recipes_are_left_out_together() -> None:
    noise = np.repeat(np.random.default_rng(1).normal(size=40), 2)
    features = np.repeat(np.random.default_rng(0).dirichlet(np.ones(4), 40), 2, axis=0)
    twice = replace(runs(noise, features), groups=np.repeat(np.arange(40), 2))
    error = out_of_fold(twice, memorise)
    assert error is not None and error.rmse > 0.9 * noise.std()


@pytest.mark.parametrize("model", MODELS)
def test_no_model_beats_the_mean_on_pure_noise_by_much(model: str) -> None:
    noise = np.random.default_rng(2).normal(size=60)
    error = out_of_fold(runs(noise), MODELS[model])
    assert error is not None and error.rmse > 0.9 * noise.std()


@pytest.mark.parametrize("model", MODELS)
def test_a_signal_is_seen_out_of_fold(model: str) -> None:
    features = np.random.default_rng(0).dirichlet(np.ones(4), 80)
    error = out_of_fold(runs(np.sqrt(features[:, 0]), features), MODELS[model])
    assert error is not None and error.rmse < 0.1 and error.spearman is not None and error.spearman > 0.9


def test_a_single_recipe_has_no_error_out_of_fold() -> None:
    one = replace(runs(np.array([0.1, 0.3])), groups=np.zeros(2, dtype=np.int64))
    assert out_of_fold(one, memorise) is None


def test_laws_are_fitted_for_each_column() -> None:
    features = np.random.default_rng(0).dirichlet(np.full(8, 0.3), 60)
    values = np.sqrt(features[:, :3])
    new = np.random.default_rng(1).dirichlet(np.full(8, 0.3), 200)
    truth = np.sqrt(new[:, :3]).mean(axis=1)
    whole = values.mean(axis=1)
    each = MODELS["law"](runs(whole, features, values))(new)
    lumped = MODELS["law"](runs(whole, features))(new)
    assert np.std(each - truth) < 0.7 * np.std(lumped - truth)


def test_rank_correlation_by_hand() -> None:
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 100.0, 1000.0])) == pytest.approx(1.0)
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([3.0, 1.0, 2.0])) == pytest.approx(-0.5)
    assert spearman(np.array([1.0, 1.0]), np.array([1.0, 2.0])) is None
