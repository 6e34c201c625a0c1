"""Whether the dev loss that signals are made of tracks the metric that counts: rank correlation over a study's runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import JsonValue as Json

from mixtune.report.correlation import FEWEST, Correlation, correlation, correlation_cells
from mixtune.report.sheet import Sheet
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class Tracking:
    """Spearman's correlation of falling dev loss with the metric on dev, per target and pooled, over `runs` runs.

    1 means that a lower dev loss always went with a better metric. targets and pooled are None where there are fewer
    than FEWEST runs, or one of the two never changed.
    """

    metric: str
    runs: int
    targets: Mapping[str, Correlation | None]
    pooled: Correlation | None


def tracking(study: Study, trials: Sequence[Trial]) -> Tracking | None:
    """Compare over all complete runs that have both; None if none has.

    Rounds that probe are left out: their dev loss is measured before the merge, on a sample of queries of their own.
    Pooled means ranked within each target, then put together; its interval counts runs, not runs times targets, since
    the targets of one run share its fortune.
    """
    metric = study.objective.metric
    names = [target.name for target in study.targets]
    both = [
        found
        for trial in trials
        if trial.state is TrialState.COMPLETE and trial.proposal.probe is None and (found := trial.measurement)
        if all(name in found.dev_loss and metric in found.dev.get(name, {}) for name in names)
    ]
    if not both:
        return None
    loss = {name: np.array([-found.dev_loss[name] for found in both]) for name in names}
    value = {name: np.array([found.dev[name][metric] for found in both]) for name in names}
    return Tracking(
        metric=metric,
        runs=len(both),
        targets={name: correlation([loss[name]], [value[name]]) for name in names},
        pooled=correlation([loss[name] for name in names], [value[name] for name in names]),
    )


def tracking_sheet(found: Tracking) -> Sheet:
    """The panel: one line per target, and all of them pooled."""
    title = f"Does dev loss track {found.metric} on dev? Rank correlation over {found.runs} runs"
    if found.runs < FEWEST:
        return Sheet(title, lines=(f"too few: at least {FEWEST} scored runs are needed",))
    rows = [(name, *correlation_cells(each)) for name, each in found.targets.items()]
    if len(found.targets) > 1:
        rows.append(("pooled", *correlation_cells(found.pooled)))
    return Sheet(
        title,
        left=("target",),
        right=("correlation", "95 % interval"),
        rows=tuple(rows),
        caption="1: a lower dev loss always went with a better metric",
    )


def tracking_document(found: Tracking) -> dict[str, Json]:
    """The panel as JSON."""
    return asdict(found)
