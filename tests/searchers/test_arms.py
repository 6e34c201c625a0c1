from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from planted import World, explore, planted_study

from mixtune.errors import ConfigError
from mixtune.measurement import Influence, Measurement
from mixtune.proposal import Probe
from mixtune.pruning import Pruning
from mixtune.recipe import Recipe
from mixtune.searchers import InfDDS, Searcher
from mixtune.searchers.arms import Arm, arms_of, eligible_arms, per_source, pruning_of, shares
from mixtune.searchers.optuna import TPE
from mixtune.searchers.possible import require_possible
from mixtune.source import SourceFacts
from mixtune.space import Space
from mixtune.trial import Trial, TrialState

OWN = Space(levels={"s0": (0.25, 0.5, 1.0)})
SHARED = Space(shared_levels=(0.5, 1.0))


def recommended_recipe(searcher: Searcher, world: World, proposals: int) -> Recipe:
    return searcher.recommend(world.study, explore(searcher, world, proposals))


def test_a_source_with_its_own_list_is_an_arm_per_level() -> None:
    study = planted_study(3, space=replace(OWN, levels={**OWN.levels, "s1": (0.5,)}))
    assert [arm.name for arm in arms_of(study)] == ["s0@1.0", "s0@0.5", "s0@0.25", "s1", "s2"]


def test_a_shared_list_makes_arms_of_all_sources_but_those_with_their_own() -> None:
    study = planted_study(3, space=replace(SHARED, levels={"s1": (0.75,)}))
    assert [arm.name for arm in arms_of(study)] == ["s0@1.0", "s0@0.5", "s1", "s2@1.0", "s2@0.5"]


def test_a_source_weighs_what_its_arms_weigh_together() -> None:
    study = planted_study(2, targets=1, space=OWN)
    assert per_source(study, arms_of(study), np.array([0.1, 0.2, 0.3, 0.4])) == pytest.approx({"s0": 0.6, "s1": 0.4})


def test_arms_share_their_source_evenly() -> None:
    study = planted_study(2, targets=1, space=OWN)
    assert shares(arms_of(study)) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1.0])


@pytest.mark.parametrize(
    ("weights", "kept"),
    [
        ([0.6, 0.1, 0.1, 0.2], 1.0),  # mean .84
        ([0.1, 0.6, 0.1, 0.2], 0.5),
        ([0.0, 0.1, 0.7, 0.2], 0.25),  # mean .28
        ([0.1, 0.0, 0.1, 0.8], 0.5),  # mean .625
        ([0.1, 0.1, 0.0, 0.8], 1.0),  # mean .75, as near to both: the one that keeps more
        ([0.0, 0.0, 0.0, 1.0], 1.0),  # nothing said: everything
    ],
)
def test_the_level_is_the_mean_by_weight_rounded_to_the_list(weights: list[float], kept: float) -> None:
    study = planted_study(2, targets=1, space=OWN)
    assert pruning_of(study, arms_of(study), np.array(weights)).share("s0") == kept


def test_the_shared_level_is_the_mean_over_the_arms_of_all_sources() -> None:
    study = planted_study(2, targets=1, space=SHARED)
    # s0 alone would keep everything; s1 weighs more. Mean .2 + .1 / 2 + .05 + .65 / 2 = .625.
    pruning = pruning_of(study, arms_of(study), np.array([0.2, 0.1, 0.05, 0.65]))
    assert (pruning.share("s0"), pruning.share("s1")) == (0.5, 0.5)


def test_an_arm_with_fewer_than_two_kept_pairs_is_not_probed() -> None:
    study = planted_study(2, targets=1, space=OWN)
    facts = dict(study.prepared.sources) | {"s0": SourceFacts(5, 5, 40.0, "")}
    study = replace(study, preparation=replace(study.prepared, sources=facts))
    assert eligible_arms(study, arms_of(study)) == ("s0@1.0", "s0@0.5", "s1")


