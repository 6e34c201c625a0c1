"""Where the numbers of a study come from, and how to get them again."""

import importlib.metadata
import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum

from pydantic import JsonValue as Json

from mixtune.report.looks.collected import AUDIT, FIDELITY, MATRIX, is_look, kind_of
from mixtune.report.sheet import Sheet, cut, number
from mixtune.report.summary import Summary
from mixtune.study import Study
from mixtune.trial import TrialState

HASH = 12
"""Characters of a hash that are shown; the JSON has all of them."""

LOOKING = {AUDIT: "mixtune audit {}", MATRIX: "mixtune audit {} --matrix", FIDELITY: "mixtune fidelity {}"}
"""What makes each kind of look into a study."""


def provenance_sheets(summary: Summary) -> Iterator[Sheet]:
    """What was run on which data: the study, its sources and its targets."""
    yield Sheet(title="Provenance", left=("what", "which"), rows=tuple(_facts(summary)))
    yield from prepared_sheets(summary.study)


def prepared_sheets(study: Study) -> Iterator[Sheet]:
    """The sources and targets of a study as they were read; nothing of one that is not prepared."""
    prepared = study.preparation
    if prepared is None:
        return
    sources, more = cut(
        [
            (name, facts.sha256[:HASH], facts.revision or "-", f"{facts.rows:,}", f"{facts.unique_queries:,}")
            for name, facts in prepared.sources.items()
        ],
        "sources",
    )
    yield Sheet("Sources as read", ("source", "sha256", "revision"), ("rows", "queries"), sources, lines=more)
    targets, more = cut(
        [
            (
                name,
                facts.sha256[:HASH],
                f"{facts.dev_queries:,}",
                f"{facts.test_queries:,}",
                f"{facts.documents:,}",
                f"{facts.dev_pool:,}",
            )
            for name, facts in prepared.targets.items()
        ],
        "targets",
    )
    yield Sheet(
        "Targets as read",
        ("target", "sha256"),
        ("dev queries", "test queries", "documents", "dev pool"),
        targets,
        "dev is ranked against dev pool documents, test against all",
        more,
    )


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    study = summary.study
    settings = ", ".join(f"{name} {json.dumps(value)}" for name, value in study.search.settings.items())
    budget = {"runs": study.budget.runs, "trials": study.budget.trials, "workers": study.budget.workers}
    yield "study", study.name
    yield "state", f"{summary.state.value}{f': {summary.reason}' if summary.reason else ''}"
    yield (
        "trials",
        ", ".join(f"{summary.trials[state]} {state.value}" for state in TrialState if summary.trials.get(state)),
    )
    yield "search", f"{study.search.algorithm}{f' ({settings})' if settings else ''}"
    yield "budget", ", ".join(f"{name} {value:g}" for name, value in budget.items() if value is not None)
    yield "objective", f"{study.objective.metric} on dev, {study.objective.aggregate}"
    yield "model", study.model
    yield (
        "proxy",
        f"{study.proxy.trainable}, {study.proxy.steps:,} steps of {study.proxy.batch_size}, {study.proxy.loss}",
    )
    yield "final training", f"{study.final.steps:,} steps; judged on {study.final.seeds} seeds"
    yield (
        "seeds",
        f"study {study.seed}; judging {', '.join(str(study.judging_seed(r)) for r in range(study.final.seeds))}",
    )
    yield "versions", ", ".join(f"{name} {version}" for name, version in sorted(summary.versions.items())) or "-"
    if study.preparation is not None:
        yield "one fresh run", f"{number(study.preparation.run_flops, '.4g')} FLOP"


def reproducing(summary: Summary) -> tuple[str, ...]:
    """Commands that make the study, the looks into it and this report again."""
    study = summary.study
    of = study.of if is_look(study) and study.of else study.name
    file, name = shlex.quote(f"{of}.yaml"), shlex.quote(of)
    reported = f"mixtune report {shlex.quote(study.name)} --out {shlex.quote(f'{study.name}.html')}"
    first = (*installing(study, summary.versions), f"mixtune run {file}")
    if is_look(study):
        return (*first, LOOKING.get(kind_of(study), "mixtune report {}").format(name), reported)
    found = {AUDIT: summary.looks.audit, MATRIX: summary.looks.matrix, FIDELITY: summary.looks.fidelity}
    return (
        *first,
        *(LOOKING[kind].format(name) for kind, look in found.items() if look is not None),
        reported,
        f"mixtune export {name} --format sentence-transformers --out {shlex.quote(f'train_{study.name}')}",
    )


def installing(study: Study, versions: Mapping[str, str]) -> tuple[str, ...]:
    """The command that installs what a study ran with, none where that is not known."""
    libraries = {name: found for name, found in versions.items() if name not in ("python", "mixtune")}
    pinned = {name: version.partition("+")[0] for name, version in libraries.items()}
    pinned |= {name: version for name, version in _documented(study).items() if name not in pinned}
    installed = shlex.join(f"{library}=={version}" for library, version in sorted(pinned.items()))
    return (f"pip install {installed}",) if installed else ()


def _documented(study: Study) -> dict[str, str]:
    """Distribution -> version of the packages whose docstrings the study's sources were read from.

    A package that this machine does not have, or that several distributions share, is left out: what to install for
    it cannot be told.
    """
    prepared = study.preparation
    versions = {
        location.partition(".")[0]: facts.revision
        for source in study.sources
        if source.kind == "docstrings" and prepared is not None
        if (facts := prepared.sources.get(source.name)) is not None and facts.revision is not None
        for location in source.locations
    }
    others = {top: version for top, version in versions.items() if top not in {"stdlib", *sys.stdlib_module_names}}
    owners = importlib.metadata.packages_distributions() if others else {}
    found = {top: set(owners.get(top, ())) for top in others}
    return {names.pop(): others[top] for top, names in found.items() if len(names) == 1}


def specification(study: Study) -> Json:
    """The study as JSON: all that decides its trials."""
    return specification_of(replace(study, preparation=None))


def specification_of(value: object) -> Json:
    """A value of frozen dataclasses as JSON."""
    if isinstance(value, Enum):
        return str(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: specification_of(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): specification_of(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [specification_of(each) for each in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
