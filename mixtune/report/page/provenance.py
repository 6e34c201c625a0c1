"""Where the numbers of a study come from, and how to get them again."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum

from pydantic import JsonValue as Json

from mixtune.report.sheet import Sheet, cut, number
from mixtune.report.summary import Summary
from mixtune.study import Study
from mixtune.trial import TrialState

HASH = 12
"""Characters of a hash that are shown; the JSON has all of them."""


def provenance_sheets(summary: Summary) -> Iterator[Sheet]:
    """What was run on which data: the study, its sources and its targets."""
    yield Sheet(title="Provenance", left=("what", "which"), rows=tuple(_facts(summary)))
    prepared = summary.study.preparation
    if prepared is None:
        return
    sources, more = cut(
        [
            (name, facts.sha256[:HASH], facts.revision or "-", f"{facts.rows:,}", f"{facts.unique_queries:,}")
            for name, facts in prepared.sources.items()
        ]
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
        ]
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
    """Commands that make the study and this report again."""
    file, name = shlex.quote(f"{summary.study.name}.yaml"), shlex.quote(summary.study.name)
    libraries = {name: found for name, found in sorted(summary.versions.items()) if name not in ("python", "mixtune")}
    installed = [f"{library}=={version.partition('+')[0]}" for library, version in libraries.items()]
    return (
        *([f"pip install {shlex.join(installed)}"] if installed else []),
        f"mixtune run {file}",
        f"mixtune report {name} --out {shlex.quote(f'{summary.study.name}.html')}",
        f"mixtune export {name} --format sentence-transformers --out {shlex.quote(f'train_{summary.study.name}')}",
    )


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
