"""How well a regression on mixtures predicts runs that it was not fitted on (RegMix)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pydantic import JsonValue as Json

from mixtune.report.sheet import Sheet, number
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class Missed:
    """Out-of-fold error of one model: root mean square, and rank correlation (None where either side is constant)."""

    rmse: float
    spearman: float | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """The last fit that a proposal was made from: which model, on how many runs, whose scores have that deviation.

    models holds the error of every model that was compared, None where it could not be told.
    """

    trial: int
    model: str
    runs: int
    scores_std: float
    models: Mapping[str, Missed | None]


def fitted(trials: Sequence[Trial]) -> Fitted | None:
    """What the last predicted proposal notes of its fit; None without one."""
    for trial in reversed(trials):
        notes = trial.proposal.notes
        errors, runs = notes.get("out_of_fold"), notes.get("runs")
        if isinstance(errors, dict) and isinstance(runs, int):
            models = {name: _missed(error) for name, error in errors.items()}
            return Fitted(
                trial.number, str(notes.get("model", "")), runs, _float(notes.get("scores_std")) or 0.0, models
            )
    return None


def fitted_sheet(found: Fitted) -> Sheet:
    """The panel: one line per model."""
    rows = [
        (name, *(("-", "-") if each is None else (number(each.rmse, ".4f"), number(each.spearman, "+.2f"))))
        for name, each in found.models.items()
    ]
    return Sheet(
        title=f"Fit behind trial {found.trial}: {found.model} on {found.runs} runs",
        left=("model",),
        right=("out-of-fold error", "rank correlation"),
        rows=tuple(rows),
        caption=f"error: root mean square; the scores' own standard deviation is {found.scores_std:.4f}",
    )


def fitted_document(found: Fitted) -> dict[str, Json]:
    """The panel as JSON."""
    return asdict(found)


def _missed(error: Json) -> Missed | None:
    rmse = _float(error.get("rmse")) if isinstance(error, dict) else None
    return None if rmse is None or not isinstance(error, dict) else Missed(rmse, _float(error.get("spearman")))


def _float(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) else None
