import json

import pytest
from listing import look, runs
from pydantic import JsonValue as Json

from mixtune.report.looks.audit import Audit, Change, audit, audit_document, audit_sheets

STEPS = {"a": 0.03, "b": 0.02, "c": 0.01, "d": 0.0, "e": -0.01, "f": -0.02}
"""What 10 % more of each source adds to the score."""


def change(source: str, kind: Change, predicted: float, **more: Json) -> dict[str, Json]:
    return {"change": kind.value, "source": source, "predicted": {"influence": predicted}, **more}


def audited(sign: float = 1.0, seeds: int = 2, **outside: list[str]) -> Audit:
    """Two seeds; influence predicts each effect, or its opposite."""
    scores: dict[str, list[float | None]] = {"the recipe": [0.5, 0.52][:seeds]}
    notes: dict[str, dict[str, Json]] = {"the recipe": {"signals": ["influence"]}}
    for place, (source, step) in enumerate(STEPS.items()):
        wobble = 0.001 * (-1) ** place
        scores[f"+10 % {source}"] = [0.5 + step, 0.52 + step + wobble][:seeds]
        scores[f"without {source}"] = [0.5 - 2 * step, 0.52 - 2 * step - wobble][:seeds]
        own: list[Json] = list(outside.get(source, []))
        notes[f"+10 % {source}"] = change(source, Change.MORE, sign * step, outside=own)
        notes[f"without {source}"] = change(source, Change.WITHOUT, -sign * step)
    found = audit(look("audit"), runs(scores, notes))
    assert found is not None
    return found


def test_effects_are_paired_with_the_recipe_itself() -> None:
    effect = audited().sources["a"].effects[Change.MORE]
    assert effect.overall.value == pytest.approx(0.0305)
    assert effect.overall.half is not None and effect.overall.beyond_noise
    assert effect.targets["easy"].value == pytest.approx(0.0305)
    assert effect.predicted == {"influence": 0.03}
    assert audited().level == pytest.approx(0.51)


def test_a_signal_that_predicts_right_has_correlation_one() -> None:
    told = audited().correlations["influence"]
    assert [told[change].value for change in Change] == [1, 1]  # type: ignore[union-attr]


def test_a_signal_that_predicts_the_opposite_has_minus_one() -> None:
    told = audited(sign=-1).correlations["influence"]
    assert [told[change].value for change in Change] == [-1, -1]  # type: ignore[union-attr]


def test_few_sources_are_no_correlation() -> None:
    notes: dict[str, dict[str, Json]] = {
        "the recipe": {"signals": ["law"]},
        "without a": change("a", Change.WITHOUT, 1.0),
    }
    found = audit(look("audit"), runs({"the recipe": [0.5], "without a": [0.4]}, notes))
    assert found is not None
    assert found.correlations == {"law": {Change.WITHOUT: None, Change.MORE: None}}
    assert found.sources["a"].effects.keys() == {Change.WITHOUT}


def test_the_table_shows_predicted_beside_measured() -> None:
    table, targets, told = audit_sheets(look("audit"), audited())
    assert table.right == ("weight", "without it", "predicted", "+10 %", "predicted")
    assert table.rows[0] == ("a", "0.000", "-0.0605", "-0.03", "+0.0305", "+0.03")
    assert "ndcg@10 on dev (the recipe: 0.5100), each ± 0.00" in table.caption
    assert "by influence of probes" in table.caption
    assert targets.rows[0] == ("a", "-0.0605", "-0.0605", "-0.0605")
    assert [row[:3] for row in told.rows] == [("influence", "without it", "+1.00"), ("influence", "+10 %", "+1.00")]


def test_what_is_beyond_noise_is_named_beside_what_chance_alone_would_give() -> None:
    lines = next(iter(audit_sheets(look("audit"), audited()))).lines
    assert "Taking out hurts, beyond noise: a, b, c." in lines
    assert "Taking out helps, beyond noise: e, f." in lines
    assert "More helps, beyond noise: a, b, c." in lines
    assert "More hurts, beyond noise: e, f." in lines
    assert any(line.startswith("10 of 12 changes lie beyond noise; by chance alone about 0.6 would.") for line in lines)


def test_a_change_that_the_space_forbids_is_marked() -> None:
    sheet = next(iter(audit_sheets(look("audit"), audited(a=["a 0.6 above its cap 0.5"]))))
    assert sheet.rows[0][4].endswith("*")
    assert "* not allowed by the study's space: +10 % of a (a 0.6 above its cap 0.5)." in sheet.lines


def test_one_seed_says_that_it_tells_no_noise() -> None:
    sheet = next(iter(audit_sheets(look("audit"), audited(seeds=1))))
    assert "One seed tells no noise: --seeds 3 does." in sheet.lines
    assert "one seed: no interval" in sheet.caption and "95 %" not in sheet.caption
    assert "±" not in sheet.caption


def test_a_study_without_signals_is_audited_all_the_same() -> None:
    notes: dict[str, dict[str, Json]] = {
        "the recipe": {"signals": []},
        "without a": {"change": "without", "source": "a", "predicted": {}},
    }
    found = audit(look("audit"), runs({"the recipe": [0.5], "without a": [0.4]}, notes))
    assert found is not None
    table, *_, told = audit_sheets(look("audit"), found)
    assert table.rows == (("a", "0.000", "-0.1000", "-", "-", "-"),)
    assert told.lines == ("The study measured nothing that predicts the effect of a source.",)


def test_json_has_all_of_it() -> None:
    document = json.loads(json.dumps(audit_document(audited())))
    effect = document["sources"]["a"]["effects"]["more"]
    assert effect["overall"]["value"] == pytest.approx(0.0305)
    assert effect["predicted"] == {"influence": 0.03}
    assert document["correlations"]["influence"]["without"]["value"] == 1


def test_without_the_recipe_itself_there_is_no_audit() -> None:
    assert audit(look("audit"), runs({"without a": [0.5]})) is None
