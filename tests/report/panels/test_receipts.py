from collections.abc import Mapping
from dataclasses import replace

import pytest
from ledger import PROPORTIONAL, STUDY, TUNED, UNIFORM, Ledger

from mixtune.measurement import Drawn, Measurement
from mixtune.proposal import Role
from mixtune.proxy import Final
from mixtune.pruning import Pruning, Schedule
from mixtune.report.epochs import epochs_caption, repeated_lines
from mixtune.report.panels.receipts import receipts, receipts_document, receipts_sheet
from mixtune.trial import Trial


def drew(trial: Trial, **batches: int) -> Trial:
    """The trial with a receipt over its ten steps."""
    assert trial.measurement is not None
    receipt: Mapping[str, Drawn] = {name: Drawn(n, 32 * n, 30 * n, n / 5) for name, n in batches.items()}
    return replace(trial, measurement=replace(trial.measurement, receipt=receipt))


def ledger() -> list[Trial]:
    found = Ledger()
    found.add(Role.ANCHOR, UNIFORM)
    found.add(Role.SEARCH, TUNED)
    found.add(Role.RERUN, TUNED, replicate=0)
    found.add(Role.RERUN, TUNED, replicate=1)
    found.add(Role.RERUN, PROPORTIONAL)  # judged before an extension, of another recipe
    anchor, search, first, second, old = found.trials
    return [
        drew(anchor, big=5, small=5),
        drew(search, big=1, small=9),
        drew(first, big=2, small=8),
        drew(second, small=10),
        drew(old, big=7, small=3),
    ]


def test_the_judged_runs_of_the_recommended_recipe_are_shown() -> None:
    found = receipts(STUDY, ledger(), TUNED)
    assert found is not None
    assert (found.checked, dict(found.outside), list(found.recommended)) == (5, {}, [2, 3])
    sheet = receipts_sheet(found)
    assert sheet.right == ("asked", "bound", "drawn", "rows", "unique", "epochs")
    # small was asked for 9 of 10 batches and drawn 8 and 10 times; its rows are 256 and 320.
    assert sheet.rows[0] == ("small", "9.0", "5-10", "8 10", "288", "270", "1.80")
    assert sheet.rows[1][3] == "2 0"
    assert sheet.lines == ("All 5 receipts lie within the bounds of chance (99.9% for a whole run).",)


def test_a_trial_beyond_its_bound_is_warned_of() -> None:
    trials = ledger()
    trials[1] = drew(trials[1], big=9, small=1)
    found = receipts(STUDY, trials, TUNED)
    assert found is not None and list(found.outside) == [1]
    (line,) = receipts_sheet(found).lines
    assert "1 of 5 trials" in line and "trial 1: big 9 batches, bound 0-5, small 1 batches, bound 5-10" in line
    assert f"`mixtune trials {STUDY.name} --receipt 1`" in line
    document = receipts_document(found)
    assert document["outside"]["1"]["outside"] == ["big", "small"]  # type: ignore[index, call-overload]


def test_a_study_without_receipts_has_no_panel() -> None:
    found = Ledger()
    found.add(Role.SEARCH, TUNED)
    assert receipts(STUDY, found.trials, TUNED) is None


def test_pruned_pairs_have_a_column_where_there_are_any() -> None:
    trials = ledger()
    pruned = {"small": Drawn(10, 320, 60, 3.2, completed=3, pruned=40)}
    trials[3] = replace(trials[3], measurement=Measurement(receipt=pruned))
    found = receipts(STUDY, trials, TUNED)
    assert found is not None
    sheet = receipts_sheet(found)
    assert sheet.right[-1] == "pruned" and sheet.rows[0][-1] == "20"


def test_sources_that_the_final_training_repeats_too_often_are_named_with_the_key_that_caps_them() -> None:
    # 100 steps of 32: 3,200 rows; nine tenths of them over 100 rows are 28.8 epochs, a tenth over 300 about one.
    (line,) = repeated_lines(STUDY, TUNED)
    assert "more than 8 epochs" in line and "small 28.8." in line and "Set space.max_epochs to cap them." in line
    assert list(repeated_lines(replace(STUDY, final=Final(100, warn_epochs=30.0)), TUNED)) == []


def test_a_cap_that_is_set_is_named_with_its_value() -> None:
    capped = replace(STUDY, space=replace(STUDY.space, max_epochs=12.0))
    (line,) = repeated_lines(capped, TUNED)
    assert line.endswith("space.max_epochs (now 12) caps them.")


def test_the_caption_says_how_much_more_often_a_dynamic_schedule_shows_what_it_always_keeps() -> None:
    dynamic = replace(TUNED, pruning=Pruning(schedule=Schedule("dynamic")))
    assert "up to 1.6 times as often" in epochs_caption(STUDY, dynamic)


@pytest.mark.parametrize("schedule", [None, Schedule("infobatch")])
def test_the_caption_says_nothing_of_a_schedule_that_is_not_dynamic(schedule: Schedule | None) -> None:
    recipe = replace(TUNED, pruning=Pruning(schedule=schedule))
    assert epochs_caption(STUDY, recipe) == "epochs: passes over the kept rows in a final training of 100 steps"


def test_the_cap_leaves_nothing_to_warn_of() -> None:
    capped = replace(STUDY, space=replace(STUDY.space, max_epochs=12.0), final=Final(100, warn_epochs=12.0))
    recipe = capped.recipe(TUNED.mixture)
    assert capped.epochs(recipe)["small"] <= 12 + 1e-9
    assert list(repeated_lines(capped, TUNED)) and not list(repeated_lines(capped, recipe))
