"""Gain on dev queries that signals saw, and on the others, by hand."""

from dataclasses import replace

import pytest
from scipy.special import stdtrit

from mixtune.measurement import Measurement
from mixtune.proposal import Probe, Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.report.panels.heldback import held_back, held_back_document
from mixtune.trial import Trial, TrialState

BEST, OTHER = Recipe(Mixture({"big": 0.2, "small": 0.8})), Recipe(Mixture({"big": 0.9, "small": 0.1}))


def judged(role: Role, recipe: Recipe, label: str, *seen: tuple[float, float]) -> list[Trial]:
    """One complete run for each pair of scores, on seen and on other queries."""
    return [
        Trial(
            replicate,
            Proposal(recipe, 10, role, label=label, replicate=replicate),
            seed=replicate,
            state=TrialState.COMPLETE,
            measurement=Measurement(score=0.5, dev_signal=pair),
        )
        for replicate, pair in enumerate(seen)
    ]


ROUND = Trial(
    9,
    Proposal(OTHER, 10, Role.ROUND, probe=Probe(("big",), 2)),
    9,
    state=TrialState.COMPLETE,
    measurement=Measurement(),
)
ANCHORS = judged(Role.ANCHOR, OTHER, "proportional", (0.40, 0.40), (0.41, 0.39))
RERUNS = judged(Role.RERUN, BEST, "best", (0.50, 0.46), (0.53, 0.45))


def test_gains_are_paired_by_seed_and_what_is_lost_has_an_interval_over_seeds() -> None:
    found = held_back([ROUND, *ANCHORS, *RERUNS], BEST)
    assert found is not None
    # Gains .10 and .12 on seen queries, .06 and .06 on the others: .04 and .06 are lost.
    assert (found.seen, found.unseen, found.lost) == (pytest.approx(0.11), pytest.approx(0.06), pytest.approx(0.05))
    assert found.half == pytest.approx(stdtrit(1, 0.975) * 0.02 / 2)
    assert "+0.0500" in found.sentence and "2 seeds" in found.sentence
    assert held_back_document(found)["lost"] == pytest.approx(0.05)


def test_a_gain_that_is_larger_on_queries_never_seen_is_no_sign() -> None:
    turned = [
        replace(each, measurement=Measurement(score=0.5, dev_signal=each.measurement.dev_signal[::-1]))
        for each in (*ANCHORS, *RERUNS)
        if each.measurement
    ]
    found = held_back([ROUND, *turned], BEST)
    assert found is not None and found.lost < 0 and "no sign of it" in found.sentence


def test_one_seed_has_no_interval() -> None:
    found = held_back([ROUND, ANCHORS[0], RERUNS[0]], BEST)
    assert found is not None and found.half is None and "\u00b1" not in found.sentence


def test_a_search_without_signals_on_dev_and_one_that_is_not_judged_yet_say_nothing() -> None:
    assert held_back([*ANCHORS, *RERUNS], BEST) is None
    assert held_back([ROUND, *ANCHORS], BEST) is None
    assert held_back([ROUND, *ANCHORS, *RERUNS], None) is None
