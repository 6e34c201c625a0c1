"""The smaller panels, and how a report shows them."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from ledger import STUDY, TUNED, UNIFORM, Ledger
from rich.console import Console

from mixtune.contamination import Contamination, Overlap, Shared
from mixtune.measurement import Alignment, Cost, Drawn, Influence, Measurement
from mixtune.proposal import Probe, Proposal, Role
from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Mixture, Recipe
from mixtune.report.document import document
from mixtune.report.panels.aligned import aligned, aligned_sheet
from mixtune.report.panels.completed import completed, completed_sheet, without_effect
from mixtune.report.panels.fitted import fitted, fitted_sheet
from mixtune.report.panels.influences import Standing, standings, standings_sheet
from mixtune.report.panels.remarked import remarked, remarked_sheet
from mixtune.report.sheet import SHOWN, cut
from mixtune.report.tables import cost_lines, panels_report
from mixtune.target import Target
from mixtune.trial import Trial, TrialState


def trial(number: int, measurement: Measurement | None = None, **proposal: object) -> Trial:
    values = {"recipe": TUNED, "steps": 10, "role": Role.SEARCH} | proposal
    state = TrialState.RUNNING if measurement is None else TrialState.COMPLETE
    return Trial(number, Proposal(**values), 0, state=state, measurement=measurement)  # type: ignore[arg-type]


def facing(easy: float, hard: float, norm: float = 2.0) -> Alignment:
    return Alignment({"easy": easy, "hard": hard}, {"easy": 0.0, "hard": 0.0}, norm)


def test_alignment_is_the_mean_over_the_runs_that_measured_it() -> None:
    trials = [
        trial(0, Measurement(alignment={"big": facing(0.2, 0.4), "small": facing(-0.2, 0.0)})),
        trial(1, Measurement(alignment={"big": facing(0.4, 0.6, norm=4.0)})),
        trial(2, Measurement()),
    ]
    found = aligned(STUDY, trials)
    assert found["big"].cosine == pytest.approx({"easy": 0.3, "hard": 0.5})
    assert (found["big"].overall, found["big"].norm, found["big"].runs) == pytest.approx((0.4, 3.0, 2))
    assert found["small"].runs == 1 and found["small"].weight == 0.9
    sheet = aligned_sheet(STUDY, found)
    assert sheet.right == ("all", "easy", "hard", "norm", "runs", "weight")
    assert sheet.rows[0] == ("big", "+0.400", "+0.300", "+0.500", "3", "2", "0.100")


def test_of_many_targets_the_lowest_and_the_highest_cosine_are_shown() -> None:
    targets = tuple(Target(name, "docstrings", name) for name in ("a", "b", "c", "d"))
    study = replace(STUDY, targets=targets)
    cosine = {"a": 0.1, "b": -0.3, "c": 0.6, "d": 0.0}
    found = aligned(study, [trial(0, Measurement(alignment={"big": Alignment(cosine, {}, 1.0)}))])
    assert aligned_sheet(study, found).rows == (("big", "+0.100", "-0.300", "+0.600", "1", "1", "0.100"),)


NOTES = {"weights": [0.3, 0.7], "influence": [0.0123, None], "error": [0.004, None], "visits": [3, 0]}


def test_influences_are_those_of_the_last_proposal() -> None:
    early = {**NOTES, "influence": [0.5, 0.5]}
    trials = [trial(0, role=Role.ROUND, notes=early), trial(1, role=Role.ROUND, notes=NOTES), trial(2)]
    found = standings(STUDY, trials)
    assert found is not None
    number, arms = found
    assert (number, list(arms)) == (1, ["big", "small"])
    assert standings_sheet(number, arms).rows == (
        ("big", "+1.23%", "0.40%", "3", "0.300"),
        ("small", "-", "-", "0", "0.700"),
    )


def test_influences_of_keep_levels_go_by_their_arms() -> None:
    notes = {key: [*values, values[0]] for key, values in NOTES.items()} | {"arms": ["big@0.5", "big@1.0", "small"]}
    found = standings(STUDY, [trial(0, role=Role.ROUND, notes=notes)])
    assert found is not None and list(found[1]) == ["big@0.5", "big@1.0", "small"]


def test_a_search_that_notes_no_influences_has_no_such_panel() -> None:
    assert standings(STUDY, [trial(0, notes={"coordinates": [1.0]}), trial(1, role=Role.ROUND)]) is None


SCHEDULED = Recipe(TUNED.mixture, Pruning(schedule=Schedule()))


def drawn(big: int, small: int) -> Measurement:
    return Measurement(
        receipt={
            "big": Drawn(10, 320, 200, 1.1, completed=big, pruned=40),
            "small": Drawn(2, 64, 30, 0.6, completed=small, pruned=10),
        }
    )


def test_epochs_of_a_schedule_are_means_over_the_recommended_recipes_fresh_runs() -> None:
    other = Recipe(UNIFORM.mixture, Pruning(schedule=Schedule()))
    trials = [
        trial(0, drawn(9, 9), recipe=other),
        trial(1, drawn(2, 0), recipe=SCHEDULED),
        trial(2, drawn(1, 1), recipe=SCHEDULED),
        trial(3, drawn(9, 9), recipe=SCHEDULED, parent=2),
    ]
    found = completed(STUDY, trials, SCHEDULED)
    assert (found["big"].epochs, found["small"].epochs, found["big"].runs) == (1.5, 0.5, 2)
    assert without_effect(found) == ["small"]
    sheet = completed_sheet(found)
    assert sheet.rows == (("big", "1.5", "40", "320", "2"), ("small", "0.5", "10", "64", "2"))
    assert sheet.lines == ("Below 1: the schedule had no effect on small.",)


def test_without_runs_of_the_recommended_recipe_all_with_a_schedule_count() -> None:
    found = completed(STUDY, [trial(0, drawn(2, 1), recipe=SCHEDULED), trial(1, drawn(8, 8), recipe=TUNED)], TUNED)
    assert found["big"].epochs == 2.0 and completed_sheet(found).lines == ()


def test_a_study_without_a_schedule_has_no_such_panel() -> None:
    assert completed(STUDY, [trial(0, Measurement(receipt={"big": Drawn(1, 8, 8, 0.1)}))], TUNED) == {}


FIT = {
    "model": "law",
    "runs": 16,
    "scores_std": 0.008,
    "out_of_fold": {"law": {"rmse": 0.0042, "spearman": 0.71}, "lightgbm": {"rmse": 0.006, "spearman": None}},
}


def test_the_error_of_a_regression_stands_beside_what_scores_vary_by() -> None:
    found = fitted([trial(0), trial(1, notes=FIT), trial(2, notes={"options": {}})])
    assert found is not None
    sheet = fitted_sheet(found)
    assert sheet.title == "Fit behind trial 1: law on 16 runs"
    assert sheet.rows == (("law", "0.0042", "+0.71"), ("lightgbm", "0.0060", "-"))
    assert "standard deviation is 0.0080" in sheet.caption


def test_an_error_that_could_not_be_told_is_a_dash() -> None:
    found = fitted([trial(0, notes={**FIT, "out_of_fold": {"law": None}})])
    assert found is not None and fitted_sheet(found).rows == (("law", "-", "-"),)


def test_a_remark_is_said_once_with_the_runs_that_made_it() -> None:
    trials = [
        trial(0, Measurement(remarks=("short", "short"))),
        trial(1, Measurement(remarks=("long", "short"))),
        trial(2),
    ]
    found = remarked(trials)
    assert found == {"short": (0, 1), "long": (1,)}
    assert remarked_sheet(found).lines == ("2 trials from 0 on: short", "trial 1: long")


def test_of_many_remarks_the_rest_is_counted() -> None:
    found = {f"remark {number}": (number,) for number in range(11)}
    lines = remarked_sheet(found).lines
    assert len(lines) == 6 and lines[-1] == "and 6 more (--json has them all)"


def test_long_panels_are_cut_and_say_so() -> None:
    rows, said = cut([(str(number),) for number in range(SHOWN + 5)], "targets")
    assert len(rows) == SHOWN and said == ("and 5 more targets (in full with --json or --format csv)",)
    assert cut([("x",)] * (SHOWN + 1), "choices")[1] == ("and 1 more choice (in full with --json or --format csv)",)


def test_a_table_with_two_ends_keeps_both_and_counts_what_is_between() -> None:
    rows, said = cut([(str(number),) for number in range(25)], "sources", ends=True)
    assert [int(row[0]) for row in rows] == [*range(10), *range(15, 25)]
    assert said[0].startswith("and 5 more sources, between the first 10 and the last 10 (")


def test_the_most_harmful_source_is_shown_before_those_that_were_never_probed() -> None:
    known = {f"s{place}": Standing(-0.01 * place, 0.001, 2, 0.1) for place in range(25)}
    unknown = {f"u{place}": Standing(None, None, 0, 0.1) for place in range(3)}
    shown = standings_sheet(0, {**unknown, **known})
    assert [shown.rows[0][0], shown.rows[-1][0]] == ["s0", "s24"] and len(shown.lines) == 2
    few = standings_sheet(0, {**unknown, "s1": known["s1"]})
    assert [row[0] for row in few.rows] == ["s1", "u0", "u1", "u2"] and few.lines == ()


def shown(ledger: Ledger) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(panels_report(ledger.summary()))
    return out.getvalue()


def test_a_study_without_any_of_it_shows_no_panel() -> None:
    empty = Ledger(recommended=None)
    assert shown(empty).strip() == ""
    panels = document(empty.summary())["panels"]
    assert isinstance(panels, dict) and panels.pop("test_read") and not any(panels.values())


def test_every_panel_of_a_study_is_shown_within_80_columns_and_in_the_json(judged: Callable[[float], Ledger]) -> None:
    ledger, found = judged(0.5), drawn(0, 1)
    shared = Contamination({"big": {"easy": Overlap(dev_queries=Shared(1200, 300), negatives=Shared(5))}})
    ledger.study = replace(STUDY, preparation=replace(STUDY.prepared, contamination=shared))
    metrics = {name: {"ndcg@10": 0.5} for name in ("easy", "hard")}
    found = replace(found, dev=metrics, dev_loss={"easy": 1.0, "hard": 2.0}, remarks=("the batch was small",))
    found = replace(found, alignment={"big": facing(0.2, 0.4)}, cost=Cost(train=3e9, probe=2e9, dev=1e9))
    rule = {"proxy_loss": (1.0, 2.0), "reference_loss": (1.0, 1.0), "log_w": (0.0, 0.0), "seen": (1.0, 1.0)}
    ledger.trials.append(trial(len(ledger.trials), replace(found, rule=rule), role=Role.ROUND, notes={**NOTES, **FIT}))
    survey = ledger.trials[0]
    ledger.trials[0] = replace(survey, measurement=replace(survey.measurement, matched={"big": 1.0, "small": 0.3}))  # type: ignore[type-var]
    told = {f"small@{level}": Influence(level, 0.1) for level in (0.1, 0.2, 0.3, 0.4)}
    for split in (0, 1):
        probe = Probe(("small",) * 4, 2, levels=(0.1, 0.2, 0.3, 0.4), split=split, splits=2)
        guided = replace(found, influence=told, score=0.5)
        ledger.trials.append(trial(len(ledger.trials), guided, role=Role.ROUND, probe=probe, notes=NOTES))
    ledger.trials.append(trial(len(ledger.trials), found, recipe=SCHEDULED, role=Role.REFERENCE))
    for share in (0.1, 0.2, 0.3, 0.4, 0.5):
        part = Measurement(score=share, dev_parts=(share, share, 0.0, 0.1))
        recipe = Recipe(Mixture({"big": share, "small": 1 - share}))
        ledger.trials.append(trial(len(ledger.trials), part, recipe=recipe))
    ledger.add(Role.FINALIST, TUNED, 0.4)
    ledger.trials = [
        replace(each, measurement=replace(each.measurement, dev_signal=(0.5, 0.4))) if each.measurement else each
        for each in ledger.trials
    ]
    text = shown(ledger)
    for word in (
        "Noise floor: runs of one recipe",
        "Recipes within noise of the best",
        "The best of the search on dev, run again on new seeds",
        "Winner's curse: dev",
        "Dev overfitting: the best of",
        "Dev overfitting: over proportional sampling the recipe gains",
        "Matched pairs: how many the base model finds to belong together",
        "Warning: small gets 0.900 of the batches",
        "No sign of dev overfitting",
        "Do parts of the dev queries agree?",
        "Headroom per source after trial",
        "Alignment: cosine of a source's gradient",
        "Influence per source, as trial",
        "Fit behind trial",
        "Pruning schedule: epochs completed",
        "Below 1: the schedule had no effect on big.",
        "Does dev loss track ndcg@10 on dev?",
        "too few",
        "4 trials from",
        "Receipts",
        "Do sources hold what dev and test are made of?",
        "Warning: rows hold dev or test queries",
    ):
        assert word in text
    assert max(len(line) for line in text.splitlines()) <= 80 and "…" not in text
    data = document(ledger.summary())
    assert isinstance(data["panels"], dict) and not [name for name, panel in data["panels"].items() if not panel]


def test_the_cost_of_a_search_says_what_it_went_into(opened: Ledger) -> None:
    opened.trials.append(trial(len(opened.trials), Measurement(cost=Cost(train=3e9, probe=2e9, dev=1e9, seconds=1.0))))
    reference = Measurement(cost=Cost(train=5e8))
    opened.trials.append(trial(len(opened.trials), reference, role=Role.REFERENCE))
    data = document(opened.summary())["cost"]
    assert isinstance(data, dict)
    assert data["search_parts_flops"] == {"train": 3.5e9, "probe": 2e9, "dev": 1e9}
    assert data["reference_flops"] == 5e8
    lines = list(cost_lines(opened.summary()))
    assert lines[1:3] == [
        "  on what    training 3.50 GFLOP, signals 2.00 GFLOP, dev 1.00 GFLOP",
        "  of which   500.00 MFLOP in reference runs",
    ]
