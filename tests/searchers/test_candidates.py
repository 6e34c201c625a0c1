import numpy as np
import pytest
from planted import planted_study

from mixtune.recipe import Mixture
from mixtune.searchers import candidates as drawing
from mixtune.searchers.candidates import candidate_features, draw_candidates, features_of, into_space
from mixtune.space import Space

NONE = dict.fromkeys((f"s{index}" for index in range(8)), 0.0)
"""Floors of 0: without the default one, which is left to the proposal."""

SPACES = {
    "free": Space(floor=NONE),
    "floors": Space(floor={"s1": 0.2, "s3": 0.1}),
    "caps": Space(floor=NONE, cap={"s0": 0.05, "s5": 0.3, "s7": 0.1}),
    "both": Space(floor={"s1": 0.05}, cap={"s0": 0.05, "s6": 0.2}),
    "few": Space(floor=NONE, at_most=3, must_include=("s2",)),
}


@pytest.mark.parametrize("space", SPACES)
def test_many_mixtures_are_brought_into_the_space_as_one_is(space: str) -> None:
    study = planted_study(8, space=SPACES[space])
    weights = np.random.default_rng(0).dirichlet(np.full(8, 0.5), 100)
    expected = [study.recipe(Mixture.from_array(study.names, row)).mixture.array(study.names) for row in weights]
    assert into_space(study, weights.astype(np.float32)) == pytest.approx(np.array(expected), abs=1e-3)


def test_features_are_weights_and_options_from_least_to_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "CANDIDATES", 150)
    study = planted_study(3, space=Space(shared_levels=(0.5, 1.0, 0.25)))
    recipe = study.recipe(study.proportional())
    assert features_of(study, recipe, {"keep": 0.5}) == pytest.approx([*recipe.mixture.array(study.names), 1 / 3])
    parts = list(draw_candidates(study, study.proportional().array(study.names), np.random.default_rng(0)))
    features = np.concatenate([candidate_features(study, part) for part in parts])
    assert (features[:, :3] == np.concatenate([part.weights for part in parts])).all()
    assert sorted(set(features[:, 3].tolist())) == pytest.approx([0.0, 1 / 3, 1.0])


def test_the_number_drawn_is_the_papers() -> None:
    assert drawing.CANDIDATES == 100_000
