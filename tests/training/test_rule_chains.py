"""Searchers whose chains train for real, on a study where one of three sources helps both targets."""

from pathlib import Path

import pytest
from small_study import bench_of, study_of, synthetic

from mixtune.errors import SearchExhausted
from mixtune.recipe import Mixture
from mixtune.searchers import Searcher
from mixtune.searchers.doge import DoGESearch
from mixtune.searchers.doremi import DoReMiSearch
from mixtune.searchers.multidds import MultiDDS
from mixtune.searchers.tdro import TDROSearch
from mixtune.training.base import Task
from mixtune.training.trainer import run_trial
from mixtune.trial import Trial, TrialState

TABLE, PREPARED = synthetic()
STUDY, BENCH = study_of(PREPARED), bench_of(TABLE, PREPARED)


def searched(searcher: Searcher, place: Path) -> Mixture:
    """What a searcher recommends when it is exhausted; all trials have one seed."""
    trials: list[Trial] = []
    while True:
        number = len(trials)
        try:
            proposal = searcher.suggest(STUDY, trials, STUDY.rng(number))
        except SearchExhausted:
            return searcher.recommend(STUDY, trials).mixture
        parent, reference = (None if n is None else place / str(n) for n in (proposal.parent, proposal.reference))
        task = Task(number, proposal, 7, place / str(number), parent, reference=reference)
        found = run_trial(STUDY, task, BENCH, lambda step, score: None, 0.0).measurement
        trials.append(Trial(number, proposal, 7, state=TrialState.COMPLETE, measurement=found))


@pytest.mark.parametrize(
    "long, short",
    [
        (TDROSearch(steps=24, length=24, transfer="reweight"), TDROSearch(steps=7, length=24, transfer="reweight")),
        (DoReMiSearch(steps=24, length=24), DoReMiSearch(steps=7, length=24)),
        (DoGESearch(steps=24, length=24), DoGESearch(steps=7, length=24)),
    ],
    ids=["tdro", "doremi", "doge"],
)
def test_a_search_in_short_rounds_recommends_what_one_long_round_does(
    long: Searcher, short: Searcher, tmp_path: Path
) -> None:
    (tmp_path / "long").mkdir(), (tmp_path / "short").mkdir()
    assert searched(short, tmp_path / "short") == searched(long, tmp_path / "long")


@pytest.mark.parametrize(
    "searcher", [DoGESearch(eta=0.2, length=30), MultiDDS(length=40, rate=0.02)], ids=lambda s: s.name
)
def test_gradients_find_the_source_that_helps(searcher: Searcher, tmp_path: Path) -> None:
    found = searched(searcher, tmp_path)
    assert found["good"] > 0.5


def test_excess_loss_finds_what_the_base_model_has_not_learnt(tmp_path: Path) -> None:
    found = searched(DoReMiSearch(length=30, reference_steps=60), tmp_path)
    assert found["good"] < 0.1  # the base model nearly knows it, and `other` it does not know at all
