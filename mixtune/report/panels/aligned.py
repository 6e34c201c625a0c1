"""How the sources' gradients lie to those of the targets (MultiDDS)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import JsonValue as Json

from mixtune.report.sheet import Sheet, cut, number
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

COLUMNS = 3
"""Targets that have a column of their own; of more, the mean, the lowest and the highest are shown."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """A source's mean cosine with each target's gradient and mean norm, over the runs that measured them.

    overall is the mean cosine by the targets' importance. weight is that of the last of these runs.
    """

    cosine: Mapping[str, float]
    overall: float
    norm: float
    runs: int
    weight: float


def aligned(study: Study, trials: Sequence[Trial]) -> dict[str, Aligned]:
    """Each source whose gradient was measured, empty where none was."""
    runs = [
        (trial.proposal.recipe.mixture, trial.measurement.alignment)
        for trial in trials
        if trial.state is TrialState.COMPLETE and trial.measurement is not None and trial.measurement.alignment
    ]
    importance = dict(zip((target.name for target in study.targets), study.target_weights().tolist(), strict=True))
    found: dict[str, Aligned] = {}
    for name in study.names:
        own = [(mixture, each[name]) for mixture, each in runs if name in each]
        if own:
            cosine = {
                target: float(np.mean([each.cosine[target] for _, each in own if target in each.cosine] or [0.0]))
                for target in importance
            }
            found[name] = Aligned(
                cosine=cosine,
                overall=sum(importance[target] * value for target, value in cosine.items()),
                norm=float(np.mean([each.norm for _, each in own])),
                runs=len(own),
                weight=own[-1][0].get(name, 0.0),
            )
    return found


def aligned_sheet(study: Study, found: Mapping[str, Aligned]) -> Sheet:
    """The panel, best aligned source first."""
    targets = [target.name for target in study.targets]
    few = len(targets) <= COLUMNS
    order = sorted(found, key=lambda name: (-found[name].overall, name))
    rows, more = cut(
        [
            (
                name,
                *(number(value, "+.3f") for value in _shown(found[name], targets, few)),
                number(found[name].norm, ".3g"),
                str(found[name].runs),
                number(found[name].weight),
            )
            for name in order
        ],
        "sources",
        ends=True,
    )
    return Sheet(
        title="Alignment: cosine of a source's gradient with those of the targets",
        left=("source",),
        right=(*(("all", *targets) if few else ("all", "lowest", "highest")), "norm", "runs", "weight"),
        rows=rows,
        caption="all: by the targets' importance; means over the runs that measured it",
        lines=more,
    )


def aligned_document(found: Mapping[str, Aligned]) -> dict[str, Json]:
    """The panel as JSON."""
    return {name: asdict(each) for name, each in found.items()}


def _shown(each: Aligned, targets: Sequence[str], few: bool) -> list[float]:
    values = [each.cosine[target] for target in targets]
    return [each.overall, *(values if few else (min(values), max(values)))]
