import numpy as np
import pytest
from planted import World, explore, planted_study

from mixtune.searchers.blackbox import Point
from mixtune.searchers.cube import dimensions, point_in, position_of
from mixtune.searchers.qmc import QMC
from mixtune.space import SimplexMapping, Space

STUDY = planted_study(2, space=Space(levels={"s1": (0.25, 1.0, 0.5, 0.75)}, shared_levels=(0.5,)))


def test_a_choice_of_levels_is_one_side_more() -> None:
    assert dimensions(STUDY) == 3
    assert dimensions(planted_study(4, space=Space(mapping=SimplexMapping.STICK))) == 3


@pytest.mark.parametrize(
    ("side", "level"), [(0.0, 1.0), (0.24, 1.0), (0.26, 0.75), (0.6, 0.5), (0.76, 0.25), (1.0, 0.25)]
)
def test_levels_share_their_side_in_order(side: float, level: float) -> None:
    point = point_in(STUDY, [0.25, 1.0, side])
    assert point.coordinates == (-2.0, 4.0)
    assert point.options == {"keep.s1": level}


def test_a_position_comes_back_from_its_trial() -> None:
    for trial in explore(QMC(), World(STUDY), 5)[1:]:
        point = Point.of(trial)
        assert point_in(STUDY, position_of(STUDY, point)) == point
        assert point.sides


def test_a_level_without_a_side_lies_in_the_middle_of_its_part() -> None:
    assert position_of(STUDY, Point((0.0, -4.0), {"keep.s1": 0.75})) == pytest.approx([0.5, 0.0, 0.375])


def test_a_position_outside_is_brought_to_the_edge() -> None:
    assert np.array_equal(position_of(STUDY, point_in(STUDY, [-1.0, 2.0, 1.5])), [0.0, 1.0, 1.0])
