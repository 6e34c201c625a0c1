"""What the benchmark compares: searches at given amounts of compute, mixtures known beforehand, and the oracle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue as Json
from results import Results
from scenarios import SCENARIOS, Setting
from searching import Searching, found_in

from mixtune.config.comparing import BY_BUDGET
from mixtune.recipe import Recipe
from mixtune.report.comparing.evenness import ONE_RECIPE
from mixtune.search import Search
from mixtune.searchers import SEARCHERS

OURS = "scout"
"""The searcher that the goals are asked of."""

FOUND_BY_OTHERS = ("multidds", "doge")
"""Searchers that follow gradients: what they reach, ours has to reach with a quarter of the compute."""

STARTUP: Mapping[str, Json] = {"n_startup_trials": 2}
"""Random trials before a model, of which the prior is the first: min(10, 7 // 3)."""

SETTINGS: Mapping[str, Mapping[str, Json]] = {
    **BY_BUDGET,
    "gp": STARTUP,
    "random": {"prior": "proportional"},
    "tpe": STARTUP,
}
"""What differs from a searcher's defaults. All start from the proportional mixture if they start from any."""

ANEW = frozenset({"doremi", "regmix", "tdro"})
"""Algorithms whose proposals depend on how much they are given: they search anew for each amount of compute.

The chains of tDRO and DoReMi and their references are as long as the compute pays for, and tDRO's dose is spread over
that.
"""

VARIANTS: Mapping[str, Search] = {"scout, no neighbours": Search("scout", {"prior": "proportional"})}
"""Contenders besides the registered searchers, by label."""


def contenders() -> dict[str, Search]:
    """Every registered searcher and the variants, by label."""
    return {**{name: Search(name, SETTINGS.get(name, {})) for name in SEARCHERS}, **VARIANTS}


@dataclass(frozen=True)
class Contender:
    """A search with its label, at several amounts of compute."""

    label: str
    search: Search
    points: tuple[float, ...]

    def job(self, setting: Setting, seed: int, point: float) -> tuple[Searching, float]:
        """The search that holds the recommendation at an amount of compute, and where in it that stands.

        It is the same search for all amounts where its settings are.
        """
        if self.search.algorithm in ONE_RECIPE:
            return Searching(setting, self.label, self.search, seed, (1.0,)), 1.0
        if self.search.algorithm not in ANEW:
            return Searching(setting, self.label, self.search, seed, self.points), point
        return Searching(setting, self.label, at(self.search, point), seed, (point,)), point


def at(search: Search, runs: float) -> Search:
    """A search as it is set for so many fresh runs: RegMix fits after 70 % of them."""
    if search.algorithm != "regmix":
        return search
    return Search(search.algorithm, {**search.settings, "n_fit": max(2, round(0.7 * runs))})


def proportional(results: Results, setting: Setting) -> Recipe:
    """The recipe of anyone who has nothing better."""
    return _recipe(results, Searching(setting, "proportional", Search("proportional"), 0, (1.0,)), 1.0)


def oracle(results: Results, setting: Setting, tried: int) -> Recipe:
    """The recipe that is taken for the best: as the scenario says, or else the best of so many random ones on dev.

    The random ones are points of the box that black-box searchers see, drawn from a seed that no search has.
    """
    if SCENARIOS[setting.scenario].oracle:
        return setting.known(SCENARIOS[setting.scenario].oracle)
    most = 2.0 * tried
    job = Searching(setting, "oracle", Search("random"), seed=1000, points=(most,), trials=tried)
    return _recipe(results, job, most)


def _recipe(results: Results, job: Searching, point: float) -> Recipe:
    recipe = found_in(results.finish([job])[0], point).recipe
    if recipe is None:
        raise SystemExit(f"{job.label} on {job.setting.key} found nothing to recommend: see {results.path}")
    return recipe


def labels_of(names: Sequence[str] | None) -> dict[str, Search]:
    """The contenders with these labels, all by default."""
    everyone = contenders()
    return everyone if names is None else {name: everyone[name] for name in names if name in everyone}
