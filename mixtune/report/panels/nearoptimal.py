"""The near-optimal set: recipes that a study's runs cannot tell from the best one, and which of them one may prefer."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from pydantic import JsonValue as Json

from mixtune.alike import distance, one_each
from mixtune.proposal import Role
from mixtune.recipe import Recipe
from mixtune.report.fresh import fresh_runs
from mixtune.report.options import recipe_document
from mixtune.report.panels.noise import Spread, spread
from mixtune.report.preference import Preference
from mixtune.report.sheet import Sheet, number
from mixtune.study import Study
from mixtune.trial import Trial

USED = 0.01
"""Weight from which a source counts as used (ours)."""

FEW = 10
"""Recipes with a fresh run below which a set says little (ours)."""


@dataclass(frozen=True, slots=True)
class Member:
    """A recipe of the set with its evidence.

    trials are the runs that its dev score is the mean of. difference is that score less the best recipe's, low and high
    its 95 % interval. sources counts those above USED, apart is the total variation to proportional sampling (the share
    of batches that would have to move), tokens the mean tokens in a batch of the final training.
    """

    recipe: Recipe
    trials: tuple[int, ...]
    score: float
    difference: float
    low: float
    high: float
    sources: int
    apart: float
    tokens: float


@dataclass(frozen=True, slots=True)
class NearOptimal:
    """Recipes within noise of the best, which comes first; of the others the better ones come first.

    noise is the standard deviation of a run's dev score over seeds with `freedom` degrees of freedom, None where no
    recipe ran twice: then the set holds the best alone. compared counts the recipes with a fresh run within the study's
    bounds, the best among them. chosen_on says that the best recipe's score is the one that it was chosen for, since it
    has not run again: then it is too high, and the set too small. weights holds the lowest and highest weight of each
    source over the set.
    """

    metric: str
    members: tuple[Member, ...]
    compared: int
    noise: float | None
    freedom: int
    chosen_on: bool
    weights: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def best(self) -> Member:
        """The recommended recipe."""
        return self.members[0]

    def preferred(self, preference: Preference) -> Member:
        """The member that one prefers: the best itself unless another one has less, of equal ones the better."""

        def key(member: Member) -> tuple[float, ...]:
            if preference is Preference.SPARSE:
                little: float = member.sources
            else:
                little = member.apart if preference is Preference.PROPORTIONAL else member.tokens
            return (round(little, 9), member is not self.best, -member.difference)

        return min(self.members, key=key)

    @property
    def dispensable(self) -> tuple[str, ...]:
        """Sources that the best recipe uses and the sparsest of the set does not."""
        sparse = self.preferred(Preference.SPARSE).recipe.mixture
        used = self.best.recipe.mixture.items()
        return tuple(name for name, weight in used if weight >= USED > sparse.get(name, 0.0))


def near_optimal(study: Study, trials: Sequence[Trial], recipe: Recipe | None) -> NearOptimal | None:
    """Hold every recipe with a fresh full-length run within the study's bounds against the recommended one.

    All on dev, with one noise: the standard deviation within recipes, pooled over those that the plan ran on several
    seeds (baselines, finalists, audits, the recommendation). A recipe is in the set if the 95 % interval of its mean
    less the best one's holds zero or lies above it: Student's t, with that noise and the number of runs on either side.
    A recipe counts by the runs that did not choose it: those on new seeds where there are any, else its run in the
    search; the recommended one by its runs on judging seeds, else those as a finalist. So the winner's curse is on
    neither side once both have run again, and a recipe with a single run in the search is in the set with all its luck:
    `low` says what it may cost. Runs on equal seeds count as independent, which errs towards a larger set; recipes that
    no run tells apart count as one, by the runs of all.

    None before the recommended recipe has a run of its own.
    """
    fresh = fresh_runs(study, trials)
    if recipe is None or all(trial.proposal.recipe != recipe for trial, _, _ in fresh):
        return None
    same = one_each([recipe, *(trial.proposal.recipe for trial, _, _ in fresh)])
    runs: dict[Recipe, dict[Role, list[tuple[Trial, float]]]] = {}
    for trial, _, score in fresh:
        held = runs.setdefault(same[trial.proposal.recipe], {}).setdefault(trial.role, [])
        if all(trial.seed != other.seed for other, _ in held):
            held.append((trial, score))
    again = {
        each: {run.seed: score for role, found in by_role.items() if role is not Role.SEARCH for run, score in found}
        for each, by_role in runs.items()
    }
    noise = spread(again)
    counted = {each: _counted(by_role, best=each == recipe) for each, by_role in runs.items()}
    allowed = [each for each in runs if each == recipe or not study.broken_bounds(each)]
    others = [] if noise is None else [_member(study, each, counted, recipe, noise) for each in allowed]
    others = [each for each in others if each.recipe != recipe and each.high >= 0]
    best = _member(study, recipe, counted, recipe, None)
    members = (best, *sorted(others, key=lambda each: -each.difference))
    mixtures = [member.recipe.mixture for member in members]
    return NearOptimal(
        metric=study.objective.metric,
        members=members,
        compared=len(allowed),
        noise=None if noise is None else noise.value,
        freedom=0 if noise is None else noise.freedom,
        chosen_on=all(trial.role is Role.SEARCH for trial, _ in counted[recipe]),
        weights={
            name: (min(each.get(name, 0.0) for each in mixtures), max(each.get(name, 0.0) for each in mixtures))
            for name in study.names
        },
    )


def _counted(by_role: Mapping[Role, list[tuple[Trial, float]]], *, best: bool) -> list[tuple[Trial, float]]:
    """The runs that a recipe counts by: those that did not choose it, where it has any."""
    if best:
        for role in (Role.RERUN, Role.FINALIST):
            if role in by_role:
                return by_role[role]
    new = [run for role, found in by_role.items() if role is not Role.SEARCH for run in found]
    return new or by_role[Role.SEARCH]


def _member(
    study: Study,
    recipe: Recipe,
    counted: Mapping[Recipe, list[tuple[Trial, float]]],
    best: Recipe,
    noise: Spread | None,
) -> Member:
    mine, other = ([score for _, score in counted[each]] for each in (recipe, best))
    difference = float(np.mean(mine)) - float(np.mean(other))
    half = 0.0
    if noise is not None:
        half = noise.told(len(mine), len(other))
    weights = recipe.mixture.array(study.names)
    facts, size = study.prepared.sources, study.final.batch_size or study.proxy.batch_size
    tokens = [facts[name].tokens_per_pair * min(size, facts[name].rows) for name in study.names]
    return Member(
        recipe=recipe,
        trials=tuple(trial.number for trial, _ in counted[recipe]),
        score=float(np.mean(mine)),
        difference=difference,
        low=difference - half,
        high=difference + half,
        sources=int((weights >= USED).sum()),
        apart=distance(recipe.mixture, study.proportional()),
        tokens=float(weights @ tokens),
    )


NAMES = {
    Preference.SPARSE: "sparsest",
    Preference.PROPORTIONAL: "closest to proportional",
    Preference.CHEAP: "cheapest",
}


def evidence(found: NearOptimal, preference: Preference) -> str:
    """What a preferred recipe rests on, in a sentence."""
    member = found.preferred(preference)
    if member is found.best:
        if len(found.members) == 1:
            return f"No other recipe is known to be within noise of the best one. {what_to_do(found)}"
        return f"The best recipe is itself the {NAMES[preference]} of the {len(found.members)} within noise of it."
    runs = f"{_runs(member)} against {_runs(found.best)}"
    saved = 1 - member.tokens / found.best.tokens
    return (
        f"The {NAMES[preference]} of {len(found.members)} recipes within noise of the best: dev {found.metric} "
        f"{member.difference:+.4f}, 95 % interval [{member.low:+.4f}, {member.high:+.4f}], on {runs}; "
        f"{member.sources} sources above {USED:.0%} (best: {found.best.sources}), "
        f"{abs(saved):.0%} {'fewer' if saved >= 0 else 'more'} tokens a batch."
    )


def what_to_do(found: NearOptimal) -> str:
    """How the set would come to say more, "" where it says enough."""
    if found.noise is None:
        return "What seeds do is not known, since no recipe ran twice: give the study `final: {seeds: 3}`."
    if found.compared < FEW:
        return (
            f"Only {found.compared} recipes have a fresh run: search with qmc, tpe or regmix, or for longer, and the "
            f"set has more to choose from."
        )
    return "" if len(found.members) > 1 else "The others are worse by more than noise: there is nothing to give away."


def near_optimal_sheet(found: NearOptimal) -> Sheet:
    """The panel: the best recipe and those that one may prefer."""
    rows = [("best", *_cells(found.best))]
    for preference in Preference:
        member = found.preferred(preference)
        rows.append((preference.value, *(("the best",) + ("",) * 4 if member is found.best else _cells(member))))
    lines = []
    if found.noise is not None:
        said = f"{len(found.members)} of {found.compared} recipes cannot be told from the best on dev {found.metric}."
        lines.append(said)
    if found.dispensable:
        sparse = found.preferred(Preference.SPARSE)
        lines.append(
            f"These sources can go at no measurable cost (it is at most {-sparse.low:.4f}, by {_runs(sparse)} of the "
            f"sparse recipe as a whole): {', '.join(found.dispensable)}."
        )
    if found.chosen_on:
        lines.append("The best recipe has not run again: it was chosen for this very score, so the set is too small.")
    if todo := what_to_do(found):
        lines.append(todo)
    return Sheet(
        title="Recipes within noise of the best",
        left=("recipe",),
        right=("sources", "moved", "tokens", "dev - best", "95 % interval"),
        rows=tuple(rows) if len(found.members) > 1 else (),
        caption=f"sources: above {USED:.0%}; moved: batches unlike proportional; tokens: in a batch",
        lines=tuple(lines),
    )


def near_optimal_document(study: Study, found: NearOptimal) -> dict[str, Json]:
    """The panel as JSON; members best first."""
    return {
        "metric": found.metric,
        "noise": found.noise,
        "freedom": found.freedom,
        "compared": found.compared,
        "chosen_on": found.chosen_on,
        "members": [member_document(study, member) for member in found.members],
        "preferred": {each.value: found.members.index(found.preferred(each)) for each in Preference},
        "dispensable": list(found.dispensable),
        "weights": {name: list(bounds) for name, bounds in found.weights.items()},
        "what_to_do": what_to_do(found),
    }


def member_document(study: Study, member: Member) -> dict[str, Json]:
    """A member as JSON, its weights per batch, with everything else that its recipe says."""
    told = {name: value for name, value in asdict(member).items() if name not in ("recipe", "trials")}
    weights = {name: member.recipe.mixture.get(name, 0.0) for name in study.names}
    kept = {name: member.recipe.pruning.share(name) for name in study.names}
    options = recipe_document(study.space, member.recipe)
    return {"weights": weights, "pruning": kept, **options, "trials": list(member.trials), **told}


def _cells(member: Member) -> tuple[str, ...]:
    is_best = member.difference == member.low == member.high == 0
    interval = "" if is_best else f"[{member.low:+.4f}, {member.high:+.4f}]"
    return (
        str(member.sources),
        number(member.apart, ".2f"),
        f"{member.tokens:,.0f}",
        "" if is_best else f"{member.difference:+.4f}",
        interval,
    )


def _runs(member: Member) -> str:
    return f"{len(member.trials)} run{'' if len(member.trials) == 1 else 's'}"
