"""Where a rule has brought each source, and its losses: headroom or noise (tDRO, DoReMi, DoGE)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import JsonValue as Json

from mixtune.report.panels.matching import MISMATCHED, matched_shares
from mixtune.report.sheet import Sheet, cut, number
from mixtune.rules.tdro import FLOOR
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

RAISED = 1.1
"""A weight of this many times its start has been raised (ours)."""

NEAR_ONE = 0.1
"""A ratio no farther from 1 than this says that proxy and reference lose alike (ours)."""

HIGH_LOSS = 1.5
"""A proxy loss of this many times the sources' median is high (ours)."""

REPEATED = 5.0
"""Passes over a source from which on a reference may have learnt it by heart (ours)."""


@dataclass(frozen=True, slots=True)
class Headroom:
    """How one source stands. Losses are None while it has not been drawn, and where the rule keeps none (DoGE).

    ratio is proxy over reference loss, the reference counting for no less than FLOOR times the sources' median (as in
    mixtune.rules.tdro). weight is the rule's present one, start the one that the chain began with, epochs the passes
    over the source's rows so far. matched is the share of its pairs that the survey found to belong together, None
    where it looked for nothing.
    """

    proxy_loss: float | None
    reference_loss: float | None
    ratio: float | None
    weight: float
    start: float
    epochs: float
    matched: float | None = None

    @property
    def raised(self) -> float:
        """The weight in units of its start."""
        return self.weight / self.start if self.start > 0 else 1.0


def headroom(study: Study, trials: Sequence[Trial]) -> tuple[int, dict[str, Headroom]] | None:
    """Number of the last trial with a rule, and how each source stood after it; None without one."""
    by_number = {trial.number: trial for trial in trials}
    told = [trial for trial in trials if trial.state is TrialState.COMPLETE and "log_w" in rule_of(trial)]
    if not told:
        return None
    last = told[-1]
    chain, matched = list(chain_of(last, by_number)), matched_shares(trials)
    rule = {key: np.asarray(values, dtype=np.float64) for key, values in rule_of(last).items()}
    none = np.zeros(len(study.names))
    proxy, reference = rule.get("proxy_loss", none), rule.get("reference_loss", none)
    seen = rule.get("seen", none) > 0 if "proxy_loss" in rule else none > 0
    least = max(FLOOR * float(np.median(reference[seen])), 1e-12) if seen.any() else 1.0
    weights = np.exp(rule["log_w"] - rule["log_w"].max())
    weights /= weights.sum()
    return last.number, {
        name: Headroom(
            proxy_loss=float(proxy[index]) if seen[index] else None,
            reference_loss=float(reference[index]) if seen[index] else None,
            ratio=float(proxy[index] / max(reference[index], least)) if seen[index] else None,
            weight=float(weights[index]),
            start=chain[-1].proposal.recipe.mixture.get(name, 0.0),
            epochs=sum(epochs_of(trial, name) for trial in chain),
            matched=matched.get(name),
        )
        for index, name in enumerate(study.names)
    }


def rule_of(trial: Trial) -> Mapping[str, tuple[float, ...]]:
    """Where a trial's rule stood at its end."""
    return trial.measurement.rule if trial.measurement is not None else {}


def chain_of(trial: Trial, by_number: Mapping[int, Trial]) -> Iterator[Trial]:
    """A trial and the ones that it continues, newest first."""
    each: Trial | None = trial
    while each is not None:
        yield each
        each = None if each.proposal.parent is None else by_number.get(each.proposal.parent)


def epochs_of(trial: Trial, source: str) -> float:
    """Passes over a source in one trial."""
    drawn = trial.measurement.receipt.get(source) if trial.measurement is not None else None
    return 0.0 if drawn is None else drawn.epochs


def warnings(study: Study, found: Mapping[str, Headroom]) -> Iterator[str]:
    """Raised weights that follow noise or repetition rather than headroom."""
    corrupt = {source.name: source.corrupt for source in study.sources}
    losses = [each.proxy_loss for each in found.values() if each.proxy_loss is not None]
    high = HIGH_LOSS * float(np.median(losses)) if losses else 0.0
    for name, each in found.items():
        if each.raised < RAISED:
            continue
        begin = f"Warning: {name} has {each.raised:.1f} times its starting weight"
        if corrupt[name] > 0:
            yield f"{begin}, and {corrupt[name]:.0%} of its positives were permuted on purpose: noise, not headroom."
        elif each.matched is not None and each.matched < MISMATCHED:
            yield (
                f"{begin}, and to the base model only {each.matched:.0%} of its pairs seem to belong together: noise "
                f"rather than headroom, or a language that the model does not know."
            )
        elif each.ratio is not None and abs(each.ratio - 1) <= NEAR_ONE and (each.proxy_loss or 0.0) >= high:
            yield (
                f"{begin} at a high loss ({each.proxy_loss:.3g}) that the reference shares (ratio {each.ratio:.2f}): "
                f"this looks like noise, look at its pairs with `mixtune sources`."
            )
        if each.epochs >= REPEATED:
            yield (
                f"{begin} after {each.epochs:.0f} passes over its rows: a small source that the reference learnt by "
                f"heart keeps its ratio high; cap it with space.max_epochs."
            )


def headroom_sheet(study: Study, trial: int, found: Mapping[str, Headroom]) -> Sheet:
    """The panel, heaviest source first; without losses it shows the weights alone."""
    lossy = any(each.proxy_loss is not None for each in found.values())
    order = sorted(found, key=lambda name: (-found[name].weight, name))
    rows, more = cut(
        [(name, *(_losses(found[name]) if lossy else ()), *_weights(found[name])) for name in order], "sources"
    )
    repeated = "epochs: passes over its rows so far"
    return Sheet(
        title=f"{'Headroom per source' if lossy else 'Weights'} after trial {trial} (weights of the rule)",
        left=("source",),
        right=(*(("proxy loss", "reference", "ratio") if lossy else ()), "weight", "start", "epochs"),
        rows=rows,
        caption=f"ratio near 1 at a high loss: noise; {repeated}" if lossy else repeated,
        lines=(*more, *warnings(study, found)),
    )


def _losses(each: Headroom) -> tuple[str, str, str]:
    return number(each.proxy_loss), number(each.reference_loss), number(each.ratio, ".2f")


def _weights(each: Headroom) -> tuple[str, str, str]:
    return number(each.weight), number(each.start), number(each.epochs, ".1f")


def headroom_document(study: Study, trial: int, found: Mapping[str, Headroom]) -> dict[str, Json]:
    """The panel as JSON."""
    return {
        "trial": trial,
        "sources": {name: asdict(each) for name, each in found.items()},
        "warnings": list(warnings(study, found)),
    }
