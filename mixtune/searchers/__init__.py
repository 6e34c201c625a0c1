"""Search algorithms by name."""

import difflib
from collections.abc import Sequence
from typing import Any, ClassVar, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from mixtune.errors import ConfigError
from mixtune.search import Search
from mixtune.searchers.base import FoldSearcher, Searcher
from mixtune.searchers.baselines import Expert, Proportional, Temperature, Uniform, baseline_recipes
from mixtune.searchers.blackbox import Random
from mixtune.searchers.cmaes import CMAES
from mixtune.searchers.crisp import CRISP
from mixtune.searchers.doge import DoGESearch
from mixtune.searchers.doremi import DoReMiSearch
from mixtune.searchers.infdds import InfDDS
from mixtune.searchers.listed import Listed
from mixtune.searchers.multidds import MultiDDS
from mixtune.searchers.neighbours import Neighbours
from mixtune.searchers.optuna import GP, TPE
from mixtune.searchers.qmc import QMC
from mixtune.searchers.regmix import RegMix
from mixtune.searchers.scout import Scout
from mixtune.searchers.tdro import TDROSearch

__all__ = ["SEARCHERS", "FoldSearcher", "InfDDS", "Searcher", "baseline_recipes", "make", "searcher_type"]

_ALL: tuple[type[Searcher], ...] = (
    CMAES,
    CRISP,
    DoGESearch,
    DoReMiSearch,
    Expert,
    GP,
    InfDDS,
    MultiDDS,
    Neighbours,
    Proportional,
    QMC,
    Random,
    Scout,
    RegMix,
    TDROSearch,
    Temperature,
    TPE,
    Uniform,
)

SEARCHERS: dict[str, type[Searcher]] = {searcher.name: searcher for searcher in sorted(_ALL, key=lambda s: s.name)}
"""The search algorithms that a study file may name."""


def searcher_type(algorithm: str) -> type[Searcher]:
    """The class of a search algorithm, `listed` among them, which no study file names.

    Raises:
        ConfigError: there is none of that name.
    """
    if algorithm == Listed.name:
        return Listed
    if algorithm not in SEARCHERS:
        raise ConfigError(f"no search algorithm {algorithm!r}: {nearest(algorithm, list(SEARCHERS))}")
    return SEARCHERS[algorithm]


def make(search: Search) -> Searcher:
    """Build the searcher that a study names, its settings checked against the searcher's fields.

    Raises:
        ConfigError: no such algorithm, no such setting, or a value that the setting does not take.
    """
    searcher = searcher_type(search.algorithm)
    types = setting_types(searcher)
    values = {}
    for name, value in search.settings.items():
        if name not in types:
            raise ConfigError(f"{search.algorithm} has no setting {name!r}: {nearest(name, sorted(types))}")
        try:
            values[name] = TypeAdapter(types[name]).validate_python(value, strict=True)
        except ValidationError as error:
            wrong = " or ".join(dict.fromkeys(str(problem["msg"]) for problem in error.errors()))
            raise ConfigError(f"{search.algorithm}: setting {name} is {value!r}. {wrong}") from error
    return searcher(**values)


def setting_types(searcher: type[Searcher]) -> dict[str, Any]:
    """Settings of a search algorithm: field -> type, with the bounds that pydantic checks."""
    hints = get_type_hints(searcher, include_extras=True)
    return {name: hints[name] for name, kind in hints.items() if get_origin(kind) is not ClassVar}


def nearest(name: str, allowed: Sequence[str]) -> str:
    """What could have been meant, and all that is allowed."""
    if not allowed:
        return "it takes none"
    close = difflib.get_close_matches(name, allowed, n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    return f"{meant}Allowed are {', '.join(allowed)}"
