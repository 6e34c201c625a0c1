"""Search algorithms as Ray's own Searcher: a stranger's Tuner and trainables drive them."""

import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from ray import tune
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search import Searcher as RaySearcher
from ray.tune.utils import flatten_dict
from stranger import SOURCES, chained, guided, objective, value

from mixtune.batching import Batching
from mixtune.errors import ConfigError, StudyStopped
from mixtune.proposal import Rule
from mixtune.pruning import Schedule
from mixtune.rules import StepSignals, make_rule, packed, stored, unpacked
from mixtune.searchers import SEARCHERS
from mixtune.searchers.baselines import Uniform
from mixtune.searchers.blackbox import Random
from mixtune.searchers.crisp import CRISP
from mixtune.searchers.infdds import InfDDS
from mixtune.searchers.multidds import MultiDDS
from mixtune.searchers.optuna import TPE
from mixtune.searchers.tdro import TDROSearch
from mixtune.space import Space
from mixtune.study import Study
from mixtune.trial import TrialState
from mixtune.tuning import as_ray, described
from mixtune.tuning.asray import MixtureSearch
from mixtune.tuning.given import GIVEN
from mixtune.tuning.plan import propose

WEIGHTS = {"small/home": 1.0, "idle": 1.0, "harmful": 1.0}
TRIALS = {"infdds": 8, "scout": 8, "random": 12, "qmc": 12, "tpe": 14, "gp": 10, "cmaes": 14, "regmix": 7} | {
    "tdro": 4,
    "doremi": 4,
    "doge": 4,
    "multidds": 8,
}
"""Trials of those that search; the others run until they are exhausted."""

SETTINGS: Mapping[str, Mapping[str, Any]] = {"regmix": {"n_fit": 6}}
"""Settings with which an algorithm does what it is there for within those trials; the others need none."""

CHAINS = {"infdds": chained, "scout": chained, "tdro": guided, "doremi": guided, "doge": guided, "multidds": guided}
SURVEYED = ("neighbours", "crisp", "scout")


def study(trials: int | None = None, **changes: Any) -> Study:  # noqa: ANN401
    return described(SOURCES, ("task",), weights=WEIGHTS, trials=trials, **changes)


def fit(
    search: RaySearcher,
    trainable: Callable[[dict[str, Any]], None],
    place: Path,
    *,
    samples: int = -1,
    callbacks: Sequence[tune.Callback] = (),
    **constants: object,
) -> tune.ResultGrid:
    """Run a stranger's Tuner."""
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space=constants,
        tune_config=tune.TuneConfig(search_alg=search, num_samples=samples, reuse_actors=True),
        run_config=tune.RunConfig(name="theirs", storage_path=str(place), verbose=0, callbacks=list(callbacks)),
    )
    return tuner.fit()


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("algorithm", sorted(SEARCHERS))
def test_every_algorithm_drives_a_strangers_trainable_to_its_end_and_nearer_to_the_optimum(
    algorithm: str, tmp_path: Path
) -> None:
    searcher = SEARCHERS[algorithm](**SETTINGS.get(algorithm, {}))
    search = as_ray(searcher, study(TRIALS.get(algorithm)), metric="accuracy")
    grid = fit(search, CHAINS.get(algorithm, objective), tmp_path, folder=str(tmp_path))
    assert [trial.state for trial in search.trials] == [TrialState.COMPLETE] * len(grid)
    assert len(grid) == TRIALS.get(algorithm, 1) + (algorithm in SURVEYED)
    best = search.recommend().mixture
    if algorithm not in ("uniform", "proportional", "expert", "temperature"):
        assert value(best) > value(study().proportional()) + 0.2
    # What the run proposed is what the pure rule proposes from the same answers, whichever worker was quick.
    for trial in search.trials[1 if algorithm in SURVEYED else 0 :]:
        expected = propose(search_study(search), searcher, search.trials[: trial.number])
        assert (trial.proposal, trial.seed, trial.seen) == (expected.proposal, expected.seed, expected.seen)


def search_study(search: MixtureSearch) -> Study:
    return replace(search.study, budget=replace(search.study.budget, trials=None))


