from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_study import bench_of, study_of, synthetic

from mixtune.batching import Batching
from mixtune.measurement import Influence
from mixtune.proposal import Probe
from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Mixture, Recipe
from mixtune.searchers import InfDDS
from mixtune.space import Space
from mixtune.training.base import Task
from mixtune.training.measuring.devloss import DevPool
from mixtune.training.run import Run
from mixtune.training.signals.probing import RoundEnd, arm_walk, end_round, probe_recipes
from mixtune.training.trainer import Bench, run_trial
from mixtune.training.walks.dynamic import DynamicWalk
from mixtune.training.walks.topicwalk import TopicWalk
from mixtune.training.walks.walk import ShuffledWalk
from mixtune.trial import Trial, TrialState

TABLE, PREPARED = synthetic(pairs=60)
STUDY = study_of(PREPARED, learning_rate=2e-2)
POOLS = {name: DevPool(name, target, target.signal) for name, target in PREPARED.targets.items()}
PLAIN = Recipe(Mixture({"other": 1.0}))
TOPICS = replace(PLAIN, batching=Batching(topics=4, clusters=2))
DYNAMIC = replace(PLAIN, pruning=Pruning({"other": 0.5}, Schedule(query_end=8.0), 9))


def begun(recipe: Recipe, bench: Bench | None = None) -> Run:
    """A run of a recipe at its start."""
    bench = bench or bench_of(TABLE, PREPARED)
    bench.model.reset()
    rows = {name: np.arange(len(pairs.queries)) for name, pairs in PREPARED.sources.items()}
    return Run(bench.model, STUDY.proxy, sources=PREPARED.sources, rows=rows, recipe=recipe, seed=0)


def ended(recipe: Recipe, space: Space, probe: Probe) -> RoundEnd:
    """A round's end from the base model."""
    run = begun(recipe)
    return end_round(run, POOLS, {"left": 0.5, "right": 0.5}, probe, 3, probe_recipes(space, recipe, probe))


def taken(run: Run, recipe: Recipe | None) -> list[list[int]]:
    walk = arm_walk(run, "good", None, 7, recipe)
    return [walk.take(16, 0).rows.tolist() for _ in range(3)]


def test_a_probe_without_options_goes_by_the_rounds_recipe() -> None:
    probe = Probe(("good", "other"), 2, levels=(0.5, None))
    assert probe_recipes(Space(), DYNAMIC, probe) == {"good@0.5": DYNAMIC, "other": DYNAMIC}


def test_options_replace_schedule_and_batching_and_nothing_else() -> None:
    space = Space(schedule=Schedule(query_end=8.0), choices={"dynamic": (1, 0), "strength": (5, 3)})
    probe = Probe(("good", "other"), 2, options=({"dynamic": 1, "strength": 3}, {"dynamic": 0}))
    pruning = DYNAMIC.pruning
    assert probe_recipes(space, DYNAMIC, probe) == {
        "good": replace(DYNAMIC, pruning=replace(pruning, schedule=Schedule(query_end=8.0, strength=3.0))),
        "other": replace(DYNAMIC, pruning=replace(pruning, schedule=None)),
    }
    topics = Space(batching=Batching(clusters=2), choices={"topics": (0, 4)})
    assert probe_recipes(topics, PLAIN, Probe(("good",), 2, options=({"topics": 4},))) == {"good": TOPICS}


@pytest.mark.parametrize(
    ("own", "other", "kind"), [(PLAIN, TOPICS, TopicWalk), (TOPICS, PLAIN, ShuffledWalk), (PLAIN, DYNAMIC, DynamicWalk)]
)
def test_a_probe_under_other_options_draws_what_one_of_a_run_under_them_does(
    own: Recipe, other: Recipe, kind: type
) -> None:
    assert type(arm_walk(begun(own), "good", None, 7, other)) is kind
    drawn = taken(begun(own), other)
    assert drawn == taken(begun(other), None)
    assert drawn != taken(begun(own), None)


def test_a_probe_under_other_options_shows_what_it_shows_in_a_round_under_them() -> None:
    space, sources = Space(batching=Batching(clusters=2), choices={"topics": (0, 4)}), ("good", "other")
    mixed = ended(PLAIN, space, Probe(sources, 2, options=({"topics": 4}, {"topics": 0})))
    shuffled, topical = (ended(recipe, space, Probe(sources, 2)) for recipe in (PLAIN, TOPICS))
    assert mixed.influence == {"good": topical.influence["good"], "other": shuffled.influence["other"]}
    assert topical.influence["good"] != shuffled.influence["good"]


def test_a_probe_with_the_schedule_off_is_one_of_a_run_without_it() -> None:
    space = Space(schedule=Schedule(query_end=8.0), choices={"dynamic": (1, 0)})
    off = ended(DYNAMIC, space, Probe(("good",), 2, options=({"dynamic": 0},)))
    assert off.influence == ended(PLAIN, space, Probe(("good",), 2)).influence
    assert off.influence != ended(DYNAMIC, space, Probe(("good",), 2)).influence


def test_infdds_probes_topics_in_a_real_study_and_goes_on_with_what_they_showed(tmp_path: Path) -> None:
    study = replace(STUDY, space=Space(choices={"topics": (0, 4)}))
    bench, searcher, trials = bench_of(TABLE, PREPARED), InfDDS(steps=4, score_every=1), list[Trial]()
    place: Path | None = None
    for number in range(6):
        proposal = searcher.suggest(study, trials, study.rng(number))
        assert proposal.probe is not None and len(proposal.probe.options) == 3
        parent, place = place, tmp_path / str(number)
        found = run_trial(
            study, Task(number, proposal, number, place, parent), bench, lambda step, score: None, 0.0
        ).measurement
        if proposal.steps:
            assert sum(drawn.batches for drawn in found.receipt.values()) == 4
        trials.append(Trial(number, proposal, number, state=TrialState.COMPLETE, measurement=found))
    state = searcher.fold(study, trials)
    assert state.choices[0].drawn.tolist() == [9, 9]
    assert state.choices[0].visits.tolist() == [9, 9]
    assert np.isfinite(state.choices[0].effect).all() and (state.choices[0].effect != 0).all()
    # Where topics are made to help, the next rounds take them up and train on batches of one topic.
    last = trials[-1]
    assert last.measurement is not None and last.proposal.probe is not None
    better = {
        name: Influence(1.0 if options["topics"] else -1.0, 0.001)
        for name, options in last.proposal.probe.tried.items()
    }
    trials[-1] = replace(last, measurement=replace(last.measurement, influence=better))
    proposal = searcher.suggest(study, trials, study.rng(6))
    assert proposal.recipe.batching == searcher.recommend(study, trials).batching == Batching(topics=4)
    run_trial(study, Task(6, proposal, 6, tmp_path / "6", place), bench, lambda step, score: None, 0.0)
