import pytest
from ledger import TUNED

from mixtune.batching import Batching
from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Recipe
from mixtune.report.options import chosen, recipe_document, recipe_lines, space_document, space_lines
from mixtune.space import Space
from mixtune.store.codec import from_json

OPEN = Space(
    schedule=Schedule(),
    keep_least=32,
    batching=Batching(topics=0),
    choices={"query_end": (5.0, 8.0), "dynamic": (0.0, 1.0), "topics": (0.0, 200.0)},
)


def recipe(pruning: Pruning | None = None, batching: Batching | None = None) -> Recipe:
    return Recipe(TUNED.mixture, pruning or Pruning(), batching or Batching())


def test_chosen_options_are_read_off_a_recipe() -> None:
    on = recipe(Pruning(schedule=Schedule(query_end=8)))
    assert chosen(OPEN, on) == {"query_end": 8.0, "dynamic": 1.0, "topics": 0.0}
    assert chosen(OPEN, recipe(batching=Batching(topics=200))) == {"dynamic": 0.0, "topics": 200.0}
    assert chosen(Space(), on) == {}


def test_a_recipe_in_json_holds_its_schedule_batching_and_options() -> None:
    data = recipe_document(OPEN, recipe(Pruning(schedule=Schedule(query_end=8), least=32)))
    assert data["schedule"] == {
        "method": "dynamic",
        "query_end": 8,
        "cutoff_end": 0.5,
        "strength": 5.0,
        "refresh": 0,
    }
    assert data["keep_least"] == 32
    assert data["batching"] == {"topics": 0, "clusters": 1, "margin_bins": 1, "mixed": False}
    assert data["options"] == {"query_end": 8.0, "dynamic": 1.0, "topics": 0.0}
    assert recipe_document(Space(), recipe())["schedule"] is None


@pytest.mark.parametrize(
    "made, lines",
    [
        (recipe(), []),
        (
            recipe(Pruning(schedule=Schedule(refresh=50))),
            ["Pruning: dynamic (query_end 5, cutoff_end 0.5, strength 5, refreshed every 50 steps)"],
        ),
        (recipe(Pruning(schedule=Schedule("infobatch"))), ["Pruning: infobatch"]),
        (
            recipe(batching=Batching(topics=200, clusters=2, margin_bins=10)),
            [
                "Batches: topics of about 200 queries, 2 a batch; pairs balanced over 10 bins of the teacher's margin",
            ],
        ),
        (recipe(batching=Batching(mixed=True)), ["Batches: rows of all sources, weights are those of the loss"]),
    ],
)
def test_a_recipe_in_words_says_what_is_not_as_usual(made: Recipe, lines: list[str]) -> None:
    assert list(recipe_lines(made)) == lines


def test_a_space_in_words_says_what_is_searched() -> None:
    assert list(space_lines(OPEN)) == [
        ("Pruning", "none | dynamic (searched), query_end 5 | 8 (searched), cutoff_end 0.5, strength 5"),
        ("", "no source below 32 pairs"),
        ("Batching", "topics 0 | 200 (searched), clusters 1, margin_bins 1"),
    ]
    assert list(space_lines(Space(keep_least=9))) == [("Pruning", "no source below 9 pairs")]
    assert list(space_lines(Space(schedule=Schedule("infobatch")))) == [("Pruning", "infobatch")]
    assert list(space_lines(Space())) == []


def test_a_space_in_json_holds_what_is_fixed_and_what_is_open() -> None:
    data = space_document(OPEN)
    assert data["choices"] == {"query_end": [5.0, 8.0], "dynamic": [0.0, 1.0], "topics": [0.0, 200.0]}
    assert data["keep_least"] == 32 and data["schedule"]["method"] == "dynamic"  # type: ignore[index, call-overload]


def test_a_recipe_from_before_schedules_and_topics_is_told_as_usual() -> None:
    old = from_json(Recipe, {"mixture": {"weights": {"big": 1.0}}, "pruning": {"kept": {"big": 0.5}}})
    assert list(recipe_lines(old)) == [] and recipe_document(Space(), old)["schedule"] is None
    assert list(space_lines(from_json(Space, {"mapping": "softmax", "shared_levels": [0.5, 1]}))) == []
