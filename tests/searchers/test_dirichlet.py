import numpy as np
import pytest

from mixtune.searchers.dirichlet import STRENGTHS, Around


def test_strengths_are_those_of_the_authors() -> None:
    assert (STRENGTHS[0], STRENGTHS[-1], len(STRENGTHS)) == (pytest.approx(0.1), pytest.approx(5.0), 15)


def test_the_centre_is_the_square_root_of_the_prior() -> None:
    prior = np.array([0.64, 0.2, 0.16])
    assert Around(prior).centre == pytest.approx(np.sqrt(prior) / np.sqrt(prior).sum())


def test_the_centre_keeps_below_half_of_a_limit() -> None:
    around = Around(np.array([0.9998, 1e-4, 1e-4]))
    assert around.limit == pytest.approx([1.0, 0.0015, 0.0015])
    assert around.centre == pytest.approx([0.9985, 0.00075, 0.00075])


@pytest.mark.parametrize("sources", [1, 2, 16, 200])
def test_no_entry_is_above_fifteen_times_its_prior(sources: int) -> None:
    prior = np.arange(1.0, sources + 1) ** -2
    around, rng = Around(prior / prior.sum()), np.random.default_rng(0)
    for strength in STRENGTHS[::7]:
        drawn = around.draw(rng, float(strength), 200)
        assert len(drawn) > 0 and drawn.sum(axis=1) == pytest.approx(1.0)
        assert (drawn <= around.limit * (1 + 1e-6)).all()


def test_a_small_strength_puts_nearly_all_weight_on_one_source() -> None:
    around, rng = Around(np.full(4, 0.25)), np.random.default_rng(0)
    sparse, tame = (around.draw(rng, strength, 500).max(axis=1).mean() for strength in (0.1, 5.0))
    assert sparse > 0.95 and tame < 0.8
