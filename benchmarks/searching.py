"""One search of one seed, and what it recommends after each of several amounts of compute."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from driver import Found
from pydantic import JsonValue as Json
from results import Line, Preparable, driver_of

from mixtune.proposal import CHARGED
from mixtune.recipe import Recipe
from mixtune.search import Search
from mixtune.store.codec import from_json, to_json
from mixtune.trial import Trial
from mixtune.tuning.inprocess import costs


@dataclass(frozen=True)
class Searching:
    """A search to the largest of several amounts of compute, in fresh runs, and what it recommends at each.

    Proposals do not depend on the budget, so a search contains every shorter one with the same settings. trials
    bounds the search besides.
    """

    setting: Preparable
    label: str
    search: Search
    seed: int
    points: tuple[float, ...]
    trials: int | None = None

    @property
    def key(self) -> str:
        """What its line is found by."""
        search = [self.search.algorithm, dict(self.search.settings)]
        return json.dumps(["search", self.setting.key, self.label, search, self.seed, self.points, self.trials])

    def run(self) -> Line:
        """Search, and recommend from what each amount of compute pays for."""
        driver = driver_of(self.setting)
        study = driver.study(self.search, runs=max(self.points), seed=self.seed, trials=self.trials)
        trials = driver.run(study)
        spent, curve = 0.0, list[Json]()
        for trial in trials:
            spent += sum(cost.flops for cost in costs([trial])) / study.prepared.run_flops
            if trial.role in CHARGED and trial.measurement is not None and trial.measurement.score is not None:
                curve.append([spent, trial.measurement.score])
        found = {point: driver.found(study, trials, point) for point in self.points}
        return {
            "points": {str(point): plain(one) for point, one in found.items()},
            "curve": curve,
            "roles": spent_by_role(trials),
            "unit": study.prepared.run_flops,
        }


def spent_by_role(trials: Iterable[Trial]) -> dict[str, Json]:
    """Optimiser steps asked for, and FLOPs of training and of everything else, by the role of the trials."""
    spent: dict[str, dict[str, float]] = {}
    for trial in trials:
        for cost in costs([trial]):
            of = spent.setdefault(trial.role.value, {"steps": 0, "train": 0.0, "other": 0.0})
            of["steps"] += trial.proposal.steps
            of["train"] += cost.train
            of["other"] += cost.probe + cost.dev
    return {role: dict(of) for role, of in spent.items()}


def plain(found: Found) -> Json:
    """What was found as plain JSON."""
    recipe = None if found.recipe is None else to_json(found.recipe)
    return {**{name: value for name, value in asdict(found).items() if name != "recipe"}, "recipe": recipe}


def found_in(line: Line, point: float) -> Found:
    """What a search recommended at an amount of compute."""
    values = line["points"][str(point)]
    recipe = None if values["recipe"] is None else from_json(Recipe, values["recipe"])
    return Found(**{**values, "recipe": recipe})


def curve_of(line: Line) -> list[tuple[float, float]]:
    """Compute spent and dev score of each scored trial of a search."""
    return [(runs, score) for runs, score in line["curve"]]


def best_so_far(curve: Sequence[tuple[float, float]], at: float) -> float | None:
    """The best dev score that so much compute had seen, None before the first."""
    return max((score for runs, score in curve if runs <= at * 1.005), default=None)
