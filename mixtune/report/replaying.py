"""What replays of searchers on a surrogate came to: numbers, the table, and how far the surrogate can be believed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue as Json
from scipy.special import stdtrit

from mixtune.recipe import FloatArray
from mixtune.report.correlation import FEWEST, Correlation, correlation
from mixtune.report.intervals import LEVEL
from mixtune.report.sheet import Sheet, number


@dataclass(frozen=True, slots=True)
class Played:
    """True scores of what a searcher recommended, shape (repeats, points), and dev scores of its real studies.

    stand_ins counts the real searches whose recommendations these are, 0 where it was replayed. Scores at any but the
    last point may be NaN: it had recommended nothing yet.
    """

    label: str
    scores: FloatArray
    real: Sequence[float] = ()
    stand_ins: int = 0


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a surrogate was fitted on and how well it tells runs that it was not fitted on.

    rmse and spearman are out of fold, covered is the share of those scores within 1.96 standard deviations. seed_sd and
    misfit_sd are the noise of a run and what the surface misses beyond it. columns: target, measure, model, and the
    error of each model that was tried. influence is the rank correlation over sources of the surface's influences with
    those of the recorded rounds.
    """

    metric: str
    runs: int
    mixtures: int
    reruns: int
    surfaces: int
    rmse: float
    spearman: float | None
    covered: float
    seed_sd: float
    misfit_sd: float
    columns: tuple[tuple[str, str, str, Mapping[str, float]], ...]
    rounds: int
    influence: float | None


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over repeats with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Placing:
    """A searcher in the arena: mean score, regret against the best mixture, share of repeats in which it was first.

    curve is its mean score at each amount of compute, in fresh runs: NaN where not every repeat has one. real is the
    mean dev score of its real studies, None without any. stand_ins counts the real searches that were taken in turn
    instead of replays, 0 where it was replayed.
    """

    label: str
    score: Mean
    regret: Mean
    first: float
    curve: Mapping[float, float]
    real: float | None
    studies: int
    stand_ins: int


@dataclass(frozen=True, slots=True)
class Arena:
    """Searchers by their mean score in `repeats` replays, the best first.

    optimum is the mean score of the best mixtures. agreement is the rank correlation of the searchers' scores here with
    those of their real studies, None below FEWEST searchers that have any; compared counts those that have. Searchers
    that real searches stand in for take no part: their place here is made of those studies.
    """

    placings: tuple[Placing, ...]
    repeats: int
    runs: float
    optimum: float
    left_out: Mapping[str, str]
    agreement: Correlation | None
    compared: int
    grounds: Grounds


def arena_of(
    points: Sequence[float],
    optima: FloatArray,
    played: Sequence[Played],
    left_out: Mapping[str, str],
    grounds: Grounds,
) -> Arena:
    """Sum up replays; repeat r was played on surface r modulo the number of surfaces.

    Intervals count surfaces, not repeats, where there are several: repeats on one surface share its errors. A first
    place that several searchers share is divided among them.

    Args:
        points: amounts of compute, ascending; the last one decides.
        optima: best known score of each surface, shape (S,); a searcher that found a better one raises it.
        played: the scores.
        left_out: searchers that were not played, with the reason.
        grounds: what the surfaces stand on.
    """
    last = np.stack([each.scores[:, -1] for each in played])
    repeats = last.shape[1]
    surface = np.arange(repeats) % len(optima)
    highest = [max(best, float(last[:, surface == index].max())) for index, best in enumerate(optima.tolist())]
    best = np.array(highest)[surface]
    first = last >= last.max(axis=0) - 1e-12
    share = first / first.sum(axis=0)
    placings = [
        Placing(
            label=each.label,
            score=mean_over(scores, surface),
            regret=mean_over(best - scores, surface),
            first=float(shared.mean()),
            curve=dict(zip(points, each.scores.mean(axis=0).tolist(), strict=True)),
            real=float(np.mean(each.real)) if len(each.real) else None,
            studies=len(each.real),
            stand_ins=each.stand_ins,
        )
        for each, scores, shared in zip(played, last, share, strict=True)
    ]
    ranked = tuple(sorted(placings, key=lambda each: (-each.score.value, each.label)))
    both = [(each.score.value, each.real) for each in ranked if each.real is not None and not each.stand_ins]
    here, there = (np.array([pair[side] for pair in both], dtype=np.float64) for side in (0, 1))
    return Arena(
        placings=ranked,
        repeats=repeats,
        runs=points[-1],
        optimum=float(best.mean()),
        left_out=left_out,
        agreement=correlation([here], [there]) if len(both) >= FEWEST else None,
        compared=len(both),
        grounds=grounds,
    )


