"""Finished studies put side by side as if they were one comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue as Json

from mixtune.comparison import Comparison, Equal
from mixtune.errors import ConfigError
from mixtune.report.comparing.evenness import limit
from mixtune.report.summary import Record
from mixtune.search import Budget, Search
from mixtune.study import Study, StudyState


@dataclass(frozen=True, slots=True)
class SideBySide:
    """A comparison made of existing studies. members holds label, replicate and name of each study."""

    comparison: Comparison
    members: tuple[tuple[str, int, str], ...]
    notes: tuple[str, ...]


def side_by_side(records: Sequence[Record]) -> SideBySide:
    """Finished studies as a comparison: equal searches are one contender, and equal seeds one replicate.

    What a search was given may differ, which is then noted: versions of libraries here, budgets by `compared`.

    Raises:
        ConfigError: fewer than two studies, one is not complete, they differ in more than their search and seed, two
            have the same search and seed, or no two searches share a seed.
    """
    if len(records) < 2:
        raise ConfigError(f"{len(records)} study is nothing to compare: name two or more")
    for record in records:
        if record.state is not StudyState.COMPLETE:
            raise ConfigError(
                f"study {record.study.name!r} is {record.state.value}: only complete studies can be compared, so "
                f"finish it with `mixtune resume {record.study.name}` first"
            )
    first = records[0].study
    for record in records[1:]:
        _require_alike(first, record.study)
    labels = _labels([record.study for record in records])
    seeds = sorted({record.study.seed for record in records})
    members = tuple((labels[r.study.name], seeds.index(r.study.seed), r.study.name) for r in records)
    _require_pairs(members)
    contenders: dict[str, Search] = {labels[record.study.name]: record.study.search for record in records}
    base = replace(first, name=" ".join(record.study.name for record in records), preparation=None)
    comparison = Comparison(base, contenders, replicates=len(seeds), equal=_equal([r.study.budget for r in records]))
    return SideBySide(comparison, members, tuple(_notes(records)))


COMMON = ("sources", "targets", "model", "proxy", "space", "objective", "final", "decontaminate")
"""What studies must have in common, besides the data and model that they were prepared with."""


def _require_alike(first: Study, other: Study) -> None:
    differing = [part for part in COMMON if getattr(first, part) != getattr(other, part)]
    if first.prepared.key != other.prepared.key and not differing:
        differing = ["the data or model behind them (their preparation)"]
    if differing:
        raise ConfigError(
            f"studies {first.name!r} and {other.name!r} differ in {', '.join(differing)}: their results cannot be told "
            f"apart from that; run one of them again under the other's description"
        )


def _labels(studies: Sequence[Study]) -> dict[str, str]:
    """Study -> what its search is called: the algorithm, with settings where that is not enough to tell it."""
    plain: dict[str, set[str]] = {}
    for study in studies:
        plain.setdefault(study.search.algorithm, set()).add(_settings(study.search.settings))
    return {
        study.name: study.search.algorithm
        if len(plain[study.search.algorithm]) == 1
        else f"{study.search.algorithm} {_settings(study.search.settings)}".strip()
        for study in studies
    }


def _settings(settings: Mapping[str, Json]) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(settings.items()))


def _require_pairs(members: Sequence[tuple[str, int, str]]) -> None:
    met: dict[tuple[str, int], str] = {}
    for label, replicate, name in members:
        if (label, replicate) in met:
            raise ConfigError(
                f"studies {met[label, replicate]!r} and {name!r} have the same search and seed: leave one of them out"
            )
        met[label, replicate] = name
    by_seed: dict[int, set[str]] = {}
    for label, replicate in met:
        by_seed.setdefault(replicate, set()).add(label)
    if max(len(each) for each in by_seed.values()) < 2:
        raise ConfigError(
            "no two of these searches have a study of the same seed, so nothing can be paired: run them with equal "
            "seeds"
        )


def _equal(budgets: Sequence[Budget]) -> Equal:
    """What limited all of them, compute before trials before seconds; compute where nothing did."""
    return next((equal for equal in Equal if all(limit(budget, equal) for budget in budgets)), Equal.FLOPS)


def _notes(records: Sequence[Record]) -> list[str]:
    versions = {tuple(sorted((record.versions or {}).items())) for record in records}
    return ["they ran on different versions of libraries"] if len(versions) > 1 else []
