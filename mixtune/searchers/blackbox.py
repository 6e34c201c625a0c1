"""Black-box search over the declared simplex mapping: what its searchers share, and the random one."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import JsonValue as Json

from mixtune.errors import SearchExhausted
from mixtune.proposal import Proposal, Role
from mixtune.receipt import ratios
from mixtune.recipe import Mixture, Recipe
from mixtune.searchers.base import Searcher
from mixtune.searchers.keep import options, pruning_and_batching_at, require_room
from mixtune.searchers.prior import prior_mixture
from mixtune.space import coordinate_bounds, coordinates_of, moved, weights_at
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the box that a black-box searcher sees: coordinates of the mapping, and chosen options.

    options are keep levels and other choices by their names in `keep.options`. sides says from which number in [0, 1]
    each was chosen; empty for searchers that see them as categories.
    """

    coordinates: tuple[float, ...]
    options: Mapping[str, float]
    sides: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, trial: Trial) -> "Point":
        """Read the point back from a trial's notes."""
        coordinates, chosen = trial.proposal.notes["coordinates"], trial.proposal.notes["options"]
        sides = trial.proposal.notes.get("sides", {})
        if not isinstance(coordinates, list) or not isinstance(chosen, dict) or not isinstance(sides, dict):
            raise ValueError(f"trial {trial.number} was not proposed by a black-box searcher: {trial.proposal.notes}")
        return cls(
            tuple(float(x) for x in coordinates if isinstance(x, int | float)),
            {name: float(value) for name, value in chosen.items() if isinstance(value, int | float)},
            {name: float(side) for name, side in sides.items() if isinstance(side, int | float)},
        )

    @classmethod
    def trained(cls, study: Study, trial: Trial) -> "Point":
        """The point that a trial really tried: the one that was asked for, moved to the mixture that its run drew.

        Batches are drawn by chance, so a run's score is that of its own draw. Without a receipt, as before a trial has
        ended, nothing is moved.
        """
        asked = cls.of(trial)
        coordinates = moved(study.space.mapping, asked.coordinates, ratios(study, trial))
        return replace(asked, coordinates=tuple(coordinates)) if trial.measurement is not None else asked

    def notes(self) -> dict[str, Json]:
        """The point as a trial's notes."""
        notes: dict[str, Json] = {"coordinates": list(self.coordinates), "options": dict(self.options)}
        return notes | {"sides": dict(self.sides)} if self.sides else notes


