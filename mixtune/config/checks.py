"""What only shows when the parts of a study file are put side by side."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue as Json
from pydantic import TypeAdapter

from mixtune.config.comparing import comparing_problems, searches_compared
from mixtune.config.locations import location_problems
from mixtune.config.options import option_problems
from mixtune.config.problems import Place, Problem, dotted, unknown_name
from mixtune.config.schema import (
    ProxyEntry,
    SearchEntry,
    SourceEntry,
    SpaceEntry,
    StoppingEntry,
    StudyEntry,
    TargetEntry,
)
from mixtune.config.teaching import teaching_problems
from mixtune.errors import ConfigError
from mixtune.proxy import Proxy
from mixtune.search import Search, Stopping
from mixtune.searchers import SEARCHERS, make
from mixtune.tuning.stopping import require_useful


def cross_problems(entry: StudyEntry, sources: Sequence[str], folder: Path) -> Iterator[Problem]:
    """Everything that the parts of a file contradict each other in.

    Args:
        entry: the parts whose shape is right.
        sources: all sources that the file names, also those whose own shape is wrong.
        folder: where relative paths start.
    """
    for part, entries in (("sources", entry.get("sources", {})), ("targets", entry.get("targets", {}))):
        yield from location_problems(part, entries, folder)
    if "sources" in entry:
        yield from _sources(entry["sources"], sources)
    if "targets" in entry:
        yield from _targets(entry["targets"])
    if "space" in entry:
        weights = {name: each.get("weight", 1.0) for name, each in entry.get("sources", {}).items()}
        yield from _names_in_space(entry["space"], sources, weights)
        yield from _levels(entry["space"].get("keep", []))
        yield from _bounds(entry["space"], [name for name in sources if weights.get(name, 1.0) > 0])
    yield from option_problems(entry)
    yield from teaching_problems(entry)
    if "budget" in entry and not entry["budget"].keys() & {"runs", "trials", "seconds"}:
        text = (
            "budget lacks the keys 'runs' (compute, in fresh runs), 'trials' and 'seconds'; give one of them or several"
        )
        yield Problem(("budget",), text)
    searches: dict[Place, SearchEntry] = {("search",): entry["search"]} if "search" in entry else {}
    if "compare" in entry:
        yield from comparing_problems(entry["compare"], entry.get("budget"))
        compared = searches_compared(entry["compare"]).items()
        searches |= {("compare", "searchers", label): search for label, search in compared}
    complete = len(sources) == len(entry.get("sources", {}))
    for place, search in searches.items():
        yield from _search(search, place, entry.get("sources", {}), complete=complete)
        if "stopping" in entry:
            yield from _stopping(entry["stopping"], entry.get("proxy", {}), search.get("algorithm"))


def _sources(sources: Mapping[str, SourceEntry], named: Sequence[str]) -> Iterator[Problem]:
    if not named:
        yield Problem(("sources",), "sources is empty; name at least one")
    elif len(sources) == len(named) and all(each.get("weight") == 0 for each in sources.values()):
        yield Problem(("sources",), "every source has weight 0, so no mixture is left; give one a positive weight")


def _targets(targets: Mapping[str, TargetEntry]) -> Iterator[Problem]:
    if targets and all(each.get("weight") == 0 for each in targets.values()):
        yield Problem(("targets",), "every target has weight 0, so there is no objective; give one a positive weight")


def _names_in_space(space: SpaceEntry, sources: Sequence[str], weights: Mapping[str, float]) -> Iterator[Problem]:
    for key in ("floor", "cap", "must_include", "keep"):
        listed = space.get(key)
        if (key == "keep" and isinstance(listed, list)) or not isinstance(listed, dict | list):
            continue
        for position, name in enumerate(listed):
            place = ("space", key, name if isinstance(listed, dict) else position)
            if name not in sources:
                found = unknown_name(("space", key), name, "source", sources)
                yield Problem(place, found.text)
            elif weights.get(name, 1.0) == 0:
                yield Problem(
                    place, f"{dotted(('space', key))} names {name!r}, whose weight 0 takes it out of every mixture"
                )
    must = space.get("must_include", [])
    for name in sorted({name for name in must if must.count(name) > 1}):
        yield Problem(("space", "must_include"), f"space.must_include names {name!r} twice")


def _bounds(space: SpaceEntry, usable: Sequence[str]) -> Iterator[Problem]:
    """Floors and caps must leave a mixture, and room for the sources that must be in it."""
    floor, cap = _each(space.get("floor", {}), usable), _each(space.get("cap", {}), usable)
    if sum(floor.values()) > 1 + 1e-9:
        yield Problem(
            ("space", "floor"), f"space.floor sums to {sum(floor.values()):g} over {len(floor)} sources; at most 1"
        )
    for name in sorted(floor.keys() & cap.keys()):
        if floor[name] > cap[name]:
            yield Problem(("space", "cap"), f"space.cap of {name!r} is {cap[name]:g}, below its floor {floor[name]:g}")
    at_most, must = space.get("at_most"), set(space.get("must_include", []))
    highest = sorted((cap.get(name, 1.0) for name in usable), reverse=True)[:at_most]
    if highest and sum(highest) < 1 - 1e-9:
        among = f"the {at_most} highest of space.cap sum" if at_most else "space.cap sums"
        yield Problem(("space", "cap"), f"{among} to {sum(highest):g}; weights must reach 1, so raise the caps")
    if at_most is not None and at_most < len(must):
        text = f"space.at_most is {at_most}, but space.must_include names {len(must)} sources; raise it to {len(must)}"
        yield Problem(("space", "at_most"), text)
    floored = {name for name, least in floor.items() if least > 0} if isinstance(space.get("floor"), dict) else set()
    if at_most is not None and len(must) <= at_most < len(must | floored):
        text = (
            f"space.at_most is {at_most}, but space.must_include and space.floor want {len(must | floored)} sources; "
            f"raise it to {len(must | floored)}"
        )
        yield Problem(("space", "at_most"), text)


def _levels(keep: Sequence[float] | Mapping[str, Sequence[float]]) -> Iterator[Problem]:
    """A level that stands twice in a list is a slip, and would be tried twice as often."""
    lists = keep.items() if isinstance(keep, Mapping) else [("", keep)]
    for name, levels in lists:
        place = ("space", "keep", name) if name else ("space", "keep")
        for level in sorted({level for level in levels if levels.count(level) > 1}):
            yield Problem(place, f"{dotted(place)} lists {level:g} twice; list each level once")


def _stopping(stopping: StoppingEntry, proxy: ProxyEntry, algorithm: Json) -> Iterator[Problem]:
    """There must be runs to stop, and rungs in them."""
    searcher = SEARCHERS.get(algorithm) if isinstance(algorithm, str) else None
    if "first" in stopping and searcher is not None:
        try:
            require_useful(Stopping(**stopping), TypeAdapter(Proxy).validate_python(proxy), searcher)
        except ConfigError as error:
            yield Problem(("stopping",), str(error))


def _each(bound: float | Mapping[str, float], usable: Sequence[str]) -> dict[str, float]:
    return dict(bound) if isinstance(bound, Mapping) else dict.fromkeys(usable, bound)


def _search(
    search: SearchEntry, where: Place, sources: Mapping[str, SourceEntry], *, complete: bool
) -> Iterator[Problem]:
    algorithm = search.get("algorithm")
    place = (*where, "algorithm")
    if not isinstance(algorithm, str):
        yield Problem(place, f"{dotted(where)} needs the key 'algorithm'; allowed: {', '.join(SEARCHERS)}")
    elif algorithm not in SEARCHERS:
        yield Problem(place, unknown_name((), algorithm, "algorithm", list(SEARCHERS)).text)
    else:
        settings = {key: value for key, value in search.items() if key != "algorithm"}
        try:
            make(Search(algorithm, settings))
        except ConfigError as error:
            named = [key for key in settings if repr(key) in str(error)]
            yield Problem((*where, *named[:1]), f"{dotted(where)}: {error}")
    if complete and all("weight" not in each for each in sources.values()):
        if algorithm == "expert":
            yield Problem(place, "algorithm expert needs an expert's weights; give at least one source a `weight`")
        if search.get("prior") == "expert":
            text = f"{dotted(where)}.prior is 'expert', but no source has a weight; give at least one source a `weight`"
            yield Problem((*where, "prior"), text)
