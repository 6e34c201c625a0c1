"""A stored study or comparison as the study file that makes it again: the inverse of reading one."""

from typing import TypeAlias, cast

import yaml
from pydantic import JsonValue as Json
from pydantic import TypeAdapter

from mixtune.comparison import Comparison
from mixtune.config.options import OF_DYNAMIC
from mixtune.config.schema import KINDS
from mixtune.search import Search
from mixtune.study import Study

Part: TypeAlias = dict[str, Json]

ORDER = (
    *("name", "model", "proxy", "sources", "targets", "decontaminate", "space", "pruning", "batching", "search"),
    *("compare", "budget", "stopping", "final", "objective", "seed"),
)
"""The keys of a study file in the order in which we write them."""


def study_file(study: Study) -> str:
    """The YAML of a study, with the keys that differ from their defaults; `load` reads it as the same study.

    Places of data are absolute, so it works from any folder of the same machine.
    """
    parts = _parts(study)
    parts["search"] = {"algorithm": study.search.algorithm, **study.search.settings}
    return _yaml(parts)


def comparison_file(comparison: Comparison) -> str:
    """The YAML of a comparison; `load_comparison` reads it as the same comparison."""
    parts = _parts(comparison.base)
    final = _part(parts, "final")
    parts["final"] = {**final, "finalists": comparison.base.final.finalists}  # its default is not a study's
    parts["compare"] = {
        "searchers": {label: _contender(label, search) for label, search in comparison.contenders.items()},
        "replicates": comparison.replicates,
        "equal": comparison.equal.value,
    }
    return _yaml(parts)


def _yaml(parts: Part) -> str:
    said = {key: parts[key] for key in ORDER if parts.get(key) not in (None, {})}
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


def _parts(study: Study) -> Part:
    """All parts but what searches; model, seed and what judges are always said: they must not be guessed."""
    found: Part = TypeAdapter(Study).dump_python(study, mode="json", exclude_defaults=True, exclude={"search"})
    space, schedule = _part(found, "space"), study.space.schedule
    keep = space.pop("levels", None) or space.pop("shared_levels", None)
    choices = cast(dict[str, list[float]], space.pop("choices", {}))
    pruning: Part = {}
    if schedule is not None:
        switched = choices.pop("dynamic", None)
        pruning["method"] = (
            schedule.method if switched is None else [schedule.method if each else "none" for each in switched]
        )
        pruning |= {key: value for key, value in _part(space, "schedule").items() if key in OF_DYNAMIC}
    batching = _part(space, "batching")
    for name, values in choices.items():
        if name in OF_DYNAMIC:
            pruning[name] = [*values]
        else:
            batching[name] = [int(each) for each in values]
    if "keep_least" in space:
        pruning["least"] = space.pop("keep_least")
    bounds = {key: value for key, value in space.items() if key not in ("schedule", "batching")}
    final = {"steps": study.final.steps, "seeds": study.final.seeds, **_part(found, "final")}
    return {
        **found,
        "model": study.model,
        "sources": {
            source.name: _place(each) for source, each in zip(study.sources, _list(found, "sources"), strict=True)
        },
        "targets": {
            target.name: _place(each) for target, each in zip(study.targets, _list(found, "targets"), strict=True)
        },
        "space": {**bounds, **({} if keep is None else {"keep": keep})},
        "pruning": pruning,
        "batching": batching,
        "final": final,
        "seed": study.seed,
    }


def _place(entry: Part) -> Part:
    """A source or a target without its name, its location under the key that its kind has for it."""
    kind = str(entry["kind"])
    rest = {key: value for key, value in entry.items() if key not in ("name", "kind", "location")}
    return {"kind": kind, KINDS[kind].location: entry["location"], **rest}


def _contender(label: str, search: Search) -> Part:
    named: Part = {} if label == search.algorithm else {"algorithm": search.algorithm}
    return {**named, **search.settings}


def _part(parts: Part, name: str) -> Part:
    return dict(cast(Part, parts.get(name, {})))


def _list(parts: Part, name: str) -> list[Part]:
    return cast(list[Part], parts[name])
