"""Whether parts of the dev queries say the same of the sources: influence split by split (Inf-DDS, scout)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
from pydantic import JsonValue as Json

from mixtune.measurement import Influence
from mixtune.proposal import Role
from mixtune.ranks import spearman
from mixtune.report.panels.influences import FORMS, UNITS, measure_of
from mixtune.report.sheet import Sheet, cut, number
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

FEWEST = 4
"""Sources that every two splits must both have seen; below it nothing is said."""

SHOWN_SPLITS = 4
"""Splits that a terminal shows a column of."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Mean influence of each arm on each split of the dev queries, None where that split has not seen it.

    Arms go by the names under which influence is reported. correlation is Spearman's between two splits over the arms
    that both have seen, averaged over all pairs of splits, and sources the least number of arms that it rests on in a
    pair; measure is what the search reads (`loss`, `rank`, `both`). correlation is None where a split saw no
    difference.
    """

    measure: str
    influence: Mapping[str, tuple[float | None, ...]]
    correlation: float | None
    sources: int


def agreement(study: Study, trials: Sequence[Trial]) -> Agreement | None:
    """Compare the splits over all complete rounds; None without splits, or while two share fewer than FEWEST arms."""
    rounds = [
        (probe, trial.measurement.influence)
        for trial in trials
        if trial.role is Role.ROUND and trial.state is TrialState.COMPLETE and trial.measurement is not None
        if (probe := trial.proposal.probe) is not None and probe.splits > 1
    ]
    if not rounds:
        return None
    splits, measure = rounds[-1][0].splits, measure_of(trials)
    told: dict[str, list[list[float]]] = {}
    for probe, influence in rounds:
        if probe.splits == splits:
            for name, value in gains(study, influence, measure).items():
                told.setdefault(name, [[] for _ in range(splits)])[probe.split].append(value)
    means = {name: tuple(float(np.mean(each)) if each else None for each in parts) for name, parts in told.items()}
    found, sources = list[float | None](), list[int]()
    for first, second in combinations(range(splits), 2):
        both = [(x, y) for row in means.values() if (x := row[first]) is not None and (y := row[second]) is not None]
        sources.append(len(both))
        found.append(spearman(*(np.array(side) for side in zip(*both, strict=True))) if len(both) >= FEWEST else None)
    if min(sources) < FEWEST:
        return None
    known = [value for value in found if value is not None]
    return Agreement(measure, means, float(np.mean(known)) if known else None, min(sources))


def gains(study: Study, influence: Mapping[str, Influence], measure: str) -> dict[str, float]:
    """What one round says of each arm that it probed, averaged over targets by importance; not finite ones left out.

    `loss` is the relative fall of the dev loss, `rank` the relative rise of nDCG, `both` their mean, each in units of
    its root mean square error over the round.
    """
    importance = dict(zip((target.name for target in study.targets), study.target_weights().tolist(), strict=True))
    finite = {name: each for name, each in influence.items() if each.value is not None and np.isfinite(each.value)}
    loss = {name: each.value or 0.0 for name, each in finite.items()}
    if measure == "loss":
        return loss
    rank = {name: sum(importance[target] * x for target, x in each.rank.items()) for name, each in finite.items()}
    if measure == "rank":
        return rank
    errors = [
        (each.error or 0.0, sum((importance[t] * x) ** 2 for t, x in each.rank_error.items()) ** 0.5)
        for each in finite.values()
    ]
    unit, rank_unit = np.maximum(np.sqrt(np.mean(np.square(errors), axis=0)), 1e-12).tolist() if errors else (1.0, 1.0)
    return {name: (loss[name] / unit + rank[name] / rank_unit) / 2 for name in finite}


def agreement_sheet(found: Agreement) -> Sheet:
    """The panel, most influential source first by the mean over its splits."""
    count = len(next(iter(found.influence.values())))

    def mean(name: str) -> float:
        return float(np.mean([value for value in found.influence[name] if value is not None]))

    form = FORMS[found.measure]
    order = sorted(found.influence, key=lambda name: (-mean(name), name))
    shown = range(min(count, SHOWN_SPLITS))
    rows, more = cut(
        [(name, *(number(found.influence[name][split], form) for split in shown)) for name in order],
        "sources",
        ends=True,
    )
    said = "no differences to compare" if found.correlation is None else f"{found.correlation:+.2f}"
    pairs = "" if count == 2 else ", mean over pairs of splits"
    return Sheet(
        title="Do parts of the dev queries agree? Mean influence per split",
        left=("source",),
        right=tuple(f"split {split + 1}" for split in shown),
        rows=rows,
        caption=UNITS[found.measure],
        lines=(
            *more,
            *([f"and {count - SHOWN_SPLITS} more splits (--json has them all)"] if count > SHOWN_SPLITS else []),
            f"Rank correlation between splits {said} over {found.sources} sources{pairs} (1: they agree, 0: what one "
            f"says does not hold for another).",
        ),
    )


def agreement_document(found: Agreement) -> dict[str, Json]:
    """The panel as JSON."""
    return asdict(found)
