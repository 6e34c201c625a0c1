"""How far a pruning schedule got: epochs that it completed per source."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import JsonValue as Json

from mixtune.measurement import Drawn
from mixtune.recipe import Recipe
from mixtune.report.sheet import Sheet, cut, number
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class Completed:
    """Means over runs of one source: epochs ended, pairs left out of the last epoch begun, and pairs drawn."""

    epochs: float
    pruned: float
    rows: float
    runs: int


def completed(study: Study, trials: Sequence[Trial], recipe: Recipe | None) -> dict[str, Completed]:
    """What fresh runs with a schedule say, those of the recipe if any of them has one; empty without any."""
    fresh = [
        (trial.proposal.recipe, trial.measurement.receipt)
        for trial in trials
        if trial.state is TrialState.COMPLETE and trial.proposal.parent is None and trial.measurement is not None
    ]
    runs = [(made, receipt) for made, receipt in fresh if made.pruning.schedule is not None]
    receipts = [receipt for made, receipt in runs if made == recipe] or [receipt for _, receipt in runs]
    found: dict[str, Completed] = {}
    for name in study.names:
        drawn = [each for receipt in receipts if (each := receipt.get(name)) is not None and each.completed is not None]
        if drawn:
            found[name] = _mean(drawn)
    return found


def _mean(drawn: Sequence[Drawn]) -> Completed:
    return Completed(
        epochs=float(np.mean([each.completed or 0 for each in drawn])),
        pruned=float(np.mean([each.pruned for each in drawn])),
        rows=float(np.mean([each.rows for each in drawn])),
        runs=len(drawn),
    )


def without_effect(found: Mapping[str, Completed]) -> list[str]:
    """Sources whose schedule ended no epoch in the average run."""
    return [name for name, each in found.items() if each.epochs < 1]


def completed_sheet(found: Mapping[str, Completed]) -> Sheet:
    """The panel, most epochs first."""
    order = sorted(found, key=lambda name: (-found[name].epochs, name))
    rows, more = cut(
        [
            (
                name,
                number(found[name].epochs, ".1f"),
                f"{found[name].pruned:,.0f}",
                f"{found[name].rows:,.0f}",
                str(found[name].runs),
            )
            for name in order
        ],
        "sources",
    )
    idle = without_effect(found)
    named = f"{', '.join(idle[:3])}{f' and {len(idle) - 3} more' if len(idle) > 3 else ''}"
    lines = (f"Below 1: the schedule had no effect on {named}.",) if idle else ()
    return Sheet(
        title="Pruning schedule: epochs completed per source, mean over runs",
        left=("source",),
        right=("epochs", "left out", "drawn", "runs"),
        rows=rows,
        caption="left out: pairs that the last epoch did without; drawn: pairs in all",
        lines=(*more, *lines),
    )


def completed_document(found: Mapping[str, Completed]) -> dict[str, Json]:
    """The panel as JSON."""
    return {"sources": {name: asdict(each) for name, each in found.items()}, "without_effect": [*without_effect(found)]}