@pytest.mark.usefixtures("ray_cluster")
def test_a_chain_continues_what_the_parent_reported_as_its_checkpoint(tmp_path: Path) -> None:
    search = as_ray(InfDDS(), study(4))
    fit(search, chained, tmp_path, folder=str(tmp_path))
    assert [trial.proposal.parent for trial in search.trials] == [None, 0, 1, 2]
    held = json.loads((tmp_path / "trial-3.json").read_text())
    assert held["steps"] == sum(trial.proposal.steps for trial in search.trials) == 30


@pytest.mark.usefixtures("ray_cluster")
def test_trials_that_raise_die_or_report_nan_are_failed_and_the_search_goes_on(tmp_path: Path) -> None:
    search = as_ray(TPE(), study(5), metric="accuracy", mode="max")
    grid = fit(search, objective, tmp_path, faults={"0": "nan", "1": "raise", "3": "die"})
    states = [trial.state for trial in search.trials]
    assert [number for number, state in enumerate(states) if state is TrialState.FAILED] == [0, 1, 3]
    assert search.trials[0].error == "trial 0 reported 'accuracy' as nan"
    assert len(grid) == len(states) == 5 and len(grid.errors) == 2


@pytest.mark.usefixtures("ray_cluster")
def test_under_rays_own_limiter_num_samples_ends_it(tmp_path: Path) -> None:
    search = as_ray(Random(), study(), metric="accuracy")
    fit(ConcurrencyLimiter(search, max_concurrent=1), objective, tmp_path, samples=4)
    assert [trial.seen for trial in search.trials] == [-1, -1, 0, 1]
    assert [trial.measurement and trial.measurement.score for trial in search.trials] == pytest.approx(
        [value(trial.proposal.recipe.mixture) for trial in search.trials]
    )


class PowerCut(tune.Callback):  # type: ignore[misc]
    """Ends the driver's loop when four trials are over, once."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:  # noqa: ANN401
        if sum(trial.status == "TERMINATED" for trial in trials) == 4 and not self.mark.exists():
            self.mark.touch()
            raise InterruptedError("power cut")


@pytest.mark.usefixtures("ray_cluster")
def test_tuner_restore_goes_on_as_if_nothing_had_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Hand(as_ray(TPE(), study(7, workers=1), metric="accuracy"))
    for number in range(7):
        whole.tell(number, {"accuracy": value(whole.ask()["weights"])})
    monkeypatch.setenv("TUNE_GLOBAL_CHECKPOINT_S", "0")
    with pytest.raises(Exception, match="power cut"):
        search = as_ray(TPE(), study(7, workers=1), metric="accuracy")
        fit(search, objective, tmp_path, callbacks=[PowerCut(tmp_path / "cut")])
    grid = tune.Tuner.restore(str(tmp_path / "theirs"), objective).fit()
    found = {result.config["trial"]: result.config["weights"] for result in grid}
    assert found == {trial.number: dict(trial.proposal.recipe.mixture) for trial in whole.search.trials}


@pytest.mark.usefixtures("ray_cluster")
def test_a_trainable_that_forgets_the_metric_ends_the_fit_with_what_it_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trial 1 ended without 'accuracy' in its last report"):
        fit(as_ray(Random(), study(), metric="accuracy"), objective, tmp_path, samples=20, faults={"1": "silent"})


@pytest.mark.usefixtures("ray_cluster")
def test_the_program_in_readme_runs_and_finds_the_faq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray's results lie there by default
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (program,) = (block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "as_ray(" in block)
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(program, "README", "exec"), names)
    assert len(names["search"].trials) == 20
    assert names["search"].recommend().mixture["faq"] > 0.4


# Without Ray's loop: the same calls that Ray makes, by hand.


@dataclass
class Hand:
    """Makes Ray's calls, reports flattened as Ray flattens them."""

    search: MixtureSearch
    asked: int = 0

    def ask(self) -> dict[str, Any]:
        config = self.search.suggest(f"ray{self.asked}")
        assert isinstance(config, dict)
        self.asked += 1
        return config

    def tell(self, number: int, report: dict[str, Any] | None, *, error: bool = False) -> None:
        flattened = None if report is None else flatten_dict({**report, "done": True, "config": {"weights": {}}})
        self.search.on_trial_complete(f"ray{number}", flattened, error=error)


