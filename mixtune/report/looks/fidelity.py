"""Whether the proxy ranks recipes as a larger one does: rank correlation over a few spread-out recipes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from pydantic import JsonValue as Json

from mixtune.proxy import Proxy
from mixtune.recipe import FloatArray
from mixtune.report.correlation import Correlation, correlation, correlation_cells
from mixtune.report.looks.replicates import Replicates, reliability, replicates
from mixtune.report.sheet import Sheet, number
from mixtune.study import Study
from mixtune.trial import Trial

TRUSTED = 0.6
"""Rank correlation below which a proxy's ranking is warned of."""


class Trust(StrEnum):
    """What the correlation allows to say."""

    YES = "yes"
    """The whole interval lies at TRUSTED or above."""
    NO = "no"
    """The whole interval lies below TRUSTED."""
    CANNOT_TELL = "cannot tell"
    """The interval reaches to both sides of TRUSTED; or there are too few recipes for a correlation."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """How two proxies rank the same recipes on one target, or on the objective.

    own and larger hold the mean score of each recipe. The reliabilities are the shares of the variance of these means
    that are not the seeds' noise; ceiling, the root of their product, is about what the correlation of two proxies
    that agree in truth would be. All three are None with one seed.
    """

    own: Mapping[str, float]
    larger: Mapping[str, float]
    correlation: Correlation | None
    own_reliability: float | None
    larger_reliability: float | None

    @property
    def ceiling(self) -> float | None:
        """The correlation that noise leaves of a perfect one."""
        if self.own_reliability is None or self.larger_reliability is None:
            return None
        return float((self.own_reliability * self.larger_reliability) ** 0.5)

    @property
    def lost(self) -> float:
        """What the larger proxy scores less at the own proxy's best recipe than at its own best one."""
        picked = max(self.own, key=lambda label: self.own[label])
        return max(self.larger.values()) - self.larger[picked]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """A proxy against a larger one over the same recipes and seeds, on dev; overall is the objective."""

    metric: str
    own: str
    larger: str
    seeds: int
    overall: Ranked
    targets: Mapping[str, Ranked]
    failed: tuple[str, ...] = ()

    @property
    def recipes(self) -> int:
        """How many recipes were ranked."""
        return len(self.overall.own)

    @property
    def trust(self) -> Trust:
        """What may be said of the proxy."""
        found = self.overall.correlation
        if found is None:
            return Trust.CANNOT_TELL
        if found.high < TRUSTED:
            return Trust.NO
        return Trust.YES if found.low >= TRUSTED else Trust.CANNOT_TELL

    @property
    def warned(self) -> bool:
        """Whether the correlation itself lies below TRUSTED, however far its interval reaches."""
        return self.overall.correlation is not None and self.overall.correlation.value < TRUSTED

    @property
    def sentence(self) -> str:
        """The answer in words, with its evidence."""
        found = self.overall.correlation
        if found is None:
            return (
                f"Cannot tell whether {self.own} ranks recipes as {self.larger} does: {self.recipes} recipes that "
                f"differ in score are too few."
            )
        said = (
            f"rank correlation {found.value:+.2f}, 95 % interval [{found.low:+.2f}, {found.high:+.2f}] over "
            f"{self.recipes} recipes"
        )
        if self.trust is Trust.YES:
            return f"{self.own} ranks recipes as {self.larger} does: {said}."
        if self.trust is Trust.NO:
            return (
                f"Warning: {self.own} does not rank recipes as {self.larger} does: {said}, all of it below {TRUSTED}. "
                f"Search with the larger proxy, or take the recommendation for no more than the proxy's."
            )
        if self.warned:
            return (
                f"Warning: {self.own} may not rank recipes as {self.larger} does: {said}. That is below {TRUSTED}, but "
                f"the interval reaches above it, so it cannot be told for sure; more --recipes narrow it."
            )
        return (
            f"Cannot tell for sure whether {self.own} ranks recipes as {self.larger} does: {said}, which reaches below "
            f"{TRUSTED}; more --recipes narrow it."
        )


