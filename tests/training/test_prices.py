"""What a guided search is foreseen to cost, beside what its trials count when they run."""

from dataclasses import replace
from pathlib import Path

import pytest
from small_study import bench_of, study_of, synthetic

from mixtune.errors import SearchExhausted
from mixtune.search import Budget
from mixtune.searchers.base import FoldSearcher
from mixtune.searchers.doge import DoGESearch
from mixtune.searchers.doremi import DoReMiSearch
from mixtune.searchers.infdds import InfDDS
from mixtune.searchers.multidds import MultiDDS
from mixtune.searchers.rehearsal import rehearsed
from mixtune.searchers.scout import Scout
from mixtune.searchers.tdro import TDROSearch
from mixtune.source import SourceFacts
from mixtune.study import Study
from mixtune.training.base import Task
from mixtune.training.cost import dev_flops, fresh_run_flops, mixed_cost
from mixtune.training.prices import Prices
from mixtune.training.trainer import run_trial
from mixtune.trial import Trial, TrialState

ROUNDS = 6
TABLE, PREPARED = synthetic()
BENCH = bench_of(TABLE, PREPARED)


def priced() -> tuple[Study, Prices]:
    """A study whose unit of cost is counted, and the prices of its proposals."""
    study = study_of(PREPARED)
    facts = {
        name: SourceFacts(len(pairs.queries), len(pairs.queries), 7.0, "") for name, pairs in PREPARED.sources.items()
    }
    costs = replace(
        study.prepared,
        run_flops=fresh_run_flops(study, facts, PREPARED, BENCH.model),
        dev_flops=dev_flops(BENCH.model, PREPARED.targets),
        mixed=mixed_cost(study, PREPARED, BENCH.model),
    )
    study = replace(study, preparation=costs)
    return study, Prices(study, PREPARED, BENCH.model)


@pytest.mark.parametrize(
    "searcher",
    [
        TDROSearch(steps=4),
        DoReMiSearch(steps=4, length=9),
        DoGESearch(steps=3, length=9),
        MultiDDS(steps=4),
        InfDDS(score_every=2),
        Scout(queries=None, score_every=3),
    ],
    ids=lambda searcher: str(searcher.name),
)
def test_a_proposal_costs_what_was_foreseen(searcher: FoldSearcher[object], tmp_path: Path) -> None:
    study, prices = priced()
    trials: list[Trial] = []
    while len(trials) < ROUNDS:
        number = len(trials)
        try:
            proposal = searcher.suggest(study, trials, study.rng(number))
        except SearchExhausted:
            break
        parent, reference = (None if n is None else tmp_path / str(n) for n in (proposal.parent, proposal.reference))
        task = Task(number, proposal, study.trial_seed(number), tmp_path / str(number), parent, reference=reference)
        found = run_trial(study, task, BENCH, lambda step, score: None, 0.0).measurement
        # A scored round embeds some of dev anew and some not; what is foreseen is all of it.
        assert prices.of(proposal) == pytest.approx(found.cost.flops, rel=0.2)
        trials.append(Trial(number, proposal, task.seed, state=TrialState.COMPLETE, measurement=found))
    rehearsal = [proposal for _, proposal in zip(range(ROUNDS), rehearsed(study, searcher), strict=False)]
    spent = sum(trial.measurement.cost.flops for trial in trials if trial.measurement)
    assert sum(map(prices.of, rehearsal)) == pytest.approx(spent, rel=0.1)


@pytest.mark.parametrize("runs", [2.0, 5.0, 12.0])
@pytest.mark.parametrize("searcher", [TDROSearch(steps=2, length="budget"), DoReMiSearch(steps=2, length="budget")])
def test_a_chain_with_its_reference_fills_a_budget_of_compute(searcher: FoldSearcher[object], runs: float) -> None:
    study, prices = priced()
    study = replace(study, budget=Budget(runs=runs))
    left = runs * study.prepared.run_flops - sum(map(prices.of, rehearsed(study, searcher)))
    assert study.prepared.mixed is not None
    assert 0 <= left < study.prepared.mixed.step(7, reference=True)  # less than another step


@pytest.mark.parametrize(
    ("searcher", "most"),
    [
        (TDROSearch(steps=30, length=100), 5),
        (DoReMiSearch(steps=25, length=100, reference_steps=3), 5),
        (DoGESearch(), 2),
        (MultiDDS(steps=7), 3),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_a_chain_ends_by_itself_after_as_many_trials_as_it_says(searcher: FoldSearcher[object], most: int) -> None:
    study, _ = priced()
    assert len(list(rehearsed(study, searcher))) == searcher.most(study) == most


def test_a_search_without_an_end_of_its_own_says_so() -> None:
    study, _ = priced()
    proposals = rehearsed(study, InfDDS())
    assert InfDDS().most(study) is None and len([next(proposals) for _ in range(40)]) == 40


def test_what_a_probe_tries_out_changes_no_price() -> None:
    study, prices = priced()
    plain = next(rehearsed(study, InfDDS()))
    assert plain.probe is not None
    probe = replace(plain.probe, options=({"query_end": 5.0},) * len(plain.probe.sources))
    assert prices.of(replace(plain, probe=probe)) == prices.of(plain) > 0
