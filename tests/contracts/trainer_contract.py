"""What every trainer promises. A new one subclasses TrainerContract and gives the fixtures `trainer` and `study`."""

import json
import math
import pickle
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import pytest

from mixtune.batching import Batching
from mixtune.errors import TrainingError
from mixtune.measurement import Cost, Measurement, Outcome
from mixtune.proposal import JUDGED, Gradients, Probe, Proposal, Role, Rule
from mixtune.recipe import Mixture, Recipe
from mixtune.study import Study
from mixtune.training.base import Task, Trainer

STEPS = 4


class TrainerContract:
    """Tests that hold for any trainer. The study is prepared, has two sources or more, and its runs are short."""

    @pytest.fixture
    def trainer(self) -> Trainer:
        raise NotImplementedError("give the fixture `trainer`")

    @pytest.fixture
    def study(self) -> Study:
        raise NotImplementedError("give the fixture `study`")

    @pytest.fixture
    def recipe(self, study: Study) -> Recipe:
        return Recipe(Mixture.uniform(study.names))

    def run(
        self,
        trainer: Trainer,
        study: Study,
        proposal: Proposal,
        place: Path,
        *,
        seed: int = 5,
        parent: Path | None = None,
        thresholds: Mapping[int, float] | None = None,
        reference: Path | None = None,
    ) -> Outcome:
        number = 0 if parent is None else 1
        task = Task(number, proposal, seed, place, parent, thresholds or {}, reference)
        return trainer.train(study, task, lambda step, score: None)

    def test_equal_inputs_give_equal_outcomes(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        proposal = Proposal(recipe, STEPS, Role.ROUND, probe=Probe(study.names, 1))
        first, second = (untimed(self.run(trainer, study, proposal, tmp_path / name)) for name in "ab")
        assert replace(first.measurement, checkpoint=None) == replace(second.measurement, checkpoint=None)

    def test_a_pickled_copy_does_the_same(self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path) -> None:
        proposal = Proposal(recipe, STEPS, Role.SEARCH)
        copy = pickle.loads(pickle.dumps(trainer))
        own, other = (untimed(self.run(one, study, proposal, tmp_path / "c")) for one in (trainer, copy))
        assert own == other

    def test_two_rounds_equal_one_of_all_their_steps(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        half = Proposal(recipe, STEPS, Role.ROUND)
        self.run(trainer, study, half, tmp_path / "first")
        chained = self.run(
            trainer, study, replace(half, parent=0), tmp_path / "second", seed=77, parent=tmp_path / "first"
        ).measurement
        whole = self.run(trainer, study, replace(half, steps=2 * STEPS), tmp_path / "whole").measurement
        assert chained.step == whole.step == 2 * STEPS
        assert chained.score == whole.score
        assert chained.dev == whole.dev
        assert chained.dev_loss == whole.dev_loss
        assert chained.exposure == whole.exposure

    def test_the_receipt_counts_the_batches_of_this_run(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        self.run(trainer, study, Proposal(recipe, STEPS, Role.ROUND), tmp_path / "first")
        goes_on = Proposal(recipe, STEPS + 1, Role.ROUND, parent=0, probe=Probe(study.names, 1))
        receipt = self.run(trainer, study, goes_on, tmp_path / "second", parent=tmp_path / "first").measurement.receipt
        assert sum(drawn.batches for drawn in receipt.values()) == STEPS + 1
        for name, drawn in receipt.items():
            assert drawn.rows == drawn.batches * min(study.proxy.batch_size, study.rows[name])
            assert 0 < drawn.unique_rows <= min(drawn.rows, study.rows[name])

    def test_only_sources_with_weight_are_drawn(self, trainer: Trainer, study: Study, tmp_path: Path) -> None:
        only = study.names[1]
        proposal = Proposal(Recipe(Mixture({only: 1.0})), STEPS, Role.SEARCH)
        measurement = self.run(trainer, study, proposal, tmp_path / "c").measurement
        assert set(measurement.receipt) == {only}
        assert {name: value for name, value in measurement.exposure.items() if value} == {only: STEPS}

    def test_every_probed_source_gets_an_influence_with_its_error(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        probed = study.names[:2]
        proposal = Proposal(recipe, STEPS, Role.ROUND, probe=Probe(probed, 1))
        measurement = self.run(trainer, study, proposal, tmp_path / "c").measurement
        assert set(measurement.influence) == set(probed)
        for influence in measurement.influence.values():
            assert influence.value is not None and influence.error is not None and influence.error >= 0
            assert set(influence.per_target) == {target.name for target in study.targets}
        assert measurement.merge in ("merged", "no_merge")
        assert set(measurement.dev_loss) == {target.name for target in study.targets}

    def test_what_is_provided_are_fields_of_a_measurement(self, trainer: Trainer) -> None:
        assert {"score"} <= trainer.provides <= {field.name for field in fields(Measurement)}

    def test_a_checkpoint_appears_when_a_round_is_done_and_not_before(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        place, seen = tmp_path / "deep" / "checkpoint", []

        def watch(step: int, score: float | None) -> None:
            if score is None:
                seen.append(place.exists())

        trainer.train(study, Task(0, Proposal(recipe, STEPS, Role.ROUND), 5, place), watch)
        assert seen and not any(seen)
        assert [path.name for path in place.parent.iterdir()] == ["checkpoint"]

    def test_a_run_that_nothing_continues_leaves_no_checkpoint(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        outcome = self.run(trainer, study, Proposal(recipe, STEPS, Role.SEARCH), tmp_path / "c")
        assert list(tmp_path.iterdir()) == []
        assert outcome.measurement.checkpoint is None

    def test_a_missing_parent_is_a_training_error_that_names_it(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        proposal = Proposal(recipe, STEPS, Role.ROUND, parent=0)
        with pytest.raises(TrainingError, match="gone"):
            self.run(trainer, study, proposal, tmp_path / "c", parent=tmp_path / "gone")
        assert not (tmp_path / "c").exists()

    @pytest.mark.parametrize("role", list(Role))
    def test_judged_roles_and_no_others_are_scored_on_test_query_by_query(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path, role: Role
    ) -> None:
        steps = 0 if role is Role.SURVEY else STEPS
        outcome = self.run(trainer, study, Proposal(recipe, steps, role), tmp_path / "c")
        targets = {target.name for target in study.targets}
        assert set(outcome.measurement.dev) == targets
        assert set(outcome.measurement.test) == set(outcome.scores) == (targets if role in JUDGED else set())
        for name, metrics in outcome.scores.items():
            assert {"ndcg@10", "recall@20"} <= set(metrics)
            for metric, values in metrics.items():
                assert len(values) == study.prepared.targets[name].test_queries, metric

    def test_progress_counts_up_and_ends_at_the_last_step(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        told: list[tuple[int, float | None]] = []
        task = Task(0, Proposal(recipe, STEPS, Role.SEARCH), 5, tmp_path / "c")
        outcome = trainer.train(study, task, lambda step, score: told.append((step, score)))
        steps = [step for step, _ in told]
        assert steps == sorted(steps) and max(steps) <= STEPS
        assert {score for _, score in told} <= {None, outcome.measurement.score}

    def test_rungs_that_let_a_run_go_on_change_nothing_but_its_dev_cost(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        proposal = Proposal(recipe, STEPS, Role.ROUND)  # its checkpoint holds parameters, optimiser and random state
        plain, looked = (
            untimed(self.run(trainer, study, proposal, tmp_path / name, thresholds=thresholds))
            for name, thresholds in (("plain", {}), ("looked", {1: -math.inf, 3: 0.0}))
        )
        assert not looked.pruned and list(looked.measurement.rungs) == [1, 3]
        assert looked.measurement.cost.dev > plain.measurement.cost.dev
        kept = replace(looked.measurement, rungs={}, cost=plain.measurement.cost)
        assert replace(kept, checkpoint=None) == replace(plain.measurement, checkpoint=None)
        assert looked.measurement.cost.train == plain.measurement.cost.train
        files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("plain", "looked")]
        assert files[0] == files[1]

    def test_a_run_ends_at_the_first_rung_where_its_score_is_too_low(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        proposal = Proposal(recipe, STEPS, Role.SEARCH, horizon=STEPS)
        told: list[tuple[int, float | None]] = []
        task = Task(0, proposal, 5, tmp_path / "c", None, {1: -math.inf, 2: math.inf, 3: math.inf})
        outcome = trainer.train(study, task, lambda step, score: told.append((step, score)))
        found = outcome.measurement
        assert outcome.pruned and found.step == 2 and list(found.rungs) == [1, 2]
        assert told[-2:] == [(1, found.rungs[1]), (2, found.score)] and found.score == found.rungs[2]
        assert sum(drawn.batches for drawn in found.receipt.values()) == sum(found.exposure.values()) == 2
        short = self.run(trainer, study, replace(proposal, steps=2), tmp_path / "d").measurement
        assert (found.dev, found.dev_loss, found.loss, found.cost.train) == (
            short.dev,
            short.dev_loss,
            short.loss,
            short.cost.train,
        )
        assert list(tmp_path.iterdir()) == []

    def test_a_score_that_equals_its_threshold_goes_on(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        proposal = Proposal(recipe, STEPS, Role.SEARCH)
        looked = self.run(trainer, study, proposal, tmp_path / "c", thresholds={2: -math.inf})
        again = self.run(trainer, study, proposal, tmp_path / "c", thresholds=looked.measurement.rungs)
        assert untimed(again) == untimed(looked)

    def test_a_chain_under_a_rule_is_one_run_of_all_its_steps(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        mixed = replace(recipe, batching=Batching(mixed=True))
        reference = tmp_path / "reference"
        self.run(trainer, study, Proposal(mixed, 1, Role.REFERENCE), reference)
        first = Proposal(mixed, 1, Role.ROUND, rule=Rule("tdro", {"eta": 0.5}, negatives=2), reference=0)
        began = self.run(trainer, study, first, tmp_path / "a", reference=reference).measurement
        told = {name: tuple(values) for name, values in json.loads(json.dumps(dict(began.rule))).items()}
        second = replace(first, steps=2, parent=0, rule=Rule("tdro", {"eta": 0.5}, told, 2))
        chained, whole = (
            self.run(
                trainer, study, proposal, tmp_path / name, seed=seed, parent=parent, reference=reference
            ).measurement
            for proposal, name, seed, parent in (
                (second, "b", 77, tmp_path / "a"),
                (replace(first, steps=3), "whole", 5, None),
            )
        )
        assert chained.rule == whole.rule != began.rule
        assert (chained.step, chained.score, chained.dev) == (whole.step, whole.score, whole.dev)
        assert chained.dev_loss == whole.dev_loss
        assert chained.exposure == pytest.approx(whole.exposure)
        assert set(whole.reference_loss) == set(whole.loss) == set(whole.receipt)
        for name, drawn in whole.receipt.items():
            assert whole.exposure[name] == pytest.approx(drawn.rows / study.proxy.batch_size)

    def test_a_rule_on_batches_of_one_source_is_a_training_error(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        proposal = Proposal(recipe, STEPS, Role.ROUND, rule=Rule("tdro"), reference=0)
        with pytest.raises(TrainingError, match="mix"):
            self.run(trainer, study, proposal, tmp_path / "c")

    def test_a_missing_reference_is_a_training_error_that_names_it(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        mixed = replace(recipe, batching=Batching(mixed=True))
        proposal = Proposal(mixed, STEPS, Role.ROUND, rule=Rule("tdro"), reference=0)
        with pytest.raises(TrainingError, match="gone"):
            self.run(trainer, study, proposal, tmp_path / "c", reference=tmp_path / "gone")

    def test_gradients_show_how_each_source_lies_to_each_target_and_move_nothing(
        self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path
    ) -> None:
        proposal = Proposal(recipe, 2, Role.SEARCH)
        plain = self.run(trainer, study, proposal, tmp_path / "c").measurement
        asked = replace(proposal, gradients=Gradients(study.names, queries=4, negatives=4))
        found = self.run(trainer, study, asked, tmp_path / "c").measurement
        assert set(found.alignment) == set(study.names)
        for alignment in found.alignment.values():
            assert set(alignment.cosine) == set(alignment.product) == {target.name for target in study.targets}
            assert all(-1 <= cosine <= 1 for cosine in alignment.cosine.values()) and alignment.norm > 0
        assert (found.score, found.dev, found.loss) == (plain.score, plain.dev, plain.loss)

    def test_work_costs_operations(self, trainer: Trainer, study: Study, recipe: Recipe, tmp_path: Path) -> None:
        once, twice = (
            self.run(trainer, study, Proposal(recipe, steps, Role.SEARCH), tmp_path / "c").measurement.cost
            for steps in (STEPS, 2 * STEPS)
        )
        assert 0 < once.train < twice.train
        assert once.test == 0


def untimed(outcome: Outcome) -> Outcome:
    """The outcome without wall seconds."""
    cost: Cost = replace(outcome.measurement.cost, seconds=0.0)
    return replace(outcome, measurement=replace(outcome.measurement, cost=cost))
