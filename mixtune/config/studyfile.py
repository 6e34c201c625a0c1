"""A study file as a Study."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from mixtune.comparison import Comparison, Equal
from mixtune.config.checks import cross_problems
from mixtune.config.comparing import comparison_of, named_searchers, searches_compared
from mixtune.config.options import option_parts
from mixtune.config.problems import Problem, refusal
from mixtune.config.schema import KINDS, ColumnsEntry, SearchEntry, SourceEntry, StudyEntry, TargetEntry
from mixtune.config.shape import lacks, shape
from mixtune.config.tree import Tree, read_tree
from mixtune.contamination import Decontaminate
from mixtune.errors import ConfigError
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


@dataclass(frozen=True, slots=True)
class ComparisonFile:
    """What a study file with searchers to compare says: the comparison, and the database (None: the usual one)."""

    comparison: Comparison
    db: str | None = None


def load(file: Path, *, looking: bool = False) -> StudyFile:
    """Read and check a study file. Relative folders in it start where the file is.

    Args:
        file: the study file.
        looking: who only looks at a file that says what to compare gets the first search that it compares.

    Raises:
        ConfigError: the file cannot be read or used; names every problem with its line, field, value, and what is
            allowed instead.
    """
    tree = read_tree(file)
    if looking and "compare" in tree.value and "search" not in tree.value:
        found = load_comparison(file)
        return StudyFile(found.comparison.base, found.db)
    lacking = []
    if "search" not in tree.value:
        text = f"the file says what to compare, not what to run: use `mixtune compare {file}`, or give it `search:`"
        lacking = [Problem(("compare",), text) if "compare" in tree.value else lacks((), "search")]
    entry = _checked(tree, lacking)
    return StudyFile(_study(entry, entry["search"], file.resolve().parent), entry.get("db"))


def load_comparison(
    file: Path, *, searchers: Sequence[str] = (), replicates: int | None = None, equal: str | None = None
) -> ComparisonFile:
    """Read and check a study file for a comparison: of its part `compare`, or of the searchers that are named.

    The comparison has the file's name, or NAME-compare where the file also describes a study by itself.

    Args:
        file: the study file; its `search`, if it has one, plays no part.
        searchers: algorithms to compare in place of those of the file.
        replicates: how often, in place of what the file says.
        equal: what is equal, in place of what the file says.

    Raises:
        ConfigError: as of `load`; or there is nothing to compare, or a searcher that is named cannot be used.
    """
    tree = read_tree(file)
    lacking = []
    if not searchers and "compare" not in tree.value:
        text = "the file lacks the key 'compare'; name searchers there, or with --searchers scout,tpe"
        lacking = [Problem(("compare",), text)]
    entry = _checked(tree, lacking)
    compare = entry["compare"].copy() if "compare" in entry else named_searchers(searchers)
    if searchers:
        compare["searchers"] = named_searchers(searchers)["searchers"]
    if replicates is not None:
        compare["replicates"] = replicates
    if equal is not None:
        if equal not in list(Equal):
            raise ConfigError(f"equal is {equal!r}; allowed: {', '.join(Equal)}")
        compare["equal"] = Equal(equal).value
    study = _study(entry, next(iter(searches_compared(compare).values())), file.resolve().parent)
    if "search" in entry:
        study = replace(study, name=f"{study.name}-compare")
    given = "finalists" in entry.get("final", {})
    return ComparisonFile(comparison_of(study, compare, finalists_given=given), entry.get("db"))


def _checked(tree: Tree, lacking: Sequence[Problem]) -> StudyEntry:
    """The parts of a file. Raises ConfigError with all that is wrong with them, and what is lacking."""
    entry, problems = shape(tree.value)
    named = tree.value.get("sources")
    sources = list(named) if isinstance(named, dict) else []
    folder = tree.file.resolve().parent
    problems = [*tree.problems, *lacking, *problems, *cross_problems(entry, sources, folder)]
    if problems:
        raise refusal(tree.file, tree.lines, problems)
    return entry


def _study(entry: StudyEntry, search: SearchEntry, folder: Path) -> Study:
    sources = tuple(_source(name, each, folder) for name, each in entry["sources"].items())
    settings = {key: value for key, value in search.items() if key != "algorithm"}
    study = Study(
        name=entry["name"],
        sources=sources,
        targets=tuple(_target(name, each, folder) for name, each in entry["targets"].items()),
        search=Search(str(search["algorithm"]), settings),
        budget=Budget(**entry["budget"]),
        proxy=TypeAdapter(Proxy).validate_python(entry.get("proxy", {})),
        space=_space(entry, [source.name for source in sources if source.weight != 0]),
        objective=Objective(**entry.get("objective", {})),
        final=Final(**entry.get("final", {})),
    )
    if "stopping" in entry:
        study = replace(study, stopping=Stopping(**entry["stopping"]))
    if "decontaminate" in entry:
        study = replace(study, decontaminate=Decontaminate(entry["decontaminate"]))
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
