"""What runs did otherwise than asked for, in their own words, each said once."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue as Json

from mixtune.report.sheet import Sheet
from mixtune.trial import Trial

SAID = 5
"""Remarks that a terminal shows."""


def remarked(trials: Sequence[Trial]) -> dict[str, tuple[int, ...]]:
    """Remark -> numbers of the trials that made it, in the order in which it was first made."""
    found: dict[str, list[int]] = {}
    for trial in trials:
        for remark in dict.fromkeys(trial.measurement.remarks if trial.measurement is not None else ()):
            found.setdefault(remark, []).append(trial.number)
    return {remark: tuple(numbers) for remark, numbers in found.items()}


def remarked_sheet(found: Mapping[str, tuple[int, ...]]) -> Sheet:
    """The panel, most frequent remark first."""
    order = sorted(found, key=lambda remark: -len(found[remark]))
    lines = [f"{_who(found[remark])}: {remark}" for remark in order[:SAID]]
    if len(order) > SAID:
        lines.append(f"and {len(order) - SAID} more (--json has them all)")
    return Sheet("Remarks of runs", lines=tuple(lines))


def remarked_document(found: Mapping[str, tuple[int, ...]]) -> list[Json]:
    """The panel as JSON."""
    return [{"remark": remark, "trials": list(numbers)} for remark, numbers in found.items()]


def _who(numbers: tuple[int, ...]) -> str:
    return f"trial {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} trials from {numbers[0]} on"
