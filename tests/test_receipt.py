from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from mixtune.batching import Batching
from mixtune.measurement import Drawn, Measurement
from mixtune.preparation import Preparation
from mixtune.proposal import Proposal, Role, Rule
from mixtune.proxy import Proxy
from mixtune.pruning import Pruning, Schedule
from mixtune.receipt import ratios, realised, receipt_of
from mixtune.recipe import Mixture, Recipe
from mixtune.sampler import RecipeDraw
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.study import Study
from mixtune.target import Target
from mixtune.trial import Trial, TrialState

ROWS = {"a": 5000, "b": 300, "c": 10}

STUDY = Study(
    name="drawn",
    sources=tuple(Source(name, "docstrings", name) for name in ROWS),
    targets=(Target("t", "docstrings", "t"),),
    search=Search("random"),
    budget=Budget(trials=1),
    proxy=Proxy(steps=200, batch_size=16),
    preparation=Preparation("k", {name: SourceFacts(rows, rows, 1.0, "") for name, rows in ROWS.items()}, {}, 1.0),
)
ASKED = Recipe(Mixture({"a": 0.7, "b": 0.3, "c": 0.0}))


def trial(recipe: Recipe, drawn: dict[str, Drawn], *, steps: int = 200, rule: Rule | None = None) -> Trial:
    proposal = Proposal(recipe, steps, Role.ROUND if rule else Role.SEARCH, rule=rule)
    return Trial(0, proposal, 0, state=TrialState.COMPLETE, measurement=Measurement(steps, receipt=drawn))


def batches(**counts: int) -> dict[str, Drawn]:
    return {name: Drawn(count, 16 * count, min(16 * count, ROWS[name]), 1.0) for name, count in counts.items()}


def test_the_bound_is_that_of_scipys_binomial_shared_out_over_the_sources() -> None:
    found = receipt_of(STUDY, trial(ASKED, batches(a=140, b=60)))
    assert found is not None
    tail = 0.001 / 6  # three sources, two ends
    for name, weight in (("a", 0.7), ("b", 0.3)):
        line = found.lines[name]
        assert (line.low, line.high) == (binom.ppf(tail, 200, weight), binom.isf(tail, 200, weight))
        assert binom.cdf(line.low - 1, 200, weight) <= tail < binom.cdf(line.low, 200, weight)
        assert binom.sf(line.high, 200, weight) <= tail < binom.sf(line.high - 1, 200, weight)
    assert (found.lines["a"].expected, found.lines["b"].expected) == (140, 60)
    assert (found.unit, found.steps, found.total, found.outside) == ("batches", 200, 200, ())


def test_a_forged_receipt_is_marked() -> None:
    honest = receipt_of(STUDY, trial(ASKED, batches(a=140, b=60)))
    assert honest is not None
    low, high = honest.lines["b"].low, honest.lines["b"].high
    for count, outside in ((low, ()), (low - 1, ("b",)), (high, ()), (high + 1, ("b",))):
        found = receipt_of(STUDY, trial(ASKED, batches(a=140, b=count)))
        assert found is not None and found.outside == outside


def test_a_batch_from_a_source_without_weight_is_outside() -> None:
    found = receipt_of(STUDY, trial(ASKED, batches(a=140, b=59, c=1)))
    assert found is not None and found.outside == ("c",)
    assert (found.lines["c"].low, found.lines["c"].high) == (0, 0)


def test_a_source_that_the_study_does_not_have_is_outside() -> None:
    found = receipt_of(STUDY, trial(ASKED, {**batches(a=140, b=59), "stranger": Drawn(1, 16, 16, 1.0)}))
    assert found is not None and found.outside == ("stranger",)


def test_missing_batches_are_outside() -> None:
    found = receipt_of(STUDY, trial(ASKED, batches(a=70, b=30)))
    assert found is not None and found.outside == ("a", "b")


def test_the_sampler_stays_inside_and_a_wrong_one_does_not() -> None:
    rows = {name: np.arange(count) for name, count in ROWS.items()}
    asked = Mixture({"a": 0.55, "b": 0.35, "c": 0.1})
    for drawn_from, inside in ((asked, True), (Mixture({"a": 0.35, "b": 0.55, "c": 0.1}), False)):
        for seed in range(20):
            draw = RecipeDraw(rows, drawn_from, 16, seed)
            for _ in range(200):
                draw.draw()
            found = receipt_of(STUDY, trial(Recipe(asked), draw.receipt()))
            assert found is not None and (not found.outside) is inside