def hand(searcher: Any = None, *, metric: str | None = "m", mode: str = "max", **changes: Any) -> Hand:  # noqa: ANN401
    return Hand(as_ray(searcher or Random(), study(**changes), metric=metric, mode=mode))


def test_the_config_is_plain_and_tells_all() -> None:
    given = hand(InfDDS(probes=2, epsilon=0.5)).ask()
    assert json.loads(json.dumps(given)) == given
    floored = {"small/home": 0.1007, "idle": 0.3998, "harmful": 0.4995}  # 0.1, 0.4, 0.5 with floors of 0.001
    assert given["weights"] == pytest.approx(floored)
    assert given["kept"] == dict.fromkeys(SOURCES, 1.0)
    assert (given["sources"], given["targets"]) == (list(SOURCES), ["task"])
    assert (given["trial"], given["role"], given["steps"], given["horizon"]) == (0, "round", 0, None)
    assert (given["parent"], given["parent_checkpoint"]) == (None, None)
    assert set(given["probe_sources"]) < set(SOURCES) and given["probe_kept"] == [1.0, 1.0]
    assert (given["probe_steps"], given["reptile"], given["epsilon"], given["temperature"]) == (20, "linear", 0.5, None)
    assert all(f"`{key}`" in (as_ray.__doc__ or "") for key in given)


def test_lists_survive_rays_flattening_in_the_order_of_the_probes() -> None:
    theirs = Hand(as_ray(InfDDS(), described(SOURCES, ("task", "other/one"))))
    first, second, third = theirs.ask()["probe_sources"]
    lists = {
        "influence": [0.1, None, float("nan")],
        "influence_error": (0.01, None, None),
        "influence_per_target": [[0.3, -0.1], [None, None], [None, 0.2]],
    }
    theirs.tell(0, {**lists, "checkpoint": "there"})
    measurement = theirs.search.trials[0].measurement
    assert measurement is not None and measurement.checkpoint == "there"
    found = measurement.influence
    assert (found[first].value, found[first].error) == (0.1, 0.01)
    assert dict(found[first].per_target) == {"task": 0.3, "other/one": -0.1}
    assert (found[second].value, found[second].error, found[third].value) == (None, None, None)
    assert dict(found[third].per_target) == {"other/one": 0.2}
    assert theirs.ask()["parent_checkpoint"] == "there"


def test_keep_levels_of_a_source_are_tried_out_one_by_one() -> None:
    levels = {"idle": (1.0, 0.5)}
    theirs = Hand(as_ray(InfDDS(), described(SOURCES, space=Space(levels=levels))))
    given = theirs.ask()
    tried = list(zip(given["probe_sources"], given["probe_kept"], strict=True))
    assert sorted(tried) == [("harmful", 1.0), ("idle", 0.5), ("idle", 1.0), ("small/home", 1.0)]
    theirs.tell(0, {"influence": [0.1 if kept < 1 else 0.0 for _, kept in tried], "checkpoint": "there"})
    measurement = theirs.search.trials[0].measurement
    assert measurement is not None
    assert [name for name, seen in measurement.influence.items() if seen.value] == ["idle@0.5"]
    assert theirs.ask()["kept"] == {"small/home": 1.0, "idle": 0.5, "harmful": 1.0}


