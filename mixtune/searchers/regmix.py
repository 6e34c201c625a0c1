"""Regression on the mixtures of many short runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from pydantic import JsonValue as Json

from mixtune.errors import SearchExhausted
from mixtune.proposal import Proposal, Role
from mixtune.receipt import realised
from mixtune.recipe import FloatArray, Mixture, Recipe
from mixtune.searchers.base import Searcher
from mixtune.searchers.blackbox import completed, ranked, score_of
from mixtune.searchers.candidates import candidate_features, draw_candidates, features_of
from mixtune.searchers.dirichlet import Around
from mixtune.searchers.keep import options, pruning_and_batching_at, require_room
from mixtune.searchers.prior import Prior, prior_mixture
from mixtune.searchers.regression import MODELS, Predict, Runs, out_of_fold
from mixtune.study import Study
from mixtune.trial import Trial

BEST = 128
"""Candidates whose mean is proposed (paper)."""

_RECOMMEND = 0x7265676D


@dataclass(frozen=True, slots=True)
class RegMix(Searcher):
    """RegMix: score many short runs at random mixtures, fit a regression, and take the mixture that it predicts best.

    Liu et al., "RegMix: Data Mixture as Regression for Language Model Pre-training", arXiv 2407.01492. Each proposal is
    a fresh full-length run. The first ones are Dirichlet mixtures around the prior (see Around), open options at
    random. Once n_fit of them are complete, a model is fitted on all that are; of 100,000 candidates drawn likewise
    the mean of the 128 that it puts highest is proposed, and the value of each option that most of those have. k such
    proposals follow, each with a new fit; then, so that no budget is left over, random ones and predicted ones take
    turns (ours). It recommends what the last fit predicts best, and the best run so far before there is a fit.

    model is `lightgbm` (paper), `law`, a mixing law (see Law) for few runs, fitted for each target where runs bring
    metrics per target, or `auto` (ours): the one with the smaller error out of fold. The errors of both stand in the
    notes of every predicted proposal. kl pulls towards the prior, as olmix has it: from each candidate's prediction, in
    standard deviations of the scores fitted on (ours), kl * KL(w || prior) in nats is subtracted.

    prior: what mixtures are drawn around; the paper's is proportional. n_fit 16 and k 4 are ours, for budgets of tens
    of runs; the paper has 512 runs of a tiny model. A run that was ended early counts in the fit as `completed` has it,
    and not towards n_fit. Besides the score it reads Measurement.dev where that is there.
    """

    name: ClassVar[str] = "regmix"
    stoppable: ClassVar[bool] = True
    chooses_options: ClassVar[bool] = True
    contested: ClassVar[bool] = True
    prior: Prior = "proportional"
    n_fit: Annotated[int, Field(ge=2)] = 16
    k: Annotated[int, Field(ge=1)] = 4
    model: Literal["auto", "law", "lightgbm"] = "auto"
    kl: Annotated[float, Field(ge=0)] = 0.05

    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        """Propose a random mixture, or the predicted best one.

        Raises:
            SearchExhausted: the space holds a single recipe, and it was proposed.
            ConfigError: the prior is `expert` and the study has no expert weights.
            ValueError: the bounds leave no mixture, or would leave none at the lowest keep levels.
        """
        searched = [trial for trial in trials if trial.role is Role.SEARCH]
        if not searched:
            require_room(study)
        if searched and len(study.names) == 1 and not options(study):
            raise SearchExhausted("regmix has one source and no options: there is nothing to choose")
        predicted = [_predicted(trial) for trial in searched]
        turn = sum(predicted) < self.k or not predicted[-1]
        if turn and self._fits(searched):
            recipe, notes = self._best(study, searched, rng)
        else:
            weights = Around(prior_mixture(study, self.prior).array(study.names)).one(rng)
            chosen = {name: float(rng.choice(values)) for name, values in options(study).items()}
            recipe = study.recipe(Mixture.from_array(study.names, weights), *pruning_and_batching_at(study, chosen))
            notes = {"options": dict(chosen)}
        return Proposal(recipe, study.proxy.steps, Role.SEARCH, horizon=study.proxy.steps, notes=notes)

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """Name the recipe that the model predicts best; before there is one, that with the best dev score.

        Raises:
            SearchExhausted: no search trial is complete with a score.
        """
        searched = [trial for trial in trials if trial.role is Role.SEARCH]
        if not self._fits(searched):
            return ranked(self.name, searched)[0]
        return self._best(study, searched, np.random.default_rng([study.seed, _RECOMMEND]))[0]

    def finalists(self, study: Study, trials: Sequence[Trial], count: int) -> tuple[Recipe, ...]:
        """Name what the last fit predicts best, then what earlier fits did, by its dev score (ours).

        Before there is a fit, the recipes with the best dev scores.

        Raises:
            SearchExhausted: no search trial is complete with a score.
        """
        searched = [trial for trial in trials if trial.role is Role.SEARCH]
        if not self._fits(searched):
            return ranked(self.name, searched)[:count]
        predicted = [trial for trial in searched if _predicted(trial) and score_of(trial) is not None]
        others = ranked(self.name, predicted) if predicted else ()
        return tuple(dict.fromkeys((self.recommend(study, searched), *others)))[:count]

    def _fits(self, searched: Sequence[Trial]) -> bool:
        return sum(score_of(trial) is not None for trial in searched) >= self.n_fit

    def _best(
        self, study: Study, searched: Sequence[Trial], rng: np.random.Generator
    ) -> tuple[Recipe, dict[str, Json]]:
        """The recipe that a fit on the trials predicts best, and what there is to say of the fit."""
        runs = runs_of(study, searched)
        errors = {name: out_of_fold(runs, fit) for name, fit in MODELS.items()}
        rmse = {name: np.inf if error is None else error.rmse for name, error in errors.items()}
        model = min(rmse, key=lambda name: rmse[name]) if self.model == "auto" else self.model
        predict = MODELS[model](runs)
        prior = prior_mixture(study, self.prior).array(study.names)
        recipe, chosen = best_recipe(study, predict, runs.scores, prior=prior, kl=self.kl, rng=rng)
        notes: dict[str, Json] = {
            "options": dict(chosen),
            "model": model,
            "runs": len(runs.scores),
            "predicted": float(predict(features_of(study, recipe, chosen)[None])[0]),
            "scores_std": float(runs.scores.std()),
            "out_of_fold": {name: None if error is None else asdict(error) for name, error in errors.items()},
        }
        return recipe, notes


def runs_of(study: Study, searched: Sequence[Trial]) -> Runs:
    """The search trials with a score, as a regression sees them; runs that were ended early as `completed` has them.

    Values are the objective's metric of each target where every run has it, and the score alone otherwise. A run that
    was ended early is given the same growth at every target. Weights are those of the mixture that a run really drew
    (see mixtune.receipt.realised), groups those of equal recipes.
    """
    rows, scores, values, groups = [], [], [], []
    recipes: dict[Recipe, int] = {}
    for trial, whole in zip(searched, completed(searched), strict=True):
        score = score_of(whole)
        if score is None or trial.measurement is None or trial.measurement.score is None:
            continue
        recipe, growth = trial.proposal.recipe, score - trial.measurement.score
        trained = replace(recipe, mixture=realised(study, trial))
        rows.append(features_of(study, trained, _options(trial)))
        scores.append(score)
        dev = [trial.measurement.dev.get(target.name, {}) for target in study.targets]
        values.append([metrics.get(study.objective.metric, np.nan) + growth for metrics in dev])
        groups.append(recipes.setdefault(recipe, len(recipes)))
    per_target, score_array = np.array(values), np.array(scores)
    if np.isfinite(per_target).all():
        return Runs(np.array(rows), score_array, per_target, np.array(groups), lambda each: objective_at(study, each))
    return Runs(np.array(rows), score_array, score_array[:, None], np.array(groups), lambda each: each[:, 0])


def best_recipe(
    study: Study, predict: Predict, scores: FloatArray, *, prior: FloatArray, kl: float, rng: np.random.Generator
) -> tuple[Recipe, Mapping[str, float]]:
    """The mean of the BEST candidates, brought into the study's space, and the options that most of them have."""
    best: tuple[npt.NDArray[np.generic], ...] = ()
    for some in draw_candidates(study, prior, rng):
        w = some.weights
        divergence = (w * np.log(np.maximum(w, 1e-30) / prior.astype(np.float32))).sum(axis=1)
        predicted = predict(candidate_features(study, some))
        value = (predicted - scores.mean()) / max(float(scores.std()), 1e-12) - kl * divergence
        found = (value, w, some.chosen)
        best = tuple(np.concatenate(both) for both in zip(best, found, strict=True)) if best else found
        order = np.argsort(-best[0].astype(np.float64), kind="stable")[:BEST]
        best = tuple(each[order] for each in best)
    _, weights, picked = best
    chosen = {
        name: values[int(np.bincount(picked[:, column]).argmax())]
        for column, (name, values) in enumerate(options(study).items())
    }
    mixture = Mixture.from_array(study.names, weights.mean(axis=0))
    return study.recipe(mixture, *pruning_and_batching_at(study, chosen)), chosen


def objective_at(study: Study, values: FloatArray) -> FloatArray:
    """The study's objective from metrics per target, (n, N) -> (n,), as Study.score has it."""
    if study.objective.aggregate == "worst":
        return np.asarray(values.min(axis=1))
    if study.objective.aggregate == "macro":
        return np.asarray(values.mean(axis=1))
    return np.asarray(values @ study.target_weights())


def _predicted(trial: Trial) -> bool:
    return "model" in trial.proposal.notes


def _options(trial: Trial) -> dict[str, float]:
    chosen = trial.proposal.notes["options"]
    if not isinstance(chosen, dict):
        raise ValueError(f"trial {trial.number} was not proposed by regmix: {trial.proposal.notes}")
    return {name: float(value) for name, value in chosen.items() if isinstance(value, int | float)}
