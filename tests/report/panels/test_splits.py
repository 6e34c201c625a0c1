"""Dev overfitting from parts of the dev queries, by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.report.panels.splits import splits, splits_document
from mixtune.trial import Trial, TrialState


def searched(rows: Sequence[Sequence[float]]) -> list[Trial]:
    """One complete search trial for each row of scores on parts."""
    return [
        Trial(
            number,
            Proposal(Recipe(Mixture({"big": number / 1000, "small": 1 - number / 1000})), 10, Role.SEARCH),
            seed=number,
            state=TrialState.COMPLETE,
            measurement=Measurement(score=float(np.mean(row)), dev_parts=tuple(row)),
        )
        for number, row in enumerate(rows)
    ]


def test_each_part_is_left_out_once_and_the_best_of_the_others_is_looked_at_there() -> None:
    found = splits(searched([(1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)]))
    assert found is not None
    # Part 0 left out: the second recipe is the best on part 1 (lead .8), and lies at -.2 on part 0; and the reverse.
    assert (found.chosen, found.held) == (pytest.approx((0.8, 0.8)), pytest.approx((-0.2, -0.2)))
    assert found.lost == pytest.approx((1.0, 1.0))
    assert "+1.0000 did not carry over" in found.sentence
    assert splits_document(found)["lost"] == pytest.approx([1.0, 1.0])


def test_a_recipe_that_is_better_on_all_queries_loses_nothing() -> None:
    found = splits(searched([(value,) * 4 for value in (0.1, 0.2, 0.3, 0.4, 0.5)]))
    assert found is not None and found.lost == pytest.approx((0.0,) * 4)


def test_noise_of_queries_shows_in_full() -> None:
    rng = np.random.default_rng(0)
    found = [splits(searched(rng.normal(size=(16, 4)).tolist())) for _ in range(200)]
    # The highest of 16 means over three parts leads by 1.766 / sqrt(3); the part left out knows nothing of it.
    assert np.mean([each.chosen for each in found if each]) == pytest.approx(1.766 / 3**0.5, abs=0.05)
    assert np.mean([each.held for each in found if each]) == pytest.approx(0.0, abs=0.1)


def test_few_recipes_and_rounds_say_nothing() -> None:
    assert splits(searched([(0.1, 0.2)] * 4)) is None
    assert splits([Trial(0, Proposal(Recipe(Mixture({"big": 1.0})), 0, Role.SURVEY), 0)]) is None
