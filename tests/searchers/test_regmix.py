from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from planted import World, explore, planted_study, survey, with_last

from mixtune.errors import SearchExhausted
from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Recipe
from mixtune.search import Objective
from mixtune.searchers import candidates, regmix
from mixtune.searchers.regmix import RegMix, best_recipe, runs_of
from mixtune.space import Space
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "CANDIDATES", 15_000)


@dataclass(frozen=True)
class PerTarget(World):
    """A world that brings metrics per target as well."""

    def answer(self, proposal: Proposal, seed: int) -> Measurement:
        homes = np.sqrt(proposal.recipe.mixture.array(self.study.names)[: len(self.study.targets)])
        noise = self.noise * np.random.default_rng(seed).standard_normal(len(homes))
        targets = (target.name for target in self.study.targets)
        dev = {name: {"ndcg@10": float(value)} for name, value in zip(targets, homes + noise, strict=True)}
        return Measurement(proposal.steps, self.study.score(dev), dev=dev)


def kinds(trials: Sequence[Trial]) -> str:
    """r for random, p for predicted."""
    return "".join("p" if "model" in trial.proposal.notes else "r" for trial in trials[1:])


def test_n_fit_random_ones_then_k_predicted_ones_then_turns() -> None:
    trials = explore(RegMix(n_fit=5, k=2), World(planted_study(4)), 11)
    assert kinds(trials) == "rrrrr" + "pp" + "rprp"


def test_a_random_proposal_follows_from_its_number_alone() -> None:
    study = planted_study(6)
    searcher, first = RegMix(), explore(RegMix(), World(study), 3)
    other = explore(RegMix(), World(replace(study, seed=5)), 3)
    assert searcher.suggest(study, first, study.rng(4)) == searcher.suggest(study, other, study.rng(4))
    assert searcher.suggest(study, first, study.rng(4)) != searcher.suggest(study, first, study.rng(5))


def test_runs_that_failed_or_ended_early_do_not_count_towards_the_fit() -> None:
    study = planted_study(4)
    searcher = RegMix(n_fit=3)
    trials = explore(searcher, World(study), 3)
    for state in (TrialState.FAILED, TrialState.PRUNED, TrialState.RUNNING):
        ended = with_last(trials, state, trials[-1].measurement)
        assert "model" not in searcher.suggest(study, ended, study.rng(4)).notes
    assert "model" in searcher.suggest(study, trials, study.rng(4)).notes


def test_an_early_end_is_fitted_with_what_it_would_have_become() -> None:
    study = planted_study(2)
    first, second = explore(RegMix(), World(study), 2)[1:]

    def dev(value: float) -> dict[str, dict[str, float]]:
        return {"t0": {"ndcg@10": value}, "t1": {"ndcg@10": value + 0.1}}

    whole = Measurement(step=9, score=0.55, rungs={3: 0.25}, dev=dev(0.5))
    ended = Measurement(step=3, score=0.15, rungs={3: 0.15}, dev=dev(0.1))
    runs = runs_of(
        study, [replace(first, measurement=whole), replace(second, state=TrialState.PRUNED, measurement=ended)]
    )
    assert runs.scores == pytest.approx([0.55, 0.15 + 0.3])
    assert runs.values == pytest.approx(np.array([[0.5, 0.6], [0.4, 0.5]]))
    assert runs.combine(runs.values) == pytest.approx(runs.scores)


@pytest.mark.parametrize(("aggregate", "expected"), [("mean", 0.75 * 0.2 + 0.25 * 0.6), ("macro", 0.4), ("worst", 0.2)])
def test_targets_combine_as_the_objective_says(aggregate: str, expected: float) -> None:
    study = planted_study(3)
    study = replace(
        study,
        objective=replace(Objective(), aggregate=aggregate),
        targets=(replace(study.targets[0], weight=3.0), study.targets[1]),
    )
    trials = explore(RegMix(), PerTarget(study), 1)[1:]
    assert runs_of(study, trials).combine(np.array([[0.2, 0.6]])) == pytest.approx([expected])


def test_metrics_of_some_targets_alone_are_left_aside() -> None:
    study = planted_study(3)
    whole, partial = explore(RegMix(), PerTarget(study), 2)[1:]
    assert partial.measurement is not None
    partial = replace(partial, measurement=replace(partial.measurement, dev={"t0": {"ndcg@10": 0.5}}))
    assert runs_of(study, [whole]).values.shape == (1, 2)
    assert runs_of(study, [whole, partial]).values.shape == (2, 1)


@pytest.mark.parametrize("world", [World, PerTarget])
def test_after_forty_runs_it_recommends_better_than_any_random_point(world: type[World]) -> None:
    study = planted_study(16)
    planted = world(study, noise=0.005)
    searcher = RegMix(n_fit=36, k=4)
    trials = explore(searcher, planted, 40)
    seen = max(planted.value(trial.proposal.recipe) for trial in trials[1:37])
    assert planted.value(searcher.recommend(study, trials)) > seen


def test_auto_takes_the_model_with_the_smaller_error_out_of_fold() -> None:
    trials = explore(RegMix(n_fit=12, k=2), PerTarget(planted_study(6), noise=0.01), 14)
    for trial in trials[13:]:
        notes = trial.proposal.notes
        errors = notes["out_of_fold"]
        assert isinstance(errors, dict) and set(errors) == {"law", "lightgbm"}
        assert notes["model"] == min(errors, key=lambda name: errors[name]["rmse"])  # type: ignore[index,call-overload]
        assert all(set(error) == {"rmse", "spearman"} for error in errors.values())  # type: ignore[arg-type]