def fidelity(own: Study, own_trials: Sequence[Trial], larger: Study, larger_trials: Sequence[Trial]) -> Fidelity | None:
    """Compare the runs of the same list under two proxies; None while either has no seed complete.

    Recipes that failed under either are left out of both, and so are seeds that the other has not finished.
    """
    found, other = replicates(own, own_trials), replicates(larger, larger_trials)
    if found is None or other is None:
        return None
    labels = [label for label in found.listings if label in other.listings]
    seeds = min(found.seeds, other.seeds)
    return Fidelity(
        metric=own.objective.metric,
        own=proxy_name(own.proxy),
        larger=proxy_name(larger.proxy),
        seeds=seeds,
        overall=_ranked(labels, _rows(found, labels, seeds), _rows(other, labels, seeds)),
        targets={
            name: _ranked(labels, _rows(found, labels, seeds, name), _rows(other, labels, seeds, name))
            for name in found.targets
        },
        failed=tuple(dict.fromkeys((*found.failed, *other.failed))),
    )


def proxy_name(proxy: Proxy) -> str:
    """A proxy in a few words."""
    return f"{proxy.trainable} ({proxy.steps:,} steps)"


def _rows(found: Replicates, labels: Sequence[str], seeds: int, target: str | None = None) -> FloatArray:
    values = found.overall if target is None else found.targets[target]
    return values[[found.place(label) for label in labels], :seeds]


def _ranked(labels: Sequence[str], own: FloatArray, larger: FloatArray) -> Ranked:
    first, second = own.mean(axis=1), larger.mean(axis=1)
    return Ranked(
        own=dict(zip(labels, first.tolist(), strict=True)),
        larger=dict(zip(labels, second.tolist(), strict=True)),
        correlation=correlation([first], [second]),
        own_reliability=reliability(own),
        larger_reliability=reliability(larger),
    )


def fidelity_sheets(found: Fidelity) -> Iterator[Sheet]:
    """The recipes under both proxies, best of the larger one first; then the correlations."""
    overall = found.overall
    order = sorted(overall.larger, key=lambda label: -overall.larger[label])
    ranks = {label: place for place, label in enumerate(sorted(overall.own, key=lambda label: -overall.own[label]), 1)}
    yield Sheet(
        title=f"Proxy fidelity: {found.own} against {found.larger}",
        left=("recipe",),
        right=("larger", "rank", "proxy", "rank"),
        rows=tuple(
            (
                label,
                number(overall.larger[label], ".4f"),
                str(place),
                number(overall.own[label], ".4f"),
                str(ranks[label]),
            )
            for place, label in enumerate(order, 1)
        ),
        caption=f"{found.metric} on dev, mean over {found.seeds} seed{'' if found.seeds == 1 else 's'}",
    )
    told = {"all": overall, **found.targets} if len(found.targets) > 1 else {"all": overall}
    yield Sheet(
        title="Rank correlation of the two",
        left=("target",),
        right=("correlation", "95 % interval", "at most", "lost"),
        rows=tuple(
            (name, *correlation_cells(each.correlation), number(each.ceiling, ".2f"), number(each.lost, ".4f"))
            for name, each in told.items()
        ),
        caption=(
            "at most: what the seeds' noise leaves of a perfect one; lost: by the larger proxy's score, at the proxy's "
            "best recipe"
        ),
        lines=tuple(_lines(found)),
    )


def _lines(found: Fidelity) -> Iterator[str]:
    yield found.sentence
    if found.overall.ceiling is not None and found.overall.ceiling < TRUSTED:
        yield (
            f"The seeds' noise alone keeps the correlation near or below {found.overall.ceiling:.2f}: more --seeds say "
            f"more about the proxy."
        )
    if found.failed:
        yield f"Left out, since a run failed: {', '.join(found.failed)}."
    yield "Spread-out recipes differ more than those between which a search ends: there, agreement is lower."


def fidelity_document(found: Fidelity) -> dict[str, Json]:
    """The panel as JSON."""
    return {
        "metric": found.metric,
        "proxy": found.own,
        "larger": found.larger,
        "recipes": found.recipes,
        "seeds": found.seeds,
        "trust": found.trust.value,
        "warning": found.warned,
        "sentence": found.sentence,
        "overall": _document(found.overall),
        "targets": {name: _document(each) for name, each in found.targets.items()},
        "failed": list(found.failed),
    }


def _document(each: Ranked) -> dict[str, Json]:
    return {**asdict(each), "ceiling": each.ceiling, "lost": each.lost}
