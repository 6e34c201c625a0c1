import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from ledger import STUDY, TUNED, Ledger
from rich.console import Console

from mixtune.measurement import Measurement
from mixtune.proposal import Role
from mixtune.recipe import Mixture, Recipe
from mixtune.report.document import document
from mixtune.report.summary import Summary
from mixtune.report.tables import bar, duration, flops, outside_lines, recipe_table, report, spark
from mixtune.search import Stopping
from mixtune.space import Space
from mixtune.trial import TrialState


def printed(summary: Summary) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=80).print(report(summary))
    return out.getvalue().splitlines()


def test_the_report_fits_80_columns_and_holds_the_numbers(judged: Callable[[float], Ledger]) -> None:
    lines = printed(judged(0.5).summary())
    assert max(len(line) for line in lines) <= 80
    small = next(line.split() for line in lines if line.strip().startswith("small"))
    assert small[0] == "small" and small[1] == "0.900" and small[3] == "0.250"
    assert small[-3:] == ["100%", "100", "28.8!"]
    overall = next(line for line in lines if line.strip().startswith("all (weighted)"))
    assert [word[:5] for word in overall.split() if word.startswith("0.")] == ["0.250", "0.455", "0.355", "0.655"]


def test_titles_and_captions_stand_in_one_line_each_apart_from_the_table_before(
    judged: Callable[[float], Ledger],
) -> None:
    lines = [line.rstrip() for line in printed(judged(0.5).summary())]
    caption = lines.index(f"epochs: passes over the kept rows in a final training of {STUDY.final.steps:,} steps")
    assert lines[caption + 1 : caption + 3] == ["", "Test ndcg@10, mean ± half of the 95 % interval"]


def test_long_names_cost_no_digit_at_80_columns() -> None:
    long = "a-source-with-a-name-of-forty-characters"
    big, small = STUDY.sources
    facts = STUDY.prepared.sources
    study = replace(
        STUDY,
        sources=(big, replace(small, name=long)),
        preparation=replace(
            STUDY.prepared, sources={"big": replace(facts["big"], rows=1_000_000), long: facts["small"]}
        ),
    )
    out = io.StringIO()
    Console(file=out, width=80).print(recipe_table(study, Recipe(Mixture({"big": 0.25, long: 0.75}))))
    text = out.getvalue()
    for word in ("0.250", "0.750", "1,000,000", "100%", "24.0", "…"):
        assert (word in text) is (word != "…")


def test_five_arms_fit_80_columns_with_all_their_digits(judged: Callable[[float], Ledger]) -> None:
    ledger = judged(0.5)
    for replicate in (0, 1):
        ledger.add(Role.ANCHOR, TUNED, 0.3, label="expert", replicate=replicate)
    lines = printed(ledger.summary())
    overall = next(line for line in lines if line.strip().startswith("all (weighted)"))
    assert overall.count("±.") == 5 and "…" not in "".join(lines)


def test_the_header_names_every_arm_in_full(judged: Callable[[float], Ledger]) -> None:
    text = "\n".join(printed(judged(0.5).summary()))
    for word in ("base model", "uniform", "proportional", "tuned", "epochs", "kept"):
        assert word in text
    assert "…" not in text


def test_the_report_answers_whether_it_beats_proportional_sampling(judged: Callable[[float], Ledger]) -> None:
    assert "Yes, tuning beats proportional sampling" in "\n".join(printed(judged(0.5).summary()))


def test_the_report_counts_what_the_cache_saved(judged: Callable[[float], Ledger]) -> None:
    assert "Cache        7 texts encoded, 8 tokenised, 9 reused" in printed(judged(0.5).summary())


def test_the_report_says_what_early_stopping_left_out() -> None:
    ledger = Ledger(study=replace(STUDY, stopping=Stopping(first=2)))
    for step in (10, 2, 6):
        ledger.add(Role.SEARCH, TUNED, 0.5)
        state = TrialState.COMPLETE if step == 10 else TrialState.PRUNED
        ledger.trials[-1] = replace(ledger.trials[-1], state=state, measurement=Measurement(step=step, score=0.5))
    ledger.add(Role.SEARCH, TUNED, state=TrialState.FAILED)
    summary = ledger.summary()
    assert "Stopping     2 of 3 runs ended early, 12 of 30 steps left out" in [
        line.rstrip() for line in printed(summary)
    ]
    assert document(summary)["stopping"] == {
        "first": 2,
        "reduction": 3,
        "pruned": 2,
        "runs": 3,
        "spared_steps": 12,
        "planned_steps": 30,
    }


def test_without_early_stopping_nothing_is_said_of_it(judged: Callable[[float], Ledger]) -> None:
    summary = judged(0.5).summary()
    assert not [line for line in printed(summary) if line.startswith("Stopping")]
    assert document(summary)["stopping"] is None


def test_a_study_without_any_result_can_be_reported(opened: Ledger) -> None:
    opened.recommended = None
    assert "Nothing to recommend yet." in "\n".join(printed(opened.summary()))


@pytest.mark.parametrize("share, text", [(0, ""), (1, "████"), (0.5, "██"), (0.125, "▌"), (2, "████")])
def test_a_bar_is_as_long_as_its_share(share: float, text: str) -> None:
    assert bar(share, 4) == text


def test_the_heaviest_source_has_a_full_block() -> None:
    assert spark(TUNED.mixture, ("small", "big", "absent")) == "█▁ "


@pytest.mark.parametrize("count, text", [(3, "3 FLOP"), (2.5e9, "2.50 GFLOP"), (1e13, "10.00 TFLOP")])
def test_operations_have_a_prefix(count: float, text: str) -> None:
    assert flops(count) == text


@pytest.mark.parametrize("seconds, text", [(0.44, "0.4 s"), (59, "59 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")])
def test_times_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_baseline_outside_the_space_says_which_bound_it_breaks(judged: Callable[[float], Ledger]) -> None:
    ledger = judged(0.1)
    ledger.study = replace(ledger.study, space=Space(cap={"big": 0.6}))
    assert list(outside_lines(ledger.summary())) == ["proportional lies outside the space: big 0.75 above its cap 0.6"]
    assert any("proportional lies outside the space" in line for line in printed(ledger.summary()))


def test_baselines_within_the_space_have_no_footnote(judged: Callable[[float], Ledger]) -> None:
    assert list(outside_lines(judged(0.1).summary())) == []
