"""The part `compare` of a study file: which searchers run against each other, how often, and what each of them gets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pydantic import JsonValue as Json

from mixtune.comparison import LIMIT, Comparison, Equal, clashing
from mixtune.config.problems import Problem, nearest
from mixtune.config.schema import BudgetEntry, CompareEntry, SearchEntry
from mixtune.errors import ConfigError
from mixtune.search import Search
from mixtune.searchers import SEARCHERS
from mixtune.study import Study

BASELINES = ("uniform", "proportional", "expert")
"""Labels of what takes part in every comparison without being asked."""

BY_BUDGET: Mapping[str, Mapping[str, Json]] = {
    algorithm: {"length": "budget"} for algorithm in ("doge", "doremi", "multidds", "tdro")
}
"""What such chains are given unless the file gives them a length: left to themselves they are as long as a fresh trial,
whatever the budget.
"""


def searches_compared(compare: CompareEntry) -> dict[str, SearchEntry]:
    """The searches by their labels; a label without an algorithm of its own is the algorithm's name."""
    return {label: {"algorithm": label, **(given or {})} for label, given in compare["searchers"].items()}


def comparing_problems(compare: CompareEntry, budget: BudgetEntry | None) -> Iterator[Problem]:
    """What the part contradicts in itself and in the budget (None: the budget is wrong already)."""
    place = ("compare", "searchers")
    for label in compare["searchers"]:
        if label in BASELINES:
            yield Problem((*place, label), f"compare.searchers names {label!r}, which always takes part; leave it out")
    clash = clashing(dict.fromkeys(compare["searchers"], Search("")))
    if clash is not None:
        text = f"compare.searchers names {clash[0]!r} and {clash[1]!r}, which read the same in a study's name"
        yield Problem((*place, clash[1]), f"{text}; change one of them")
    equal = compare.get("equal")
    if equal is not None and budget and LIMIT[Equal(equal)] not in budget:
        text = f"compare.equal is {equal!r}, so budget must say how much; give it the key {LIMIT[Equal(equal)]!r}"
        yield Problem(("compare", "equal"), text)


def named_searchers(names: Sequence[str]) -> CompareEntry:
    """The part for searchers that the command line names.

    Raises:
        ConfigError: one is no search algorithm, always takes part, or stands twice.
    """
    for name in names:
        if name in BASELINES:
            raise ConfigError(f"--searchers names {name!r}, which always takes part: leave it out")
        if name not in SEARCHERS:
            allowed = [each for each in SEARCHERS if each not in BASELINES]
            alike = nearest(name, allowed)
            meant = f"did you mean {alike!r}? " if alike else ""
            raise ConfigError(f"--searchers names {name!r}: {meant}Allowed are {', '.join(allowed)}")
        if names.count(name) > 1:
            raise ConfigError(f"--searchers names {name!r} twice: name each once")
    return {"searchers": dict.fromkeys(names)}


def comparison_of(study: Study, compare: CompareEntry, *, finalists_given: bool) -> Comparison:
    """The comparison of a file whose study has any of the searches.

    Where nothing is said of it, compute is equal if the budget limits it, else trials, else seconds; the budget's
    other limits are left out. So are finalists unless the file asks for them: what they cost is not the search's.
    Chains are as long as the budget pays for unless the file gives them a length, see BY_BUDGET.

    Raises:
        ConfigError: the budget has no limit of the kind that is to be equal.
    """
    budget = study.budget
    limits: Mapping[Equal, float | None] = {equal: getattr(budget, key) for equal, key in LIMIT.items()}
    equal = Equal(compare["equal"]) if "equal" in compare else next(one for one, limit in limits.items() if limit)
    if limits[equal] is None:
        raise ConfigError(f"equal {equal.value} needs budget.{LIMIT[equal]}: give the study file that key")
    contenders = {
        label: _search(str(entry["algorithm"]), {key: value for key, value in entry.items() if key != "algorithm"})
        for label, entry in searches_compared(compare).items()
    }
    base = replace(
        study,
        search=next(iter(contenders.values())),
        budget=replace(
            budget,
            runs=budget.runs if equal is Equal.FLOPS else None,
            trials=budget.trials if equal is Equal.TRIALS else None,
            seconds=budget.seconds if equal is Equal.SECONDS else None,
        ),
        final=study.final if finalists_given else replace(study.final, finalists=1),
    )
    comparison = Comparison(base, contenders, equal=equal)
    return replace(comparison, replicates=compare["replicates"]) if "replicates" in compare else comparison


def _search(algorithm: str, settings: Mapping[str, Json]) -> Search:
    return Search(algorithm, {**BY_BUDGET.get(algorithm, {}), **settings})