def test_open_choices_are_tried_out_probe_by_probe_and_then_taken() -> None:
    space = Space(schedule=Schedule(), choices={"dynamic": (1, 0), "strength": (5, 2)})
    theirs, sides = Hand(as_ray(InfDDS(), described(SOURCES, space=space))), set()
    for number in range(8):
        given = theirs.ask()
        assert json.loads(json.dumps(given)) == given
        assert len(given["probe_sources"]) == len(given["probe_schedule"]) == 3
        assert (given["probe_topics"], given["probe_margin_bins"]) == ([0, 0, 0], [1, 1, 1])
        sides |= {schedule and schedule["strength"] for schedule in given["probe_schedule"]}
        influence = [0.1 if schedule is None else 0.0 for schedule in given["probe_schedule"]]
        theirs.tell(number, {"influence": influence, "checkpoint": "there"})
    assert sides == {None, 5.0, 2.0}
    assert theirs.ask()["schedule"] is None
    topics = Hand(as_ray(InfDDS(), described(SOURCES, space=Space(choices={"topics": (0, 4), "margin_bins": (1, 10)}))))
    given = topics.ask()
    assert set(given["probe_topics"]) == {0, 4} and set(given["probe_margin_bins"]) == {1, 10}
    assert given["probe_schedule"] == [None, None, None]


def test_probes_are_as_the_round_where_nothing_is_open() -> None:
    space = Space(schedule=Schedule(strength=3.0), batching=Batching(margin_bins=10))
    given = Hand(as_ray(InfDDS(), described(SOURCES, space=space))).ask()
    assert given["probe_schedule"] == [given["schedule"]] * 3 == [asdict(Schedule(strength=3.0))] * 3
    assert (given["probe_topics"], given["probe_margin_bins"]) == ([0] * 3, [10] * 3)


def test_a_config_holds_the_keys_that_param_space_must_not_take() -> None:
    assert set(hand().ask()) == GIVEN


def test_a_rounds_rule_is_made_and_goes_on_from_what_was_reported_bit_for_bit() -> None:
    theirs = hand(TDROSearch(steps=7, negatives=3), metric=None)
    reference = theirs.ask()
    assert (reference["role"], reference["mixed"], reference["rule"]) == ("reference", True, "")
    theirs.tell(0, {"checkpoint": "yardstick"})
    given = theirs.ask()
    assert json.loads(json.dumps(given)) == given
    assert (given["reference"], given["reference_checkpoint"]) == (0, "yardstick")
    assert (given["parent"], given["parent_checkpoint"], given["rule_state"]) == (None, None, [])
    assert (given["rule"], given["steps"], given["rule_negatives"]) == ("tdro", 7, 3)
    rule = make_rule(Rule(given["rule"], given["rule_settings"]))
    state = rule.start(np.array([given["weights"][name] for name in given["sources"]]))
    state = rule.step(state, StepSignals(np.array([0, 2]), np.array([0.3, 0.7]), np.array([0.1, 0.7])))
    theirs.tell(1, {"rule_state": packed(state), "checkpoint": "first"})
    given = theirs.ask()
    assert (given["parent"], given["parent_checkpoint"], given["reference"]) == (1, "first", 0)
    assert stored(unpacked(rule, given["rule_state"], 3)) == stored(state)


def test_alignment_is_a_list_of_cosines_per_compared_source() -> None:
    theirs = Hand(as_ray(MultiDDS(batches=2, parameters="*"), described(SOURCES, ("task", "other/one"))))
    given = theirs.ask()
    assert (given["gradient_batches"], given["gradient_queries"], given["gradient_parameters"]) == (2, 48, "*")
    first, second, third = given["gradient_sources"]
    theirs.tell(0, {"alignment": [[0.3, -0.1], [None, 0.2], [None, float("nan")]], "checkpoint": "there"})
    measurement = theirs.search.trials[0].measurement
    assert measurement is not None
    cosines = {name: dict(found.cosine) for name, found in measurement.alignment.items()}
    assert cosines == {first: {"task": 0.3, "other/one": -0.1}, second: {"other/one": 0.2}, third: {}}
    assert theirs.ask()["parent_checkpoint"] == "there"


def test_clusters_come_from_the_survey_as_a_list_per_target() -> None:
    theirs = Hand(as_ray(CRISP(), described(SOURCES, ("task",))))
    assert theirs.ask()["role"] == "survey"
    theirs.tell(0, {"clusters": [[0.5, 0.5, 0.0]]})
    assert theirs.ask()["weights"] == pytest.approx({"small/home": 0.4995, "idle": 0.4995, "harmful": 0.001}, abs=1e-3)


