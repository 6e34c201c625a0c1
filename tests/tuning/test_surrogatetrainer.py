from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from surface import BEST, NAMES, STEPS, recorded_chain, recorded_random, truth
from trainer_contract import TrainerContract

from mixtune.errors import TrainingError
from mixtune.measurement import Measurement
from mixtune.proposal import JUDGED, Gradients, Probe, Proposal, Role, Rule
from mixtune.recipe import Mixture, Recipe
from mixtune.study import Study
from mixtune.training.base import Task, Trainer
from mixtune.tuning.fitting import fit_surrogate
from mixtune.tuning.recalled import prices_of, recalled, rounds_of
from mixtune.tuning.surrogate import Surrogate
from mixtune.tuning.surrogatetrainer import SurrogateTrainer


@pytest.fixture(scope="module")
def surrogate() -> Surrogate:
    return fit_surrogate([recorded_random()], surfaces=1)


@pytest.fixture
def trainer(surrogate: Surrogate) -> SurrogateTrainer:
    studies = [recorded_random(), recorded_chain()]
    rounds = rounds_of(surrogate.study, studies)
    survey = studies[0].trials[0].measurement
    return SurrogateTrainer(surrogate, prices_of(surrogate.study, studies, rounds), recalled(surrogate, rounds), survey)


@pytest.fixture
def study(surrogate: Surrogate) -> Study:
    return surrogate.study


class TestContract(TrainerContract):
    """All of it but what no surrogate knows: scores on test, rules and gradients."""

    @pytest.fixture
    def trainer(self, trainer: SurrogateTrainer) -> Trainer:
        return trainer

    @pytest.fixture
    def study(self, study: Study) -> Study:
        return study

    @pytest.mark.parametrize("role", list(Role))
    def test_judged_roles_and_no_others_are_scored_on_test_query_by_query(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path, role: Role
    ) -> None:
        steps = 0 if role is Role.SURVEY else 4
        outcome = self.run(trainer, study, Proposal(recipe, steps, role), tmp_path / "c")
        assert set(outcome.measurement.dev) == {target.name for target in study.targets}
        assert not outcome.scores and not outcome.measurement.test and JUDGED

    def test_a_chain_under_a_rule_is_one_run_of_all_its_steps(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        with pytest.raises(TrainingError, match="no surrogate knows"):
            self.run(trainer, study, Proposal(recipe, 4, Role.ROUND, rule=Rule("tdro")), tmp_path / "c")

    test_a_rule_on_batches_of_one_source_is_a_training_error = test_a_chain_under_a_rule_is_one_run_of_all_its_steps

    def test_a_missing_reference_is_a_training_error_that_names_it(self) -> None:  # type: ignore[override]
        """References serve rules alone."""

    def test_gradients_show_how_each_source_lies_to_each_target_and_move_nothing(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        asked = Proposal(recipe, 2, Role.SEARCH, gradients=Gradients(study.names))
        with pytest.raises(TrainingError, match="gradients, which no surrogate knows"):
            self.run(trainer, study, asked, tmp_path / "c")


def fresh(trainer: SurrogateTrainer, study: Study, weights: np.ndarray, seed: int) -> Measurement:
    proposal = Proposal(Recipe(Mixture.from_array(NAMES, weights)), STEPS, Role.SEARCH)
    return trainer.train(study, Task(1, proposal, seed, Path("unused")), lambda step, score: None).measurement


def test_runs_of_one_mixture_scatter_about_its_score_by_the_noise_of_seeds(
    trainer: SurrogateTrainer, study: Study, surrogate: Surrogate
) -> None:
    scores = np.array([fresh(trainer, study, BEST, seed).score for seed in range(300)])
    assert scores.std() == pytest.approx(surrogate.seed_sd, rel=0.12)
    assert abs(scores.mean() - truth(BEST[None]).mean()) < 3 * surrogate.misfit_sd + 0.004


def test_what_the_surface_misses_is_shared_by_the_runs_of_a_mixture_in_one_world(
    trainer: SurrogateTrainer, study: Study, surrogate: Surrogate
) -> None:
    missed = replace(surrogate, seed_noise=0 * surrogate.seed_noise, misfit=np.full((1, 4), 0.05))
    here, there = (replace(trainer, surrogate=missed, world=world) for world in (1, 2))
    one, two = (fresh(here, study, BEST, seed).score for seed in (1, 2))
    assert one == two != fresh(there, study, BEST, 1).score


def test_a_run_costs_what_recorded_runs_cost(trainer: SurrogateTrainer, study: Study) -> None:
    cost = fresh(trainer, study, BEST, 1).cost
    assert (cost.train, cost.dev, cost.probe, cost.seconds) == (1000.0, 200.0, 0.0, 0.0)


def test_probes_show_the_recorded_influences_within_their_errors(
    trainer: SurrogateTrainer, study: Study, tmp_path: Path
) -> None:
    proposal = Proposal(Recipe(Mixture.from_array(NAMES, BEST)), 10, Role.ROUND, probe=Probe(NAMES, 4, queries=10))
    found = trainer.train(study, Task(0, proposal, 3, tmp_path / "c"), lambda step, score: None).measurement
    assert list(found.influence) == list(NAMES)
    values = {name: each.value for name, each in found.influence.items()}
    assert values["first"] == pytest.approx(0.03, abs=0.02) and values["noise"] == pytest.approx(-0.05, abs=0.02)
    assert found.influence["first"].per_target_error == pytest.approx({"easy": 0.002, "hard": 0.002})
    assert found.cost.probe == 4 * 4 * 10.0 and found.cost.dev == pytest.approx(200.0 + 5 * 20 * 1.0)


def test_a_survey_is_the_recorded_one(trainer: SurrogateTrainer, study: Study) -> None:
    proposal = Proposal(Recipe(Mixture.uniform(NAMES)), 0, Role.SURVEY)
    found = trainer.train(study, Task(0, proposal, 3, Path("unused")), lambda step, score: None).measurement
    assert found.neighbours["easy"] == {"first": 1.0} and found.score == 0.4


def test_without_recorded_rounds_there_are_no_influences(trainer: SurrogateTrainer) -> None:
    bare = replace(trainer, recalled=None, survey=None)
    assert {"influence", "checkpoint", "neighbours"}.isdisjoint(bare.provides)
    assert {"influence", "checkpoint", "neighbours"} <= trainer.provides
