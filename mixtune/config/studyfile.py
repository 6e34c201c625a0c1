"""A study file as a Study."""

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from mixtune.config.checks import cross_problems
from mixtune.config.options import option_parts
from mixtune.config.problems import refusal
from mixtune.config.schema import KINDS, ColumnsEntry, SourceEntry, StudyEntry, TargetEntry
from mixtune.config.shape import shape
from mixtune.config.tree import read_tree
from mixtune.proxy import Final, Proxy
from mixtune.search import Budget, Objective, Search, Stopping
from mixtune.source import Source
from mixtune.space import Space
from mixtune.study import Study
from mixtune.target import Target


@dataclass(frozen=True, slots=True)
class StudyFile:
    """What a study file says: the study, and the database that it names (None: the usual one)."""

    study: Study
    db: str | None = None


def load(file: Path) -> StudyFile:
    """Read and check a study file. Relative folders in it start where the file is.

    Raises:
        ConfigError: the file cannot be read or used; names every problem with its line, field, value, and what is
            allowed instead.
    """
    tree = read_tree(file)
    folder = file.resolve().parent
    entry, problems = shape(tree.value)
    named = tree.value.get("sources")
    sources = list(named) if isinstance(named, dict) else []
    problems = [*tree.problems, *problems, *cross_problems(entry, sources, folder)]
    if problems:
        raise refusal(file, tree.lines, problems)
    return StudyFile(_study(entry, folder), entry.get("db"))


def _study(entry: StudyEntry, folder: Path) -> Study:
    sources = tuple(_source(name, each, folder) for name, each in entry["sources"].items())
    settings = {key: value for key, value in entry["search"].items() if key != "algorithm"}
    study = Study(
        name=entry["name"],
        sources=sources,
        targets=tuple(_target(name, each, folder) for name, each in entry["targets"].items()),
        search=Search(str(entry["search"]["algorithm"]), settings),
        budget=Budget(**entry["budget"]),
        proxy=TypeAdapter(Proxy).validate_python(entry.get("proxy", {})),
        space=_space(entry, [source.name for source in sources if source.weight != 0]),
        objective=Objective(**entry.get("objective", {})),
        final=Final(**entry.get("final", {})),
    )
    if "stopping" in entry:
        study = replace(study, stopping=Stopping(**entry["stopping"]))
    if "model" in entry:
        study = replace(study, model=entry["model"])
    return replace(study, seed=entry["seed"]) if "seed" in entry else study


def _source(name: str, entry: SourceEntry, folder: Path) -> Source:
    location = _location(entry, folder)
    options = {key: value for key, value in entry.items() if key not in ("package", "path")}
    if "columns" in entry:
        options["columns"] = _columns(entry["columns"])
    return TypeAdapter(Source).validate_python({"name": name, "location": location, **options})


def _target(name: str, entry: TargetEntry, folder: Path) -> Target:
    location = _location(entry, folder)
    options = {key: value for key, value in entry.items() if key not in ("package", "path")}
    return TypeAdapter(Target).validate_python({"name": name, "location": location, **options})


def _columns(entry: ColumnsEntry) -> dict[str, object]:
    """One column or several, always as several."""
    several = ("positive", "negative", "scores")
    return {key: [value] if key in several and isinstance(value, str) else value for key, value in entry.items()}


def _location(entry: SourceEntry | TargetEntry, folder: Path) -> str | list[str]:
    """Where an entry's rows are. A hub's data set keeps its name where there is no folder of that name."""
    if KINDS[entry["kind"]].location == "package":
        return entry["package"]
    given = entry["path"]
    paths = [
        str((folder / Path(each).expanduser()).resolve()) for each in ([given] if isinstance(given, str) else given)
    ]
    if isinstance(given, list):
        return paths
    return given if entry["kind"] == "hub" and not Path(paths[0]).is_dir() else paths[0]


def _space(entry: StudyEntry, usable: list[str]) -> Space:
    """A bound or a list that is given once holds for every source; a list of keep levels is then one choice for all."""
    space = entry.get("space", {})
    given = option_parts(entry.get("pruning", {}), entry.get("batching", {}))
    for key in ("floor", "cap"):
        bound = space.get(key, {})
        given[key] = bound if isinstance(bound, dict) else dict.fromkeys(usable, bound)
    keep = space.get("keep", {})
    given["levels" if isinstance(keep, dict) else "shared_levels"] = keep
    given |= {key: space[key] for key in ("mapping", "must_include", "at_most", "max_epochs") if key in space}
    return TypeAdapter(Space).validate_python(given)
