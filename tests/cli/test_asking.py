"""What is said of a look that is asked for otherwise than the stored one."""

from dataclasses import replace

import pytest
from analytic import study

from mixtune.cli.asking import refuse_others
from mixtune.errors import StudyExists
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Search
from mixtune.searchers.listed import Entry, Listed
from mixtune.study import Study

EVEN = Recipe(Mixture({"good": 0.5, "useful": 0.5}))


def look(*entries: Entry) -> Study:
    return replace(study(), name="toy.audit", of="toy", search=Search(Listed.name, Listed.settings(entries, 1)))


def refused(stored: Study, wanted: Study) -> str:
    with pytest.raises(StudyExists) as told:
        refuse_others({"toy.audit": stored}, [wanted], "toy", " --db x")
    return str(told.value)


def test_other_sources_of_an_audit_are_told_with_both_lists() -> None:
    one, two = (Entry(f"without {name}", EVEN, {"source": name}) for name in ("good", "useful"))
    said = refused(look(one), look(one, two))
    assert "--top or --all (it changed good, now good, useful)" in said
    assert said.endswith("Ask as before, or remove what is there with `mixtune rm toy.audit --db x`")


def test_other_predictions_of_the_same_recipes_are_told_as_such() -> None:
    before, now = (Entry("without good", EVEN, {"source": "good", "predicted": {"law": each}}) for each in (0.1, 0.2))
    said = refused(look(before), look(now))
    assert "study 'toy' was searched on since, and predicts other effects" in said
    assert "Ask as before" not in said


def test_an_equal_look_is_not_refused() -> None:
    same = look(Entry("without good", EVEN, {"source": "good"}))
    refuse_others({"toy.audit": same}, [same], "toy", "")