class BlackBox(Searcher):
    """A searcher that sees a box of numbers and a score: coordinates of the mapping, options as categories.

    Each proposal is a fresh full-length run. It may look at the points of running trials, and at the scores of
    complete ones. A subclass that starts from a known mixture has the setting `prior`. A run that was ended early tells
    what its rungs showed, and is never recommended.
    """

    stoppable: ClassVar[bool] = True
    chooses_options: ClassVar[bool] = True
    contested: ClassVar[bool] = True
    prior: Literal["proportional", "uniform", "expert", "none"]

    @abstractmethod
    def point(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Point:
        """The next point, from all search trials so far."""

    def suggest(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        """Propose the next point as a fresh full-length run; the first one is the prior, unless that is `none`.

        Raises:
            SearchExhausted: the space holds a single recipe, and it was proposed.
            ConfigError: the prior is `expert` and the study has no expert weights.
            ValueError: the bounds leave no mixture, or would leave none at the lowest keep levels.
        """
        searched = [trial for trial in trials if trial.role is Role.SEARCH]
        if not searched:
            require_room(study)
        if searched and len(study.names) == 1 and not options(study):
            raise SearchExhausted(f"{self.name} has one source and no options: there is nothing to choose")
        if searched or self.prior == "none":
            point = self.point(study, searched, rng)
        else:
            point = prior_point(study, prior_mixture(study, self.prior))
        return Proposal(
            recipe_at(study, point),
            study.proxy.steps,
            Role.SEARCH,
            horizon=study.proxy.steps,
            notes=point.notes(),
        )

    def recommend(self, study: Study, trials: Sequence[Trial]) -> Recipe:
        """Name the recipe with the best dev score; equal recipes count with their mean.

        Raises:
            SearchExhausted: no search trial is complete with a score.
        """
        return ranked(self.name, trials)[0]

    def finalists(self, study: Study, trials: Sequence[Trial], count: int) -> tuple[Recipe, ...]:
        """Name the recipes with the best dev scores.

        Raises:
            SearchExhausted: no search trial is complete with a score.
        """
        return ranked(self.name, trials)[:count]


def ranked(name: str, trials: Sequence[Trial]) -> tuple[Recipe, ...]:
    """The distinct recipes of the search trials, best dev score first; equal recipes count with their mean.

    Raises:
        SearchExhausted: no search trial is complete with a score; `name` is the searcher that says so.
    """
    scores: dict[Recipe, list[float]] = {}
    for trial in trials:
        value = score_of(trial)
        if trial.role is Role.SEARCH and value is not None:
            scores.setdefault(trial.proposal.recipe, []).append(value)
    if not scores:
        raise SearchExhausted(f"{name} has no complete trial with a score yet: let at least one finish")
    return tuple(sorted(scores, key=lambda recipe: -float(np.mean(scores[recipe]))))


def score_of(trial: Trial) -> float | None:
    """Score of a complete trial, None where there is none or it is not finite."""
    if trial.state is not TrialState.COMPLETE or trial.measurement is None or trial.measurement.score is None:
        return None
    return trial.measurement.score if np.isfinite(trial.measurement.score) else None


def completed(trials: Sequence[Trial]) -> list[Trial]:
    """The trials with each pruned one as the complete one that it would probably have become (ours).

    Its score is the one at its last rung plus the mean growth from that rung of the complete trials given: left out,
    its region would look unexplored and be proposed again; with its own score it would look worse than it was.
    """
    growth: dict[int, list[float]] = {}
    for trial in trials:
        score = score_of(trial)
        if score is not None and trial.measurement is not None:
            for step, value in trial.measurement.rungs.items():
                growth.setdefault(step, []).append(score - value)

    def carried_on(trial: Trial) -> Trial:
        found = trial.measurement
        if trial.state is not TrialState.PRUNED or found is None or found.score is None:
            return trial
        score = found.score + float(np.mean(growth.get(found.step, [0.0])))
        return replace(trial, state=TrialState.COMPLETE, measurement=replace(found, score=score))

    return [carried_on(trial) for trial in trials]


def recipe_at(study: Study, point: Point) -> Recipe:
    """The recipe of a point, brought into the study's space."""
    weights = weights_at(study.space.mapping, point.coordinates, len(study.names))
    return study.recipe(Mixture.from_array(study.names, weights), *pruning_and_batching_at(study, point.options))


def prior_point(study: Study, mixture: Mixture) -> Point:
    """The point whose recipe is nearest to a mixture, with the first value of every option."""
    coordinates = coordinates_of(study.space.mapping, mixture.array(study.names))
    return Point(tuple(coordinates), {name: values[0] for name, values in options(study).items()})


@dataclass(frozen=True, slots=True)
class Random(BlackBox):
    """Random search: uniform in the box of the mapping (for `-log` and `stick-breaking` uniform on the simplex).

    prior is proposed first unless it is `none`, the default (ours).
    """

    name: ClassVar[str] = "random"
    prior: Literal["proportional", "uniform", "expert", "none"] = "none"

    def point(self, study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Point:
        """Draw a point, whatever was tried."""
        bounds = coordinate_bounds(study.space.mapping, len(study.names))
        coordinates = tuple(float(rng.uniform(low, high)) for low, high in bounds)
        return Point(coordinates, {name: float(rng.choice(values)) for name, values in options(study).items()})
