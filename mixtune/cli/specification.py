"""How the specification in a study file differs from the stored one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import JsonValue as Json

from mixtune.errors import StudyExists
from mixtune.proposal import CHARGED
from mixtune.search import Budget
from mixtune.store.codec import to_json
from mixtune.study import Study
from mixtune.trial import Trial

SHOWN = 8


def differences(stored: Study, wanted: Study) -> list[tuple[str, Json, Json]]:
    """(dotted field, stored value, wanted value) wherever two specifications differ; preparation is none of it."""
    return list(_walk("", _fields(stored), _fields(wanted)))


def refuse_other(stored: Study, wanted: Study, trials: Sequence[Trial], hint: str) -> None:
    """Refuse to go on with a stored study, which has these trials, under another specification.

    Raises:
        StudyExists: they differ; names the fields, both values, and what can be done.
    """
    found = differences(stored, wanted)
    if not found:
        return
    name = stored.name
    if all(field in ("budget.trials", "budget.runs") for field, _, _ in found):
        budget = wanted.budget
        asked = [f"--{key} {value:g}" for key, value in (("trials", budget.trials), ("runs", budget.runs)) if value]
        over = overspent(stored, trials, budget)
        way = (
            f"to give it the new one, use `mixtune resume {name} {' '.join(asked)}{hint}`"
            if over is None
            else f"the new one is too small, {over[1]}"
        )
        raise StudyExists(
            f"study {name!r} exists with another budget ({'; '.join(said(each) for each in found)}): "
            f"{way}; to go on as it is, `mixtune resume {name}{hint}`"
        )
    lines = [said(each) for each in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"and {len(found) - SHOWN} more")
    raise StudyExists(
        "\n  ".join([f"study {name!r} exists with another specification:", *lines])
        + f"\nGive the new study another `name`, or remove the old one with `mixtune rm {name}{hint}`."
    )


def overspent(study: Study, trials: Sequence[Trial], budget: Budget) -> tuple[str, str] | None:
    """The option of `resume` whose limit the search is beyond already, and what it has had; None if there is none."""
    asked = [trial for trial in trials if trial.role in CHARGED]
    if budget.trials is not None and budget.trials < len(asked):
        return f"--trials {budget.trials}", f"the search has {len(asked)} trials already"
    if budget.runs is not None and study.preparation is not None:
        spent = sum(trial.measurement.cost.flops for trial in asked if trial.measurement)
        done = spent / study.preparation.run_flops
        if budget.runs < done:
            return f"--runs {budget.runs:g}", f"the search has spent {done:.2f} fresh runs"
    return None


def said(difference: tuple[str, Json, Json]) -> str:
    """One of the differences in words."""
    field, stored, wanted = difference
    return f"{field} is {_short(stored)}, the file says {_short(wanted)}"


def _short(value: Json) -> str:
    text = "not given" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fields(study: Study) -> dict[str, Json]:
    """The specification as JSON, sources and targets by name."""
    fields = to_json(replace(study, preparation=None))
    for key in ("sources", "targets"):
        entries = fields[key]
        if isinstance(entries, list):
            fields[key] = {str(each["name"]): each for each in entries if isinstance(each, dict)}
            fields[f"order of {key}"] = [each["name"] for each in entries if isinstance(each, dict)]
    return fields


def _walk(place: str, stored: Json, wanted: Json) -> Iterator[tuple[str, Json, Json]]:
    if isinstance(stored, dict) and isinstance(wanted, dict):
        for key in dict.fromkeys((*stored, *wanted)):
            yield from _walk(f"{place}.{key}" if place else key, stored.get(key), wanted.get(key))
    elif stored != wanted:
        yield place, stored, wanted
