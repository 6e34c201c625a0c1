"""What a study measured that predicts the effect of other weights."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from mixtune.proposal import FRESH, Role
from mixtune.receipt import realised
from mixtune.recipe import FloatArray, Recipe
from mixtune.report.options import chosen
from mixtune.report.panels.aligned import aligned
from mixtune.report.panels.fitted import fitted
from mixtune.report.panels.headroom import headroom
from mixtune.report.panels.influences import standings
from mixtune.searchers.blackbox import score_of
from mixtune.searchers.candidates import features_of
from mixtune.searchers.keep import SHARED, keep_choices, keep_option, options
from mixtune.searchers.regression import MODELS, Runs
from mixtune.searchers.surveyed import complete_survey
from mixtune.study import Study
from mixtune.trial import Trial

Predict: TypeAlias = Callable[[Recipe, Recipe], float | None]
"""From a recipe and a changed one to the effect of the change; None where the signal says nothing of it."""

LEAST = 8
"""Distinct recipes below which no law is fitted, nor below the number of sources (ours)."""


def signals(study: Study, trials: Sequence[Trial]) -> dict[str, Predict]:
    """Everything that a study has to predict with, what its own search read first.

    `influence` (Inf-DDS, scout), `alignment` (mean cosine, MultiDDS), `ratio` (proxy over reference loss: tDRO, DoReMi)
    and `raised` (logarithm of the rule's weight over its start: DoGE) say what a little more of a source would do, in a
    unit of their own: the effect of a change is the sum over sources of change of weight times signal. `law` and
    `lightgbm` (RegMix) are fitted to the fresh runs, where there are enough, and asked about the changed recipe.
    `neighbours`, the share of the nearest training queries over the share of rows, comes from every survey.
    """
    found: dict[str, Predict] = {}
    for name, gains in _gains(study, trials):
        if gains:
            found[name] = _linear(gains)
    for name, fit in _fits(study, trials):
        found[name] = fit
    near = _neighbours(study, trials)
    if near:
        found["neighbours"] = _linear(near)
    return found


def influence_by_target(study: Study, trials: Sequence[Trial]) -> dict[str, dict[str, float]]:
    """Source -> target -> mean influence over the rounds that probed the source, all its arms alike."""
    told: dict[str, dict[str, list[float]]] = {}
    for trial in trials:
        if trial.role is Role.ROUND and trial.measurement is not None and trial.proposal.probe is not None:
            for arm, (source, _) in trial.proposal.probe.arms.items():
                influence = trial.measurement.influence.get(arm)
                for target, value in (influence.per_target if influence is not None else {}).items():
                    told.setdefault(source, {}).setdefault(target, []).append(value)
    return {source: {target: float(np.mean(v)) for target, v in own.items()} for source, own in told.items()}


def _gains(study: Study, trials: Sequence[Trial]) -> Iterator[tuple[str, dict[str, float]]]:
    standing = standings(study, trials)
    if standing is not None:
        told: dict[str, list[float]] = {}
        for arm, each in standing[1].items():
            source = arm if arm in study.names else arm.rpartition("@")[0]
            if each.influence is not None and source in study.names:
                told.setdefault(source, []).append(each.influence)
        yield "influence", {source: float(np.mean(values)) for source, values in told.items()}
    yield "alignment", {source: each.overall for source, each in aligned(study, trials).items()}
    rule = headroom(study, trials)
    if rule is not None:
        ratios = {source: each.ratio for source, each in rule[1].items() if each.ratio is not None}
        yield "ratio", ratios
        if not ratios:
            yield "raised", {source: float(np.log(max(each.raised, 1e-12))) for source, each in rule[1].items()}


def _linear(gains: Mapping[str, float]) -> Predict:
    """The sum of changes of weight times gains. A source without one counts as the others do on average."""
    middle = float(np.mean(list(gains.values())))

    def predict(recipe: Recipe, after: Recipe) -> float | None:
        names = sorted({*recipe.mixture, *after.mixture})
        moved = after.mixture.array(names) - recipe.mixture.array(names)
        if names[int(np.argmax(np.abs(moved)))] not in gains:
            return None
        return float(moved @ np.array([gains.get(name, middle) for name in names]))

    return predict


def _fits(study: Study, trials: Sequence[Trial]) -> Iterator[tuple[str, Predict]]:
    scored = [(trial, score) for trial in trials if trial.role in FRESH and (score := score_of(trial)) is not None]
    recipes = list(dict.fromkeys(trial.proposal.recipe for trial, _ in scored))
    if len(recipes) < max(LEAST, len(study.names)):
        return
    scores = np.array([score for _, score in scored])
    runs = Runs(
        features=np.array([_features(study, _trained(study, trial)) for trial, _ in scored]),
        scores=scores,
        values=scores[:, None],
        groups=np.array([recipes.index(trial.proposal.recipe) for trial, _ in scored]),
        combine=lambda each: each[:, 0],
    )
    last = fitted(trials)
    models = ["law"] if last is None else sorted(MODELS, key=lambda name: name != last.model)
    for model in models:
        yield model, _fitted(study, MODELS[model](runs))


def _trained(study: Study, trial: Trial) -> Recipe:
    """The recipe with the mixture that its run really drew, as RegMix's own fit has it."""
    return replace(trial.proposal.recipe, mixture=realised(study, trial))


def _fitted(study: Study, model: Callable[[FloatArray], FloatArray]) -> Predict:
    def predict(recipe: Recipe, after: Recipe) -> float | None:
        before, then = model(np.array([_features(study, recipe), _features(study, after)]))
        return float(then - before)

    return predict


def _features(study: Study, recipe: Recipe) -> FloatArray:
    """The recipe as a regression sees it: its weights and options, at the first value of one that it does not have."""
    levels = {}
    for choice in keep_choices(study):
        own = [name for name in study.names if name not in study.space.levels] if choice == SHARED else [choice]
        levels[keep_option(choice)] = recipe.pruning.share(own[0]) if own else 1.0
    first = {name: values[0] for name, values in options(study).items()}
    return features_of(study, recipe, first | chosen(study.space, recipe) | levels)


def _neighbours(study: Study, trials: Sequence[Trial]) -> dict[str, float]:
    survey = complete_survey(trials)
    if survey is None or not survey.neighbours:
        return {}
    importance, rows = study.target_weights().tolist(), study.proportional()
    return {
        name: sum(
            weight * survey.neighbours.get(target.name, {}).get(name, 0.0)
            for target, weight in zip(study.targets, importance, strict=True)
        )
        / rows[name]
        for name in study.names
    }
