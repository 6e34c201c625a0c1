import numpy as np
import pytest

from mixtune.searchers.law import Law, fit_law


def mixtures(n: int, sources: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(sources, 0.5), n)


def test_a_law_recovers_its_own_parameters() -> None:
    law = Law(0.3, 0.2, np.array([1.5, -2.0, 0.5, 0.0]))
    weights = mixtures(40, 4)
    found = fit_law(weights, law(weights), ridge=1e-9)
    assert found.c == pytest.approx(0.3, abs=1e-3)
    assert found.k * np.exp(found.t) == pytest.approx(0.2 * np.exp(law.t), abs=1e-3)
    assert found.t - found.t.mean() == pytest.approx(law.t - law.t.mean(), abs=0.01)


def test_shifts_of_t_are_the_same_law_and_the_least_is_taken() -> None:
    shifted = Law(0.3, 0.2 * np.exp(-1.0), np.array([1.5, -2.0, 0.5, 0.0]) + 1.0)
    weights = mixtures(40, 4)
    found = fit_law(weights, shifted(weights), ridge=1e-4)
    assert abs(found.t.mean()) < 0.1
    assert found(mixtures(50, 4, 1)) == pytest.approx(shifted(mixtures(50, 4, 1)), abs=2e-3)


def test_a_law_by_hand() -> None:
    law = Law(1.0, 2.0, np.array([np.log(3.0), 0.0]))
    assert law(np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])) == pytest.approx([7.0, 3.0, 1 + 2 * np.sqrt(3)])


def test_equal_losses_give_a_constant() -> None:
    weights = mixtures(10, 3)
    assert fit_law(weights, np.full(10, 0.4))(mixtures(5, 3, 1)) == pytest.approx(np.full(5, 0.4))


def test_few_runs_of_many_sources_do_not_predict_beyond_what_was_seen() -> None:
    weights, rng = mixtures(16, 200), np.random.default_rng(3)
    losses = rng.normal(size=16)
    found = fit_law(weights, losses)(mixtures(500, 200, 1))
    assert found.min() > losses.min() - 1 and found.max() < losses.max() + 1


def test_a_fit_is_the_same_again() -> None:
    weights, losses = mixtures(20, 5), np.random.default_rng(1).normal(size=20)
    first, again = fit_law(weights, losses), fit_law(weights, losses)
    assert (first.c, first.k) == (again.c, again.k) and (first.t == again.t).all()