def test_of_many_honest_runs_fewer_than_one_in_a_thousand_is_marked() -> None:
    found = receipt_of(STUDY, trial(ASKED, batches(a=140, b=60)))
    assert found is not None
    drawn = np.random.default_rng(0).multinomial(200, ASKED.mixture.array(STUDY.names), size=20000)
    low, high = (np.array([getattr(line, end) for line in found.lines.values()]) for end in ("low", "high"))
    assert ((drawn < low) | (drawn > high)).any(axis=1).mean() <= 0.001


def test_a_run_that_was_ended_early_is_held_to_the_steps_that_it_had() -> None:
    cut = trial(ASKED, batches(a=35, b=15))
    assert cut.measurement is not None
    cut = replace(cut, state=TrialState.PRUNED, measurement=replace(cut.measurement, step=50))
    found = receipt_of(STUDY, cut)
    assert found is not None and (found.steps, found.lines["a"].expected, found.outside) == (50, 35, ())


MIXED = Recipe(ASKED.mixture, batching=Batching(mixed=True))


@pytest.mark.parametrize("rule", [None, Rule("tdro")], ids=["fixed", "moved by a rule"])
def test_mixed_batches_are_held_to_rows_drawn_alike_whatever_the_weights(rule: Rule | None) -> None:
    even = {"a": Drawn(200, 1600, 1400, 0.3), "b": Drawn(200, 1600, 300, 5.3)}
    found = receipt_of(STUDY, trial(MIXED, even, rule=rule))
    assert found is not None and found.unit == "rows"
    assert [found.lines[name].requested for name in "abc"] == [0.5, 0.5, 0]
    assert (found.lines["a"].expected, found.outside) == (1600, ())
    as_weighted = {"a": Drawn(200, 2240, 1400, 0.3), "b": Drawn(200, 960, 300, 5.3)}
    found = receipt_of(STUDY, trial(MIXED, as_weighted, rule=rule))
    assert found is not None and found.outside == ("a", "b")


def test_a_source_smaller_than_a_mixed_batch_may_give_less() -> None:
    recipe = Recipe(Mixture({"a": 0.5, "c": 0.5}), batching=Batching(mixed=True))
    found = receipt_of(STUDY, trial(recipe, {"a": Drawn(200, 1600, 1400, 0.3), "c": Drawn(200, 1300, 10, 130.0)}))
    assert found is not None and found.outside == () and found.lines["c"].low == 0


def test_what_a_schedule_left_out_is_told() -> None:
    recipe = Recipe(ASKED.mixture, Pruning(schedule=Schedule("dynamic")))
    drawn = {"a": Drawn(140, 2240, 2000, 0.4, completed=0, pruned=1875), "b": Drawn(60, 960, 190, 3.2, 5, 112)}
    found = receipt_of(STUDY, trial(recipe, drawn))
    assert found is not None and found.outside == ()
    assert [found.lines[name].pruned for name in "abc"] == [1875, 112, 0]
    assert (found.lines["b"].rows, found.lines["b"].unique_rows, found.lines["b"].epochs) == (960, 190, 3.2)


def test_what_drew_nothing_has_no_receipt() -> None:
    assert receipt_of(STUDY, trial(ASKED, {}, steps=0)) is None
    running = replace(trial(ASKED, batches(a=1)), state=TrialState.RUNNING, measurement=None)
    assert receipt_of(STUDY, running) is None


def test_the_realised_mixture_is_the_shares_of_batches() -> None:
    assert realised(STUDY, trial(ASKED, batches(a=150, b=50))) == Mixture({"a": 0.75, "b": 0.25, "c": 0.0})
    assert realised(STUDY, trial(ASKED, {})) == ASKED.mixture
    assert realised(STUDY, trial(MIXED, batches(a=150, b=150))) == MIXED.mixture  # weights multiply losses there


def test_ratios_pull_a_draw_towards_the_request_by_a_batch_per_source() -> None:
    recipe = Recipe(Mixture({"a": 0.79, "b": 0.2, "c": 0.01}))
    found = ratios(STUDY, trial(recipe, batches(a=160, b=40)))
    assert found == pytest.approx(
        [(160 + 3 * 0.79) / 203 / 0.79, (40 + 3 * 0.2) / 203 / 0.2, (0 + 3 * 0.01) / 203 / 0.01]
    )
    assert ratios(STUDY, trial(recipe, {})).tolist() == [1, 1, 1]
    assert ratios(STUDY, trial(ASKED, batches(a=140, b=60))) == pytest.approx([1, 1, 1])
