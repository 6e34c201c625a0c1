from dataclasses import replace

import pytest
from planted import World, explore, planted_study, recommended, survey

from mixtune.errors import SearchExhausted
from mixtune.measurement import Measurement
from mixtune.searchers.crisp import CRISP
from mixtune.space import Space

FOUND = {"t0": {"s0": 0.5, "s1": 0.5, "s2": 0.0}, "t1": {"s0": 0.1, "s1": 0.0, "s2": 0.9}}
OTHERS = {"t0": {"s1": 1.0}, "t1": {"s1": 1.0}}


def test_weights_are_the_shares_of_clusters_averaged_over_targets_by_their_weights() -> None:
    study = planted_study(3, space=Space(floor=dict.fromkeys(("s0", "s1", "s2"), 0.0)))
    study = replace(study, targets=(replace(study.targets[0], weight=3.0), study.targets[1]))
    found = [replace(survey(study), measurement=Measurement(clusters=FOUND, neighbours=OTHERS))]
    assert CRISP().recommend(study, found).mixture.array(study.names) == pytest.approx([0.4, 0.375, 0.225])


def test_it_runs_once_and_finds_the_homes() -> None:
    world = World(planted_study(6))
    assert len(explore(CRISP(), world, 5)) == 2
    mixture = recommended(CRISP(), world, 1)
    assert mixture["s0"] == pytest.approx(0.5, abs=0.01) and mixture["s1"] == pytest.approx(0.5, abs=0.01)


def test_a_survey_that_looked_for_neighbours_alone_ends_the_search() -> None:
    study = planted_study(3)
    found = [replace(survey(study), measurement=Measurement(neighbours=OTHERS))]
    with pytest.raises(SearchExhausted, match="crisp has no survey that found any"):
        CRISP().suggest(study, found, study.rng(1))