def test_an_arm_without_a_level_goes_by_the_name_of_its_source() -> None:
    assert (Arm("s0").name, Arm("s0", 0.5, "s0").name) == ("s0", "s0@0.5")
    assert Probe(("a", "b"), 2).arms == {"a": ("a", None), "b": ("b", None)}
    assert Probe(("a", "a", "b"), 2, levels=(0.5, 1.0, None)).arms == {
        "a@0.5": ("a", 0.5),
        "a@1.0": ("a", 1.0),
        "b": ("b", None),
    }


def test_all_arms_are_probed_equally_often_and_notes_hold_what_each_showed() -> None:
    study = planted_study(3, space=OWN)
    trials = explore(InfDDS(probes=2), World(study, best_kept={"s0": 0.5}), 21)
    seen = Counter(name for trial in trials[1:] if trial.proposal.probe for name in trial.proposal.probe.arms)
    assert set(seen) == {"s0@1.0", "s0@0.5", "s0@0.25", "s1", "s2"} and max(seen.values()) - min(seen.values()) <= 1
    notes = trials[-1].proposal.notes
    assert notes["arms"] == ["s0@1.0", "s0@0.5", "s0@0.25", "s1", "s2"]
    assert notes["influence"] == pytest.approx([0.0125, 0.05, 0.0125, 0.05, 0.0])
    assert all(len(notes[key]) == 5 for key in ("weights", "error", "z", "visits"))  # type: ignore[arg-type]


@pytest.mark.parametrize("level", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("searcher", [InfDDS(beta=3.0), TPE(n_startup_trials=20)])
def test_guided_and_black_box_search_agree_on_the_planted_level(searcher: Searcher, level: float) -> None:
    study = planted_study(4, targets=1, space=OWN)
    world = World(study, noise=0.001, best_kept={"s0": level})
    recipe = recommended_recipe(searcher, world, 12 if isinstance(searcher, InfDDS) else 60)
    assert recipe.pruning == Pruning({"s0": level})
    assert recipe.mixture["s0"] > 0.5


def test_a_better_shared_level_is_taken_by_all_sources() -> None:
    study = planted_study(3, targets=2, space=SHARED)
    world = World(study, noise=0.001, best_kept={"s0": 0.5, "s1": 0.5})
    assert recommended_recipe(InfDDS(), world, 12).pruning == Pruning(dict.fromkeys(study.names, 0.5))


@pytest.mark.parametrize("policy", ["kl", "exponential", "reinforce_sum"])
def test_levels_that_make_no_difference_leave_the_mixture_as_it_was(policy: str) -> None:
    searcher = InfDDS(policy=policy, probes=100)  # type: ignore[arg-type]
    plain = recommended_recipe(searcher, World(planted_study(5)), 10).mixture
    levelled = recommended_recipe(searcher, World(planted_study(5, space=SHARED)), 10).mixture
    assert levelled == pytest.approx(plain)


def test_a_source_with_more_levels_is_not_lifted_by_reinforce() -> None:
    searcher = InfDDS(policy="reinforce_sum", prior="uniform", probes=100)
    study = planted_study(3, targets=2, space=OWN)
    mixture = recommended_recipe(searcher, World(study), 100).mixture
    assert mixture["s0"] == pytest.approx(mixture["s1"], abs=0.02)


def test_a_source_with_more_levels_is_not_lifted_when_its_prior_fades() -> None:
    study, searcher = planted_study(3, targets=1, space=OWN), InfDDS()
    trials: list[Trial] = []
    for number in range(2):
        proposal = searcher.suggest(study, trials, study.rng(number))
        assert proposal.probe is not None
        arms = proposal.probe.arms.items()
        influence = {name: Influence(0.0 if source == "s2" else 0.1, 0.0) for name, (source, _) in arms}
        found = Measurement(influence=influence, checkpoint="here")
        trials.append(Trial(number, proposal, 0, state=TrialState.COMPLETE, measurement=found))
    mixture = searcher.recommend(study, trials).mixture
    assert mixture["s0"] == pytest.approx(mixture["s1"])


def test_levels_whose_rows_would_be_too_few_are_refused_before_anything_runs() -> None:
    study = planted_study(2, targets=1, space=Space(levels={"s0": (0.1, 1.0), "s1": (0.1, 1.0)}, max_epochs=400.0))
    with pytest.raises(ConfigError, match="at the lowest keep levels"):
        require_possible(study, InfDDS())
