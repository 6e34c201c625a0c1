"""The studies that look into a study: which recipes they run, under which proxy, on how many seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

from pydantic import JsonValue as Json

from mixtune.audits.changes import changes
from mixtune.audits.predictions import influence_by_target, signals
from mixtune.audits.spread import spread_recipes
from mixtune.errors import ConfigError
from mixtune.proxy import Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.report.looks.audit import Change
from mixtune.report.looks.collected import AUDIT, FIDELITY, LARGER, MATRIX, look_name
from mixtune.report.looks.fidelity import proxy_name
from mixtune.report.looks.matrix import PROPORTIONAL
from mixtune.search import Budget, Search
from mixtune.searchers.baselines import baseline_recipes
from mixtune.searchers.listed import Entry, Listed
from mixtune.study import Study
from mixtune.trial import Trial

RECIPE = "the recipe"
"""Label of the recipe whose changes are audited."""

STRONGEST = 4
"""Sources outside the heaviest that are audited for what the signals predict of them (ours)."""


def larger_proxy(
    proxy: Proxy, *, trainable: str | None = None, steps: int | None = None, rate: float | None = None
) -> Proxy:
    """The next larger proxy: `last:1` after `head`, `all` after `last:n`, twice the steps after `all` (ours).

    A trainable or a number of steps that is given stands. What trains something else has the learning rate that is
    usual for it, not the study's, unless a rate is given.

    Raises:
        ConfigError: it would be no larger one: fewer layers, or the same ones with no more steps.
    """
    if trainable is None and steps is None:
        trainable = {"head": "last:1", "all": "all"}.get(proxy.trainable, "all")
        steps = 2 * proxy.steps if trainable == proxy.trainable else proxy.steps
    trainable, steps = trainable or proxy.trainable, steps or proxy.steps
    if rate is None and trainable == proxy.trainable:
        rate = proxy.learning_rate
    found = replace(proxy, trainable=trainable, steps=steps, learning_rate=rate)
    layers, own = trained_layers(trainable), trained_layers(proxy.trainable)
    if layers < own or (layers == own and steps <= proxy.steps):
        more = "more --steps" if own == inf else "more --steps, or a --trainable that trains more layers"
        same = "the study's own proxy" if (layers, steps) == (own, proxy.steps) else "no larger than the study's own"
        raise ConfigError(
            f"{proxy_name(found)} is {same}, {proxy_name(proxy)}: give {more} (head < last:1 < last:2 < ... < all)"
        )
    return found


def trained_layers(trainable: str) -> float:
    """How many transformer layers a trainable trains, for comparing: 0 for head, infinitely many for all."""
    known = {"head": 0.0, "all": inf}
    return known[trainable] if trainable in known else float(trainable.removeprefix("last:"))


def fidelity_parts(study: Study, best: Recipe, larger: Proxy, *, count: int, replicates: int) -> tuple[Study, Study]:
    """The same spread-out recipes under the study's own proxy and under a larger one.

    Raises:
        ConfigError: too few recipes are asked for, or too many for the space.
    """
    entries = spread_recipes(study, best, count)
    own = _part(study, FIDELITY, entries, replicates)
    return own, replace(_part(study, LARGER, entries, replicates), proxy=larger)


def audit_part(study: Study, trials: Sequence[Trial], best: Recipe, *, top: int | None, replicates: int) -> Study:
    """The recommended recipe, and changes of single sources of it, each with what the study's signals predict.

    Of more than `top` sources those that are heaviest in the recipe are changed, and of the others the STRONGEST of
    which the study's own signal predicts the largest effect of more; None takes all.

    Raises:
        ConfigError: the study has one source.
    """
    if len(study.names) < 2:
        raise ConfigError(f"study {study.name!r} has one source, {study.names[0]}: there is nothing to leave out")
    told = signals(study, trials)
    entries = [Entry(RECIPE, best, {"signals": list(told)})]
    by_source: dict[str, list[Entry]] = {}
    for source in study.names:
        for change, mixture in changes(best.mixture, source):
            after = replace(best, mixture=mixture)
            predicted = {name: value for name, predict in told.items() if (value := predict(best, after)) is not None}
            notes: dict[str, Json] = {
                "change": change.value,
                "source": source,
                "predicted": dict(predicted),
                "outside": list(study.broken_bounds(after)),
            }
            label = f"without {source}" if change is Change.WITHOUT else f"+10 % {source}"
            by_source.setdefault(source, []).append(Entry(label, after, notes))
    for source in _audited(best.mixture, by_source, next(iter(told), ""), top):
        entries += by_source[source]
    return _part(study, AUDIT, tuple(entries), replicates)


def matrix_part(study: Study, trials: Sequence[Trial], best: Recipe, *, replicates: int) -> Study:
    """Each source alone, and proportional sampling; the base model is every study's survey.

    Raises:
        ConfigError: the study has one source.
    """
    if len(study.names) < 2:
        raise ConfigError(f"study {study.name!r} has one source, {study.names[0]}: it is its own matrix")
    told = influence_by_target(study, trials)
    proportional = replace(best, mixture=baseline_recipes(study)["proportional"].mixture)
    alone = [
        Entry(
            f"{source} alone",
            replace(best, mixture=Mixture({source: 1.0})),
            {"alone": source, "influence": dict(told.get(source, {}))},
        )
        for source in study.names
    ]
    return _part(study, MATRIX, (Entry(PROPORTIONAL, proportional), *alone), replicates)


def _part(study: Study, kind: str, entries: tuple[Entry, ...], replicates: int) -> Study:
    """A study of the same data under its own name that runs a list, judges nothing and reads no test query."""
    return replace(
        study,
        name=look_name(study.name, kind),
        of=study.name,
        search=Search(Listed.name, Listed.settings(entries, replicates)),
        budget=Budget(
            trials=len(entries) * replicates, workers=study.budget.workers, max_failures=study.budget.max_failures
        ),
        final=replace(study.final, seeds=0),
        stopping=None,
        preparation=None,
    )


def _audited(mixture: Mixture, entries: Mapping[str, Sequence[Entry]], signal: str, top: int | None) -> Sequence[str]:
    heaviest = sorted(entries, key=lambda name: (-mixture.get(name, 0.0), name))
    if top is None or len(heaviest) <= top:
        return heaviest

    def strength(name: str) -> float:
        told = [entry.notes["predicted"] for entry in entries[name] if entry.notes["change"] == Change.MORE.value]
        return max((abs(_float(each.get(signal))) for each in told if isinstance(each, dict)), default=0.0)

    others = sorted(heaviest[top:], key=lambda name: (-strength(name), name))
    return [*heaviest[:top], *(name for name in others[:STRONGEST] if strength(name) > 0)]


def _float(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
