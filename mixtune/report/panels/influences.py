"""What a guided search knows of each source: its influence, how sure that is, and how often it was tried (Inf-DDS)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pydantic import JsonValue as Json

from mixtune.proposal import Role
from mixtune.report.sheet import SHOWN, Sheet, cut, left_out, number
from mixtune.study import Study
from mixtune.trial import Trial

UNITS = {
    "loss": "influence: by how much a probe lowers the targets' dev loss",
    "rank": "influence: by how much a probe raises nDCG on the targets' dev queries",
    "both": "influence: fall of dev loss and rise of nDCG, in standard errors of a probe",
}
"""What the influence that a search reads is, by its setting `measure`."""

FORMS = {"loss": "+.2%", "rank": "+.2%", "both": "+.2f"}
"""How such an influence is written."""

KEYS = ("weights", "influence", "error", "visits")
"""Notes of a proposal that hold one entry per arm."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one arm stands: a source, or a source at one of its keep levels.

    influence is the running mean of what the search measures (see UNITS) and error its standard error, both None for an
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


def measure_of(trials: Sequence[Trial]) -> str:
    """In what the last round's proposal measures influence: a key of UNITS."""
    rounds = [trial for trial in trials if trial.role is Role.ROUND]
    measure = str(rounds[-1].proposal.notes.get("measure", "loss")) if rounds else "loss"
    told = [trial.measurement.influence for trial in rounds if trial.measurement is not None]
    ranked = all(each.rank for influence in told for each in influence.values() if each.value is not None)
    return measure if ranked else "loss"


def standings_sheet(trial: int, found: Mapping[str, Standing], measure: str = "loss") -> Sheet:
    """The panel, most influential first, arms that were never probed last; measure is a key of UNITS.

    Of many arms those of middling influence are left out, and those never probed before any that were.
    """
    form = FORMS[measure]
    order = sorted(found, key=lambda name: (found[name].influence is None, -(found[name].influence or 0.0), name))
    rows = [
        (
            name,
            number(found[name].influence, form),
            number(found[name].error, form[1:]),
            str(found[name].visits),
            number(found[name].weight),
        )
        for name in order
    ]
    probed = sum(each.influence is not None for each in found.values())
    shown, more = cut(rows[:probed], "sources", ends=True)
    unprobed = rows[probed:][: SHOWN - len(shown)]
    without = left_out(len(rows) - probed - len(unprobed), "sources", ", never probed")
    return Sheet(
        title=f"Influence per source, as trial {trial} was proposed",
        left=("source",),
        right=("influence", "± error", "probes", "weight"),
        rows=(*shown, *unprobed),
        caption=UNITS[measure],
        lines=(*more, *without),
    )


def standings_document(trial: int, found: Mapping[str, Standing], measure: str = "loss") -> dict[str, Json]:
    """The panel as JSON."""
    return {"trial": trial, "measure": measure, "arms": {name: asdict(each) for name, each in found.items()}}


def _float(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) else None
