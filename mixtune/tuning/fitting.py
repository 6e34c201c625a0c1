"""Fits a surrogate to the runs of finished studies, and says how well it tells runs that it was not fitted on."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mixtune.errors import ConfigError
from mixtune.proposal import Role
from mixtune.ranks import spearman
from mixtune.recipe import FloatArray
from mixtune.report.fresh import fresh_runs
from mixtune.searchers.keep import options
from mixtune.searchers.law import fit_law
from mixtune.searchers.regression import Error, Predict, Runs, held_out
from mixtune.store.recording import Recorded
from mixtune.study import Study
from mixtune.trial import TrialState
from mixtune.tuning.gaussian import GaussianProcess, fit_process
from mixtune.tuning.surrogate import Fitted, Model, Surface, Surrogate, score_of_losses

FEWEST = 20
"""Distinct mixtures below which no surface is fitted (ours)."""

SURFACES = 10
"""Surfaces that repeats of a replay take in turn, each fitted to another resample of the mixtures (ours)."""

FITS: Mapping[str, Callable[[FloatArray, FloatArray], Model]] = {"law": fit_law, "gaussian process": fit_process}
"""What may be fitted to a column. Trees are not among them: their plateaus have no slope, which influences follow."""


def fit_surrogate(studies: Sequence[Recorded], surfaces: int = SURFACES) -> Surrogate:
    """Fit surfaces to all fresh full-length runs of studies on the same data.

    Each column (a target's metric, its dev loss) takes the model with the smaller error on mixtures that it was not
    fitted on. Runs of a mixture that ran again tell the seeds' noise; what the error out of fold has beyond it is the
    surface's own misfit. A study without any rerun leaves that to the seeds: then all of it counts as their noise.

    Raises:
        ConfigError: the studies are not on the same data, have open options besides weights, or too few runs.
    """
    study = same_study(studies)
    weights, losses, scores, groups = _runs(study, studies)
    mixtures = int(groups.max(initial=-1)) + 1
    if mixtures < FEWEST:
        raise ConfigError(
            f"{mixtures} mixtures have a fresh full-length run in {', '.join(each.study.name for each in studies)}; "
            f"a surface needs {FEWEST} or more: run a study of them first (search random or qmc, budget trials 60)"
        )
    columns = [Runs(weights, column, column[:, None], groups, lambda each: each[:, 0]) for column in losses.T]
    held, fitted, models = [], [], []
    for column, (target, measure) in zip(columns, _columns(study), strict=True):
        tried = {name: _held_out(column, fit) for name, fit in FITS.items()}
        errors = {name: _error(found, column.scores) for name, found in tried.items()}
        chosen = min(errors, key=lambda name: errors[name].rmse)
        held.append(tried[chosen])
        fitted.append(Fitted(target, measure, chosen, errors))
        models.append(FITS[chosen](weights, column.scores))
    residual = losses - np.stack(held, axis=1)
    seed_noise, freedom = _within(losses, groups)
    predicted = score_of_losses(study, np.stack(held, axis=1))
    seed_sd, _ = _within(scores[:, None], groups)
    quality = _error(predicted, scores)
    seed = float(np.sqrt((seed_sd**2).sum())) if freedom else quality.rmse
    beyond = max(0.0, quality.rmse**2 - seed**2) / max(quality.rmse**2, 1e-300)
    unit = np.sqrt(len(residual))
    return Surrogate(
        study=study,
        surfaces=(Surface(tuple(models)), *_resampled(models, weights, losses, groups, surfaces - 1)),
        base=_base(study, studies),
        seed_noise=seed_noise if freedom else residual / unit,
        misfit=residual / unit * np.sqrt(beyond),
        seed_sd=seed,
        misfit_sd=float(np.sqrt(beyond)) * quality.rmse,
        fitted=tuple(fitted),
        quality=quality,
        covered=_covered(predicted - scores, groups),
        runs=len(scores),
        mixtures=mixtures,
        reruns=len(scores) - mixtures,
    )


def same_study(studies: Sequence[Recorded]) -> Study:
    """The first study, if all are prepared from the same data for the same objective by the same training.

    Raises:
        ConfigError: they are not, or a study has open options.
    """
    first = studies[0].study
    for each in (one.study for one in studies):
        if options(each):
            raise ConfigError(
                f"study {each.name!r} chooses {', '.join(options(each))} beside the weights: a surface is fitted to "
                f"weights alone, so replay studies without lists of keep levels, pruning and batching"
            )
        for what, facts in _FACTS.items():
            if facts(each) != facts(first):
                raise ConfigError(f"studies {first.name!r} and {each.name!r} differ in {what}: replay them apart")
    return first


_FACTS: Mapping[str, Callable[[Study], object]] = {
    "sources": lambda study: (study.names, [study.prepared.sources[name].sha256 for name in study.names]),
    "targets": lambda study: [(each.name, each.weight, study.prepared.targets[each.name]) for each in study.targets],
    "model": lambda study: study.prepared.model or study.model,
    "proxy": lambda study: study.proxy,
    "objective": lambda study: study.objective,
    "space": lambda study: study.space,
}


def _columns(study: Study) -> list[tuple[str, str]]:
    names = [target.name for target in study.targets]
    return [*((name, study.objective.metric) for name in names), *((name, "dev loss") for name in names)]


def _runs(
    study: Study, studies: Sequence[Recorded]
) -> tuple[FloatArray, FloatArray, FloatArray, npt.NDArray[np.int64]]:
    """Weights (n, M), losses (n, 2 N), scores (n,) and numbers of the mixtures (n,) of all fresh runs."""
    found = fresh_runs(study, [trial for each in studies for trial in each.trials])
    recipes = list(dict.fromkeys(trial.proposal.recipe for trial, _, _ in found))
    place = {recipe: index for index, recipe in enumerate(recipes)}
    names, metric = [target.name for target in study.targets], study.objective.metric
    return (
        np.array([trial.proposal.recipe.mixture.array(study.names) for trial, _, _ in found]),
        np.array(
            [
                [*(1 - seen.dev[name][metric] for name in names), *(seen.dev_loss[name] for name in names)]
                for _, seen, _ in found
            ]
        ),
        np.array([score for _, _, score in found]),
        np.array([place[trial.proposal.recipe] for trial, _, _ in found], dtype=np.int64),
    )


def _base(study: Study, studies: Sequence[Recorded]) -> FloatArray:
    """Losses of the untrained model, from a survey; where there is none the runs start from the mean of their ends."""
    for trial in (trial for each in studies for trial in each.trials):
        if trial.role is Role.SURVEY and trial.state is TrialState.COMPLETE and trial.measurement is not None:
            seen, names = trial.measurement, [target.name for target in study.targets]
            metrics = [1 - seen.dev[name][study.objective.metric] for name in names]
            return np.array([*metrics, *(seen.dev_loss[name] for name in names)])
    return np.asarray(_runs(study, studies)[1].mean(axis=0))


def _held_out(runs: Runs, fit: Callable[[FloatArray, FloatArray], Model]) -> FloatArray:
    def fitted(part: Runs) -> Predict:
        model = fit(part.features, part.scores)
        return lambda features: np.asarray(model(features), dtype=np.float64)

    predicted = held_out(runs, fitted)
    if predicted is None:  # FEWEST mixtures are more than one
        raise ValueError("a single mixture cannot be held out")
    return predicted


def _error(predicted: FloatArray, scores: FloatArray) -> Error:
    return Error(float(np.sqrt(np.mean((predicted - scores) ** 2))), spearman(predicted, scores))


def _within(values: FloatArray, groups: npt.NDArray[np.int64]) -> tuple[FloatArray, int]:
    """Deviations (n, D) from the mean of their mixture over the root of their degrees of freedom, and these."""
    counts = np.bincount(groups)
    means = np.stack([np.bincount(groups, column) / counts for column in values.T], axis=1)
    freedom = int(counts.sum() - len(counts))
    again = counts[groups] > 1
    return (values - means[groups])[again] / np.sqrt(max(1, freedom)), freedom


def _covered(residual: FloatArray, groups: npt.NDArray[np.int64]) -> float:
    """Share of residuals within 1.96 standard deviations, as those of other mixtures tell them."""
    fold = groups % 5
    inside = [abs(residual[fold == each]) <= 1.96 * residual[fold != each].std() for each in np.unique(fold)]
    return float(np.concatenate(inside).mean())


def _resampled(
    models: Sequence[Model], weights: FloatArray, losses: FloatArray, groups: npt.NDArray[np.int64], count: int
) -> list[Surface]:
    """Surfaces of the same models, fitted to mixtures drawn with replacement."""
    rng, found = np.random.default_rng(0), []
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    for _ in range(count):
        rows = np.concatenate([members[each] for each in rng.integers(len(members), size=len(members))])
        found.append(
            Surface(
                tuple(
                    model.refitted(weights[rows], column[rows])
                    if isinstance(model, GaussianProcess)
                    else fit_law(weights[rows], column[rows])
                    for model, column in zip(models, losses.T, strict=True)
                )
            )
        )
    return found