def mean_over(values: FloatArray, surface: npt.NDArray[np.int64]) -> Mean:
    """Mean of values (R,) with an interval over surfaces, or over repeats where there is a single surface."""
    means = np.array([values[surface == each].mean() for each in np.unique(surface)])
    parts = means if len(means) > 1 else values
    value = float(values.mean())
    if len(parts) < 2:
        return Mean(value, value, value)
    half = float(stdtrit(len(parts) - 1, (1 + LEVEL) / 2)) * float(parts.std(ddof=1)) / len(parts) ** 0.5
    return Mean(value, value - half, value + half)


def _gaps(placing: Placing) -> bool:
    return any(_known(score) is None for score in placing.curve.values())


def _known(value: float) -> float | None:
    """None for NaN."""
    return value if np.isfinite(value) else None


def arena_sheets(found: Arena) -> Iterator[Sheet]:
    """The table of searchers, then what it stands on."""
    before = list(found.placings[0].curve)[:-1]
    yield Sheet(
        title=f"{found.repeats} replays of {found.runs:g} fresh runs each",
        left=("searcher",),
        right=(*(f"at {point:g}" for point in (*before, found.runs)), "regret", "first", "real"),
        rows=tuple(
            (
                f"{each.label}{'*' if each.stand_ins else ''}",
                *(number(_known(each.curve[point]), ".4f") for point in before),
                f"{each.score.value:.4f}",
                f"{each.regret.value:.4f}±{each.regret.high - each.regret.value:.4f}".replace("±0.", "±."),
                f"{each.first:.0%}",
                number(each.real, ".4f"),
            )
            for each in found.placings
        ),
        caption="regret: to the best mixture, ± half of its 95 % interval; real: dev of real runs",
        lines=tuple(_arena_lines(found)),
    )
    yield grounds_sheet(found.grounds)


def _arena_lines(found: Arena) -> Iterator[str]:
    yield f"The best mixture of the surfaces scores {found.optimum:.4f}."
    if stand_ins := [each for each in found.placings if each.stand_ins]:
        fewest, most = (pick(each.stand_ins for each in stand_ins) for pick in (min, max))
        yield (
            f"* not replayed, since no surrogate knows the losses or gradients that it reads: what "
            f"{fewest if fewest == most else f'{fewest} to {most}'} real {'search' if most == 1 else 'searches'} "
            f"recommended, in turn{'; - where they had recommended nothing yet' if any(map(_gaps, stand_ins)) else ''}."
        )
    if found.agreement is not None:
        told = found.agreement
        yield (
            f"Order here against the order of real studies, {found.compared} searchers: rank correlation "
            f"{told.value:+.2f}, 95 % interval [{told.low:+.2f}, {told.high:+.2f}]."
        )
    else:
        yield (
            f"Whether the order is that of real studies cannot be told: {found.compared} searchers have one here with "
            f"the same compute, {FEWEST} are needed (name the studies of a comparison too)."
        )
    by_reason: dict[str, list[str]] = {}
    for name, reason in found.left_out.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        yield f"Left out: {', '.join(names)} ({reason})."


def grounds_sheet(found: Grounds) -> Sheet:
    """How well the surfaces tell what they were not fitted on."""
    names = list(found.columns[0][3])
    lines = [
        f"Score out of fold: error {found.rmse:.4f}, rank correlation {number(found.spearman, '+.2f')}; "
        f"{found.covered:.0%} lie within 1.96 SD (95 % should).",
        f"Noise of a run: SD {found.seed_sd:.4f} by seed, {found.misfit_sd:.4f} that the surface misses"
        f"{'.' if found.reruns else ' (no mixture ran twice: it all counts as the seeds).'}",
    ]
    if found.rounds:
        lines.append(
            f"Influences are those of {found.rounds} recorded rounds; the surfaces alone would rank sources "
            f"{number(found.influence, '+.2f')} like them."
        )
    return Sheet(
        title=f"Surfaces fitted to {found.runs} real runs of {found.mixtures} mixtures: error out of fold",
        left=("target", "measure"),
        right=(*names, "taken"),
        rows=tuple(
            (target, measure, *(f"{errors[name]:.4f}" for name in names), model)
            for target, measure, model, errors in found.columns
        ),
        caption=f"{found.surfaces} surfaces are taken in turn, all but one fitted to resamples of the mixtures",
        lines=tuple(lines),
    )


def arena_document(found: Arena) -> dict[str, Json]:
    """The arena as JSON, searchers best first; a score that is not known is null."""
    grounds = asdict(found.grounds)
    keys = ("target", "measure", "model", "errors")
    grounds["columns"] = [dict(zip(keys, column, strict=True)) for column in found.grounds.columns]
    return {
        "repeats": found.repeats,
        "runs": found.runs,
        "optimum": found.optimum,
        "searchers": [
            {**asdict(each), "curve": {f"{point:g}": _known(score) for point, score in each.curve.items()}}
            for each in found.placings
        ],
        "left_out": dict(found.left_out),
        "agreement": None if found.agreement is None else asdict(found.agreement),
        "compared": found.compared,
        "surrogate": grounds,
    }
