"""Pruning and batching of a study file: single values hold for every recipe, of a list the search chooses."""

from collections.abc import Iterator, Mapping

from mixtune.config.problems import Problem
from mixtune.config.schema import BatchingEntry, ProxyEntry, PruningEntry, StudyEntry

OF_DYNAMIC = ("query_end", "cutoff_end", "strength", "refresh")
"""What only the dynamic schedule reads."""


def option_parts(pruning: PruningEntry, batching: BatchingEntry) -> dict[str, object]:
    """The fields of a Space that say how its recipes prune and compose batches.

    What is fixed holds the first value of each list, so that those who choose nothing find it there.
    """
    methods = listed(pruning.get("method", "none"))
    schedules = [method for method in methods if method != "none"]
    numbers = {key: listed(value)[0] for key, value in pruning.items() if key in OF_DYNAMIC}
    open_values = {
        key: listed(value)
        for key, value in (*pruning.items(), *batching.items())
        if isinstance(value, list) and key != "method"
    }
    if len(methods) > 1:
        open_values["dynamic"] = [float(method != "none") for method in methods]
    parts: dict[str, object] = {
        "schedule": {"method": schedules[0], **numbers} if schedules else None,
        "batching": {key: listed(value)[0] for key, value in batching.items()},
        "choices": {name: values for name, values in open_values.items() if len(values) > 1},
    }
    return parts | ({"keep_least": pruning["least"]} if "least" in pruning else {})


def option_problems(entry: StudyEntry) -> Iterator[Problem]:
    """What the parts pruning and batching contradict in themselves, each other and the proxy."""
    pruning, batching = entry.get("pruning", {}), entry.get("batching", {})
    for part, values in (("pruning", pruning), ("batching", batching)):
        yield from _twice(part, values)
    yield from _pruning(pruning)
    if "least" in pruning and not entry.get("space", {}).get("keep") and not scheduled(pruning):
        text = (
            "pruning.least guards small sources from pruning, and the study prunes nothing; set pruning.method or "
            "space.keep, or leave it out"
        )
        yield Problem(("pruning", "least"), text)
    yield from _batching(batching, entry.get("proxy", {}))
    if scheduled(pruning):
        for key, most in (("topics", 0), ("margin_bins", 1)):
            if highest(batching, key, most) > most:
                text = (
                    f"batching.{key} and pruning.method both choose the pairs of a batch: use one of them, and make a "
                    "second study for the other"
                )
                yield Problem(("batching", key), text)


def listed(value: object) -> list[object]:
    """One value or several, always as several."""
    return value if isinstance(value, list) else [value]


def scheduled(pruning: PruningEntry) -> bool:
    """Whether any recipe of the study has a schedule."""
    return any(method != "none" for method in listed(pruning.get("method", "none")))


def _twice(part: str, values: Mapping[str, object]) -> Iterator[Problem]:
    """A value that stands twice in a list is a slip, and would be tried twice as often."""
    for key, value in values.items():
        several = listed(value)
        for each in dict.fromkeys(each for each in several if several.count(each) > 1):
            shown = each if isinstance(each, str) else f"{each:g}"
            yield Problem((part, key), f"{part}.{key} lists {shown} twice; list each value once")


def _pruning(pruning: PruningEntry) -> Iterator[Problem]:
    methods = dict.fromkeys(listed(pruning.get("method", "none")))
    schedules = [str(method) for method in methods if method != "none"]
    if len(schedules) > 1:
        text = (
            f"pruning.method lists {' and '.join(schedules)}, and a study has one schedule; `none` beside it switches "
            f"it off, such as [none, {schedules[0]}]"
        )
        yield Problem(("pruning", "method"), text)
    elif "dynamic" not in schedules:
        said = f"pruning.method {schedules[0]}" if schedules else "a study without a schedule"
        for key in OF_DYNAMIC:
            if key in pruning:
                text = f"pruning.{key} means nothing to {said}, only to method dynamic; leave it out, or set the method"
                yield Problem(("pruning", key), text)


def _batching(batching: BatchingEntry, proxy: ProxyEntry) -> Iterator[Problem]:
    if "clusters" in batching and highest(batching, "topics", 0) == 0:
        text = (
            "batching.clusters means nothing without batching.topics: set topics (200 is the paper's), or leave it out"
        )
        yield Problem(("batching", "clusters"), text)
    if highest(batching, "margin_bins", 1) > 1 and proxy.get("negatives", 1) == 0:
        text = (
            "batching.margin_bins draws among the hard negatives of a query, and proxy.negatives is 0; set it to 1, or "
            "leave margin_bins out"
        )
        yield Problem(("batching", "margin_bins"), text)


def highest(batching: BatchingEntry, key: str, default: int) -> int:
    """The largest value that a search may give a key."""
    values: Mapping[str, object] = batching
    return max(value for value in listed(values.get(key, default)) if isinstance(value, int))