@pytest.mark.parametrize("model", ["law", "lightgbm"])
def test_a_model_that_is_named_is_taken(model: str) -> None:
    trials = explore(RegMix(n_fit=6, k=1, model=model), World(planted_study(3)), 7)  # type: ignore[arg-type]
    assert trials[-1].proposal.notes["model"] == model


def best(study: Study, kl: float = 0.0, wanted: int = 0) -> Recipe:
    """What is proposed where a source's weight is the score."""
    prior = study.proportional().array(study.names)
    rng = np.random.default_rng(0)
    scores = np.array([0.0, 1.0])
    return best_recipe(study, lambda x: np.asarray(x[:, wanted], dtype=float), scores, prior=prior, kl=kl, rng=rng)[0]


def test_the_pull_moves_towards_the_prior() -> None:
    study = planted_study(6)
    prior = study.proportional().array(study.names)
    mixtures = [best(study, kl).mixture.array(study.names) for kl in (0.0, 0.05, 0.3, 1.0, 10.0)]
    divergences = [float((w * np.log(w / prior)).sum()) for w in mixtures]
    assert divergences == sorted(divergences, reverse=True) and divergences[0] > 5 * divergences[-1]


def test_the_pull_is_in_standard_deviations_of_the_scores() -> None:
    study = planted_study(6)
    prior = study.proportional().array(study.names)

    def at(scale: float) -> Recipe:
        rng, scores = np.random.default_rng(0), np.array([0.0, scale])
        return best_recipe(study, lambda x: scale * x[:, 0].astype(float), scores, prior=prior, kl=0.3, rng=rng)[0]

    assert at(1.0).mixture.array(study.names) == pytest.approx(at(1e-4).mixture.array(study.names), abs=1e-6)


def test_no_weight_is_proposed_above_fifteen_times_its_prior() -> None:
    study = planted_study(40)
    prior = study.proportional()["s0"]
    assert 5 * prior < best(study).mixture["s0"] < 15 * prior + 1e-3
    for trial in explore(RegMix(n_fit=10, k=1), World(study), 12)[1:]:
        weights = trial.proposal.recipe.mixture
        assert all(weights[name] <= 15 * share + 1e-3 for name, share in study.proportional().items())


def test_caps_are_obeyed_and_used_up() -> None:
    study = planted_study(6, space=Space(cap={"s3": 0.3}))
    assert best(study, wanted=3).mixture["s3"] == pytest.approx(0.3, abs=0.01)


def test_the_mean_of_a_hundred_and_twenty_eight_is_proposed() -> None:
    study = planted_study(5)
    prior = study.proportional().array(study.names)
    parts = candidates.draw_candidates(study, prior, np.random.default_rng(0))
    drawn = np.concatenate([part.weights for part in parts])
    expected = drawn[np.argsort(-drawn[:, 0].astype(float), kind="stable")[:128]].mean(axis=0)
    assert best(study).mixture.array(study.names) == pytest.approx((1 - 5e-3) * expected + 1e-3, abs=1e-6)
    assert regmix.BEST == 128


def test_options_are_drawn_and_the_better_value_is_found() -> None:
    study = planted_study(3, space=Space(levels={"s0": (0.25, 1.0)}, choices={"topics": (0.0, 8.0)}))
    world = World(study, best_kept={"s0": 0.25})
    searcher = RegMix(n_fit=30, k=1)
    trials = explore(searcher, world, 30)
    assert {trial.proposal.recipe.pruning.share("s0") for trial in trials[1:]} == {0.25, 1.0}
    assert {trial.proposal.recipe.batching.topics for trial in trials[1:]} == {0, 8}
    assert searcher.recommend(study, trials).pruning.share("s0") == 0.25


def test_one_source_with_keep_levels_is_a_space_to_search() -> None:
    study = planted_study(1, targets=1, space=Space(levels={"s0": (0.5, 1.0)}))
    trials = explore(RegMix(n_fit=4, k=1), World(study), 8)
    assert len(trials) == 9 and {t.proposal.recipe.pruning.share("s0") for t in trials[1:]} == {0.5, 1.0}


def test_a_space_of_one_recipe_is_exhausted_after_it() -> None:
    study = planted_study(1, targets=1)
    trials = explore(RegMix(), World(study), 3)
    assert len(trials) == 2
    with pytest.raises(SearchExhausted, match="nothing to choose"):
        RegMix().suggest(study, trials, study.rng(2))


def test_before_the_fit_the_best_run_is_recommended() -> None:
    study = planted_study(4)
    trials = explore(RegMix(n_fit=9), World(study), 5)
    ranked = max(trials[1:], key=lambda trial: trial.measurement.score or 0.0)  # type: ignore[union-attr]
    assert RegMix(n_fit=9).recommend(study, trials) == ranked.proposal.recipe
    with pytest.raises(SearchExhausted, match="let at least one finish"):
        RegMix().recommend(study, [survey(study)])


def test_scores_that_are_all_equal_lead_back_to_the_prior() -> None:
    study = planted_study(4)
    trials = explore(RegMix(n_fit=6), World(study), 6)
    flat = [trials[0], *(replace(trial, measurement=Measurement(score=0.5)) for trial in trials[1:])]
    found = RegMix(n_fit=6).recommend(study, flat).mixture.array(study.names)
    assert found == pytest.approx(study.proportional().array(study.names), abs=0.1)


def test_a_proposal_is_a_fresh_run_of_full_length() -> None:
    study = planted_study(3)
    for trial in explore(RegMix(n_fit=4, k=1), World(study), 5)[1:]:
        proposal = trial.proposal
        assert (proposal.role, proposal.steps, proposal.parent) == (Role.SEARCH, study.proxy.steps, None)