def test_pruning_and_batching_of_a_space_are_given() -> None:
    space = Space(schedule=Schedule(strength=3.0), batching=Batching(topics=200, clusters=2), keep_least=9)
    given = hand(space=space).ask()
    assert given["schedule"] == asdict(Schedule(strength=3.0))
    assert (given["topics"], given["topic_clusters"], given["margin_bins"], given["mixed"]) == (200, 2, 1, False)
    assert given["keep_least"] == 9


@pytest.mark.parametrize(
    "report, message",
    [
        ({"rule_state": [0.1, 0.2], "checkpoint": "x"}, "trial 1 reported 'rule_state' of another length: 2 numbers"),
        ({"rule_state": ["a"], "checkpoint": "x"}, "trial 1 reported 'rule_state' as .* not a list of numbers"),
        ({"rule_state": {"log_w": [0.1]}, "checkpoint": "x"}, "trial 1 reported 'rule_state' as a dict"),
        ({"checkpoint": "x"}, "trial 1 ended without 'rule_state'"),
        ({"rule_state": [0.0] * 19}, "trial 1 ended without 'checkpoint'"),
    ],
)
def test_a_rules_state_that_cannot_be_read_ends_the_search(report: dict[str, Any], message: str) -> None:
    theirs = hand(TDROSearch(), metric=None)
    theirs.ask()
    theirs.tell(0, {"checkpoint": "yardstick"})
    theirs.ask()
    theirs.tell(1, report)
    with pytest.raises(ConfigError, match=message):
        theirs.search.suggest("next")


def test_a_rules_state_that_is_not_finite_is_a_failed_round() -> None:
    theirs = hand(TDROSearch(), metric=None)
    theirs.ask()
    theirs.tell(0, {"checkpoint": "yardstick"})
    theirs.ask()
    theirs.tell(1, {"rule_state": [float("nan")] * 19, "checkpoint": "x"})
    assert theirs.search.trials[1].error == "trial 1 reported 'rule_state' with numbers that are not finite"
    assert theirs.ask()["parent"] is None


@pytest.mark.parametrize(
    "report, message",
    [
        ({"influence": {"idle": 0.1}, "checkpoint": "x"}, "trial 0 reported 'influence' as a dict .influence/idle"),
        ({"influence": [0.1, 0.2], "checkpoint": "x"}, r"'influence' of shape \(2,\): it must be a list of 3 numbers"),
        ({"influence": ["a", "b", "c"], "checkpoint": "x"}, "which is not a list of 3 numbers"),
        ({"influence": [0.1, 0.2, 0.3]}, "trial 0 ended without 'checkpoint' .* which holds done, influence"),
        ({"checkpoint": "x"}, "trial 0 ended without 'influence'"),
        ({"influence": [0, 0, 0], "influence_per_target": [0, 0, 0], "checkpoint": "x"}, "must be 3 lists of 1 number"),
    ],
)
def test_a_report_that_cannot_be_read_ends_the_search_and_says_what_to_report(
    report: dict[str, Any], message: str
) -> None:
    theirs = hand(InfDDS(), metric=None)
    theirs.ask()
    theirs.tell(0, report)
    assert theirs.search.trials[0].state is TrialState.FAILED
    with pytest.raises(ConfigError, match=message):
        theirs.search.suggest("next")


def test_a_second_completion_of_a_trial_changes_nothing() -> None:
    theirs = hand()
    theirs.ask()
    theirs.tell(0, {"m": 0.5})
    before = theirs.search.trials
    theirs.tell(0, None, error=True)
    assert theirs.search.trials == before and before[0].state is TrialState.COMPLETE


def test_a_metric_that_is_to_be_small_is_negated() -> None:
    theirs = hand(mode="min")
    for number, loss in enumerate([3.0, 1.0, 2.0]):
        theirs.ask()
        theirs.tell(number, {"m": loss})
    assert theirs.search.recommend() == theirs.search.trials[1].proposal.recipe


