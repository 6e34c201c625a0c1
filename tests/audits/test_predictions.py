from dataclasses import replace

import pytest
from planted import World, explore, planted_study, survey
from player import play, toy

from mixtune.audits.changes import changed
from mixtune.audits.predictions import influence_by_target, signals
from mixtune.measurement import Drawn
from mixtune.proposal import FRESH
from mixtune.pruning import Schedule
from mixtune.recipe import Mixture, Recipe
from mixtune.report.looks.audit import Change
from mixtune.searchers.blackbox import Random
from mixtune.searchers.infdds import InfDDS
from mixtune.searchers.multidds import MultiDDS
from mixtune.searchers.tdro import TDROSearch
from mixtune.space import Space
from mixtune.trial import Trial

EVEN = Recipe(Mixture.uniform(["s0", "s1", "s2", "s3"]))
TO_HOME = Recipe(Mixture({"s0": 0.5, "s1": 0.5, "s2": 0.0, "s3": 0.0}))


def test_influence_predicts_by_the_change_of_weights() -> None:
    study = planted_study(4, targets=1)
    found = signals(study, explore(InfDDS(), World(study), 12))
    # A home lowers the dev loss of its target by .1, the others do nothing; it gets .25 more.
    assert found["influence"](EVEN, TO_HOME) == pytest.approx(0.1 * 0.25)
    assert next(iter(found)) == "influence"


def test_alignment_predicts_by_the_mean_cosine() -> None:
    study = planted_study(4, targets=1)
    found = signals(study, explore(MultiDDS(), World(study), 6))
    assert found["alignment"](EVEN, TO_HOME) == pytest.approx(0.5 * 0.25)


def test_the_ratio_of_a_dro_predicts_where_loss_is_left() -> None:
    study = planted_study(4, targets=1)
    found = signals(study, explore(TDROSearch(), World(study), 4))
    effect = found["ratio"](EVEN, TO_HOME)
    assert effect is not None and effect > 0.05


def test_a_law_is_fitted_to_enough_runs_and_only_then() -> None:
    study = planted_study(4, targets=1)
    trials = explore(Random(), World(study), 30)
    assert "law" not in signals(study, trials[:7])
    effect = signals(study, trials)["law"](EVEN, TO_HOME)
    # The score is the root of the home's weight: from .5 to .707.
    assert effect == pytest.approx(0.207, abs=0.08)


def swapped(trial: Trial) -> Trial:
    """The trial with a receipt that drew s1 where s0 was asked for, and the other way round."""
    if trial.measurement is None or trial.role not in FRESH:
        return trial
    asked = trial.proposal.recipe.mixture
    drawn = {{"s0": "s1", "s1": "s0"}.get(name, name): weight for name, weight in asked.items()}
    receipt = {name: Drawn(round(1000 * weight), 0, 0, 0.0) for name, weight in drawn.items()}
    return replace(trial, measurement=replace(trial.measurement, receipt=receipt))


def test_a_law_is_fitted_to_what_the_runs_really_drew() -> None:
    study = planted_study(4, targets=1)
    trials = [swapped(trial) for trial in explore(Random(), World(study), 30)]
    law = signals(study, trials)["law"]
    rest = dict.fromkeys(EVEN.mixture, 0.1)
    to_s0, to_s1 = (law(EVEN, Recipe(Mixture({**rest, name: 0.7}))) for name in ("s0", "s1"))
    assert to_s0 is not None and to_s1 is not None
    # Scores rise with what was asked of s0, which is what was drawn of s1.
    assert to_s1 > 0.1 > to_s0


def test_a_law_predicts_where_some_runs_have_a_schedule_and_others_none() -> None:
    space = Space(schedule=Schedule("dynamic"), choices={"dynamic": (0.0, 1.0), "query_end": (5.0, 2.0)})
    study = planted_study(4, targets=1, space=space)
    effect = signals(study, explore(Random(), World(study), 30))["law"](EVEN, TO_HOME)
    assert effect is not None and effect > 0.05


def test_regmix_predicts_with_the_model_of_its_last_fit_first() -> None:
    study = planted_study(4, targets=1)
    trials = explore(Random(), World(study), 30)
    fit = {"out_of_fold": {"law": None, "lightgbm": None}, "runs": 29, "model": "lightgbm"}
    last = replace(trials[-1], proposal=replace(trials[-1].proposal, notes=fit))
    found = signals(study, [*trials[:-1], last])
    assert list(found)[:2] == ["lightgbm", "law"]
    effect = found["lightgbm"](EVEN, TO_HOME)
    assert effect is not None and effect > 0.05


def test_every_survey_predicts_by_neighbours() -> None:
    study = planted_study(4, targets=1)
    effect = signals(study, [survey(study)])["neighbours"](EVEN, TO_HOME)
    # All neighbours are of s0, which has 100 of 700 rows.
    assert effect == pytest.approx(7 * 0.25)


def test_of_a_source_that_was_never_probed_influence_says_nothing() -> None:
    study = planted_study(4, targets=1)
    trials = explore(InfDDS(probes=1), World(study), 3)
    probed = {source for trial in trials if trial.proposal.probe for source in trial.proposal.probe.sources}
    unknown = next(name for name in study.names if name not in probed)
    predict = signals(study, trials)["influence"]
    after = changed(EVEN.mixture, unknown, Change.MORE)
    assert after is not None
    assert predict(EVEN, Recipe(after)) is None


def test_influence_per_target_is_the_mean_over_rounds() -> None:
    study = planted_study(4, targets=2)
    found = influence_by_target(study, explore(InfDDS(), World(study), 12))
    assert found["s0"] == pytest.approx({"t0": 0.1, "t1": 0.0})
    assert found["s1"] == pytest.approx({"t0": 0.0, "t1": 0.1})


def test_the_analytic_world_is_told_rightly() -> None:
    study = toy()
    found = influence_by_target(study, play(study))
    assert found["good"]["task"] > found["useful"]["task"] > found["idle"]["task"] > found["harmful"]["task"]
