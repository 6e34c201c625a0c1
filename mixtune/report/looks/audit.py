"""What the signals of a study predicted of each source, against the measured effect of less and of more of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum

import numpy as np
from pydantic import JsonValue as Json

from mixtune.report.correlation import FEWEST, Correlation, correlation, correlation_cells
from mixtune.report.looks.replicates import Delta, Replicates, difference, reliability, replicates, told_half
from mixtune.report.sheet import Sheet, cut, number
from mixtune.study import Study
from mixtune.trial import Trial

COLUMNS = 3
"""Targets that have a column of their own in the table of leave-one-out; of more, --json has all."""

NAMED = 5
"""Sources that are named in a line."""


class Change(StrEnum):
    """What is done to one source of the recipe; the others keep their proportions."""

    WITHOUT = "without"
    """Its weight goes to 0."""
    MORE = "more"
    """It gets a tenth of all batches on top of its weight."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change of one source did on dev, to the objective and to each target, and what was predicted of it.

    predicted holds what each signal said before the runs: in the signal's own units, where only order and sign count,
    but for `law` and `lightgbm`, which predict the objective. outside says which bounds of the study's space the
    changed recipe breaks.
    """

    overall: Delta
    targets: Mapping[str, Delta]
    predicted: Mapping[str, float]
    outside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Audited:
    """One source: its weight in the recipe, and the effect of each change that was run."""

    weight: float
    effects: Mapping[Change, Effect]


@dataclass(frozen=True, slots=True)
class Audit:
    """Changes of single sources of a recipe, paired with the recipe itself on the same seeds, on dev.

    signals are the names of what predicted, the study's own first. correlations say how well each ranked the measured
    effects, kind of change by kind; ceilings are what the seeds' noise leaves of a perfect one, None with one seed.
    level is the recipe's own mean score. failed names recipes with a run that failed.
    """

    metric: str
    seeds: int
    level: float
    signals: tuple[str, ...]
    sources: Mapping[str, Audited]
    correlations: Mapping[str, Mapping[Change, Correlation | None]]
    ceilings: Mapping[Change, float | None]
    failed: tuple[str, ...] = field(default=())


def audit(study: Study, trials: Sequence[Trial]) -> Audit | None:
    """Read the runs of an audit; None before the recipe and all changes were run on one seed."""
    found = replicates(study, trials)
    base = None if found is None else _base(found)
    if found is None or base is None:
        return None
    place = found.place(base)
    weights = found.listings[base].recipe.mixture
    effects: dict[str, dict[Change, Effect]] = {}
    for label, listing in found.listings.items():
        change, source = listing.notes.get("change"), listing.notes.get("source")
        if label == base or not isinstance(source, str):
            continue
        row = found.place(label)
        effects.setdefault(source, {})[Change(str(change))] = Effect(
            overall=difference(found.overall, row, place),
            targets={name: difference(values, row, place) for name, values in found.targets.items()},
            predicted=_numbers(listing.notes.get("predicted")),
            outside=_texts(listing.notes.get("outside")),
        )
    sources = {name: Audited(weights.get(name, 0.0), own) for name, own in effects.items()}
    signals = _texts(found.listings[base].notes.get("signals"))
    return Audit(
        metric=study.objective.metric,
        seeds=found.seeds,
        level=float(found.overall[place].mean()),
        signals=signals,
        sources=sources,
        correlations={
            signal: {change: _agreement(sources.values(), signal, change) for change in Change} for signal in signals
        },
        ceilings={change: _ceiling(found, change) for change in Change},
        failed=found.failed,
    )


def _ceiling(found: Replicates, change: Change) -> float | None:
    rows = [place for place, each in enumerate(found.listings.values()) if each.notes.get("change") == change.value]
    share = reliability(found.overall[rows]) if rows else None
    return None if share is None else share**0.5


def _base(found: Replicates) -> str | None:
    """The recipe that the others are changes of."""
    return next((label for label, listing in found.listings.items() if "signals" in listing.notes), None)


def _agreement(sources: Collection[Audited], signal: str, change: Change) -> Correlation | None:
    both = [
        (effect.predicted[signal], effect.overall.value)
        for source in sources
        if (effect := source.effects.get(change)) is not None and signal in effect.predicted
    ]
    if len(both) < FEWEST:
        return None
    predicted, measured = np.array(both).T
    return correlation([predicted], [measured])


def audit_sheets(study: Study, found: Audit) -> Iterator[Sheet]:
    """Predicted beside measured, heaviest source first; leave-one-out by target; how well each signal ranked."""
    order = sorted(found.sources, key=lambda name: (-found.sources[name].weight, name))
    first = found.signals[0] if found.signals else ""
    rows, more = cut(
        [
            (
                name,
                number(found.sources[name].weight),
                *_cells(found.sources[name].effects.get(Change.WITHOUT), first),
                *_cells(found.sources[name].effects.get(Change.MORE), first),
            )
            for name in order
        ],
        "sources",
    )
    yield Sheet(
        title="Signal audit: each source taken out, and 10 % of the batches added to it",
        left=("source",),
        right=("weight", "without it", "predicted", "+10 %", "predicted"),
        rows=rows,
        caption=(
            f"change of {found.metric} on dev (the recipe: {found.level:.4f}), {_noise(found)}; predicted: "
            f"{SAID.get(first, 'by nothing')}"
        ),
        lines=(*more, *_lines(found, order)),
    )
    without = {name: found.sources[name].effects.get(Change.WITHOUT) for name in order}
    targets = [target.name for target in study.targets]
    some = next((effect for effect in without.values() if effect is not None), None)
    halves = ",".join(f" {name}{told_half(some.targets[name])}" for name in targets) if some and found.seeds > 1 else ""
    if 1 < len(targets) <= COLUMNS:
        rows, more = cut(
            [
                (
                    name,
                    number(effect.overall.value, DELTA),
                    *(number(effect.targets[target].value, DELTA) for target in targets),
                )
                for name, effect in without.items()
                if effect is not None
            ],
            "sources",
        )
        yield Sheet(
            title="Leaving one source out, by target",
            left=("without",),
            right=("all", *targets),
            rows=rows,
            caption=f"{found.metric} on dev;{halves}" if halves else f"{found.metric} on dev",
            lines=more,
        )
    yield Sheet(
        title="How well did the signals rank the measured effects?",
        left=("signal", "change"),
        right=("correlation", "95 % interval", "at most"),
        rows=tuple(
            (signal, NAMES[change], *correlation_cells(told[change]), number(found.ceilings[change], ".2f"))
            for signal, told in found.correlations.items()
            for change in Change
        ),
        caption="rank correlation over sources; at most: what the seeds' noise leaves of a perfect one",
        lines=() if found.signals else ("The study measured nothing that predicts the effect of a source.",),
    )


DELTA = "+.4f"
"""How differences of a metric are written."""

NAMES = {Change.WITHOUT: "without it", Change.MORE: "+10 %"}

SAID = {
    "influence": "by influence of probes, its own unit",
    "alignment": "by cosine of gradients, its own unit",
    "ratio": "by proxy over reference loss, its own unit",
    "raised": "by the rule's weight over its start, logarithm",
    "law": "by a mixing law fitted to the study's runs",
    "lightgbm": "by LightGBM fitted to the study's runs",
    "neighbours": "by nearest training queries over share of rows, its own unit",
}
"""What a signal is, in words."""


def audit_document(found: Audit) -> dict[str, Json]:
    """The panel as JSON."""
    document: dict[str, Json] = asdict(found)
    return document


def _cells(effect: Effect | None, signal: str) -> tuple[str, str]:
    if effect is None:
        return "-", "-"
    mark = "*" if effect.outside else ""
    return f"{number(effect.overall.value, DELTA)}{mark}", number(effect.predicted.get(signal), "+.2g")


def _noise(found: Audit) -> str:
    """How sure each change is. The noise of all of them is one, so any tells it."""
    some = next((effect.overall for each in found.sources.values() for effect in each.effects.values()), None)
    half = told_half(some)
    if half:
        return f"each{half} (95 %, {found.seeds} seeds)"
    return "one seed: no interval" if found.seeds == 1 else f"{found.seeds} seeds, no interval"


def _lines(found: Audit, order: Sequence[str]) -> Iterator[str]:
    """What to see in the table; each at its own risk of 1 in 20."""
    effects = [(name, change, effect) for name in order for change, effect in found.sources[name].effects.items()]
    clear = [(name, change, effect) for name, change, effect in effects if effect.overall.beyond_noise]
    said = {
        "Taking out hurts": [n for n, c, e in clear if c is Change.WITHOUT and e.overall.value < 0],
        "Taking out helps": [n for n, c, e in clear if c is Change.WITHOUT and e.overall.value > 0],
        "More helps": [n for n, c, e in clear if c is Change.MORE and e.overall.value > 0],
        "More hurts": [n for n, c, e in clear if c is Change.MORE and e.overall.value < 0],
    }
    for begin, names in said.items():
        if names:
            yield f"{begin}, beyond noise: {_some(names)}."
    if found.seeds > 1:
        yield (
            f"{len(clear)} of {len(effects)} changes lie beyond noise; by chance alone about {len(effects) / 20:.1f} "
            f"would. Intervals are over seeds, not over queries."
        )
    else:
        yield "One seed tells no noise: --seeds 3 does."
    outside = [(name, change, effect) for name, change, effect in effects if effect.outside]
    if outside:
        name, change, effect = outside[0]
        more = f", and {len(outside) - 1} more" if len(outside) > 1 else ""
        yield f"* not allowed by the study's space: {_told(name, change)} ({effect.outside[0]}){more}."
    if found.failed:
        yield f"Left out, since a run failed: {', '.join(found.failed)}."


def _told(source: str, change: Change) -> str:
    return f"{change.value} {source}" if change is Change.WITHOUT else f"{NAMES[change]} of {source}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _numbers(value: Json) -> dict[str, float]:
    if not isinstance(value, dict):
        return {}
    return {name: float(each) for name, each in value.items() if isinstance(each, int | float)}


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