def test_no_more_trials_run_than_the_study_has_workers() -> None:
    theirs = hand(workers=2)
    theirs.ask(), theirs.ask()
    assert theirs.search.suggest("third") is None
    theirs.tell(1, {"m": 0.1})
    assert theirs.search.suggest("third") is None  # proposal 2 sees trial 0, whose answer is missing
    theirs.tell(0, {"m": 0.1})
    assert theirs.ask()["trial"] == 2


def test_failures_in_a_row_end_the_search() -> None:
    theirs = hand()
    for number in range(3):
        theirs.ask()
        theirs.tell(number, None, error=True)
    with pytest.raises(StudyStopped, match=r"3 trials failed in a row, the last one \(trial 2\)"):
        theirs.search.suggest("next")


def test_a_trial_that_a_scheduler_stopped_is_pruned() -> None:
    theirs = hand(steps=300)
    theirs.ask()
    theirs.tell(0, {"m": 0.2, "steps_done": 100})
    assert theirs.search.trials[0].state is TrialState.PRUNED


def test_an_exhausted_search_is_finished() -> None:
    theirs = hand(Uniform())
    theirs.ask()
    assert theirs.search.suggest("next") == RaySearcher.FINISHED


def test_a_budget_of_runs_counts_the_cost_that_was_reported() -> None:
    mine = study()
    theirs = Hand(as_ray(Random(), replace(mine, budget=replace(mine.budget, runs=3.0, workers=1)), metric="m"))
    for number in range(2):
        theirs.ask()
        theirs.tell(number, {"m": 0.1, "cost": 1.5})
    assert theirs.search.suggest("next") == RaySearcher.FINISHED


def test_what_is_saved_is_restored_with_the_trials_that_were_running(tmp_path: Path) -> None:
    theirs = hand()
    theirs.ask(), theirs.ask()
    theirs.tell(1, {"m": 0.1})
    theirs.search.save(str(tmp_path / "state"))
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    again = hand()
    again.search.restore(str(tmp_path / "state"))
    assert again.search.trials == theirs.search.trials
    again.tell(0, {"m": 0.9})
    assert [trial.state for trial in again.search.trials] == [TrialState.COMPLETE] * 2


def test_trials_of_another_search_are_not_restored(tmp_path: Path) -> None:
    hand(seed=1).search.save(str(tmp_path / "state"))
    for other in (hand(seed=2), hand(TPE(), seed=1)):
        with pytest.raises(ConfigError, match="another study or with other settings"):
            other.search.restore(str(tmp_path / "state"))


def test_rays_pickled_copy_goes_on_where_the_original_stood() -> None:
    theirs = hand()
    theirs.ask()
    copy = Hand(pickle.loads(pickle.dumps(theirs.search)), asked=1)
    assert copy.ask() == theirs.ask()


class Demanding(Random):
    name: ClassVar[str] = "demanding"
    needs: ClassVar[frozenset[str]] = frozenset({"score", "receipt"})


def test_an_algorithm_that_reads_more_than_a_flat_report_holds_is_refused() -> None:
    with pytest.raises(ConfigError, match="demanding reads receipt, which Ray's flat reports do not hold"):
        as_ray(Demanding(), study())


def test_a_search_without_a_metric_is_refused() -> None:
    with pytest.raises(ConfigError, match="random needs a metric"):
        hand(metric=None)
    with pytest.raises(ConfigError, match="mode is 'maximum': it must be 'max' or 'min'"):
        hand(mode="maximum")


def test_a_space_without_a_mixture_is_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match="the space allows no mixture"):
        as_ray(Random(), described(SOURCES, space=Space(cap=dict.fromkeys(SOURCES, 0.2))), metric="m")


def test_constants_of_the_stranger_must_not_take_our_names() -> None:
    search = as_ray(Random(), study(), metric="m")
    with pytest.raises(ConfigError, match="param_space gives seed, weights"):
        search.set_search_properties(None, None, {"weights": {}, "seed": 3})


def test_importing_the_plan_does_not_import_ray() -> None:
    code = "import sys, mixtune.tuning.plan, mixtune.tuning; assert not {'ray', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
