"""What a guided search knows of each source: its influence, how sure that is, and how often it was tried (Inf-DDS)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pydantic import JsonValue as Json

from mixtune.report.sheet import Sheet, cut, number
from mixtune.study import Study
from mixtune.trial import Role, Trial

KEYS = ("weights", "influence", "error", "visits")
"""Notes of a proposal that hold one entry per arm."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one arm stands: a source, or a source at one of its keep levels.

    influence is the running mean of the relative fall of the dev loss and error its standard error, both None for an
    arm that was never probed; visits counts its probes; weight is the policy's, before floors and caps.
    """

    influence: float | None
    error: float | None
    visits: int
    weight: float


def standings(study: Study, trials: Sequence[Trial]) -> tuple[int, dict[str, Standing]] | None:
    """Number of the last proposal that says how its policy stood, and that by arm; None without one."""
    for trial in reversed(trials):
        notes = trial.proposal.notes
        lists = [notes.get(key) for key in KEYS]
        if trial.role is Role.ROUND and all(isinstance(values, list) for values in lists):
            named = notes.get("arms", list(study.names))
            columns = [values for values in (named, *lists) if isinstance(values, list)]
            return trial.number, {
                str(name): Standing(_float(influence), _float(error), int(_float(visits) or 0), _float(weight) or 0.0)
                for name, weight, influence, error, visits in zip(*columns, strict=True)
            }
    return None


def standings_sheet(trial: int, found: Mapping[str, Standing]) -> Sheet:
    """The panel, most influential first, arms that were never probed last."""
    order = sorted(found, key=lambda name: (found[name].influence is None, -(found[name].influence or 0.0), name))
    rows, more = cut(
        [
            (
                name,
                number(found[name].influence, "+.2%"),
                number(found[name].error, ".2%"),
                str(found[name].visits),
                number(found[name].weight),
            )
            for name in order
        ]
    )
    return Sheet(
        title=f"Influence per source, as trial {trial} was proposed",
        left=("source",),
        right=("influence", "± error", "probes", "weight"),
        rows=rows,
        caption="influence: by how much a probe lowers the targets' dev loss",
        lines=more,
    )


def standings_document(trial: int, found: Mapping[str, Standing]) -> dict[str, Json]:
    """The panel as JSON."""
    return {"trial": trial, "arms": {name: asdict(each) for name, each in found.items()}}


def _float(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) else None
