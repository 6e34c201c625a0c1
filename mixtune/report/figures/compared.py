"""A comparison drawn: results on test, who beats whom, dev score against compute, and ranks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mixtune.report.comparing.compared import Compared
from mixtune.report.comparing.evenness import UNIT
from mixtune.report.comparing.sheets import curves_sheet, duels_sheet, ranking_sheet, results_sheet
from mixtune.report.figures.base import Shown
from mixtune.report.figures.canvas import ACCENT, INK, MUTED, REST, SOURCES, canvas, line_height, name_axis, plain
from mixtune.report.figures.dots import Dot, interval_dots
from mixtune.report.sheet import Sheet

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "star", "cross")
"""Marks that tell contenders apart beside their colours."""

WHOLE_RANKS = 12
"""Entrants up to which every rank has a tick."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
"""Lines of the first seven contenders, of the next seven, and so on: their colours are the same."""


@dataclass(frozen=True, slots=True)
class Result:
    """A contender's or baseline's objective on test, with its 95 % interval over queries and replicates."""

    searcher: str
    value: float
    low: float
    high: float
    replicates: int


@dataclass(frozen=True, slots=True)
class Pair:
    """How much the first is better than the second on test, with the 95 % interval and the probability that it is."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    probability: float


@dataclass(frozen=True, slots=True)
class Point:
    """Best dev score so far at some compute, mean over replicates with its 95 % interval, None of a single one."""

    searcher: str
    compute: float
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Rank:
    """A searcher's rank in one replicate (1 the best), and its mean over all."""

    searcher: str
    replicate: int
    rank: float
    mean: float


@dataclass(frozen=True, slots=True)
class Lines:
    """Numbers of one kind."""

    rows: tuple[Result | Pair | Point | Rank, ...]


def comparison_figures(found: Compared) -> Iterator[Shown]:
    """The figures that a comparison has."""
    study = found.study
    overall = {label: entrant.overall(study) for label, entrant in found.entrants.items()}
    results = [
        Result(label, each.value, each.low, each.high, len(found.entrants[label].showings))
        for label, each in overall.items()
        if each is not None
    ]
    pairs = [
        Pair(each.first, each.second, told.value, told.low, told.high, told.probability)
        for each in found.duels
        if (told := each.overall) is not None
    ]
    curves = [
        Point(label, compute, mean, *((low, high) if each.replicates > 1 else (None, None)))
        for label, each in found.curves.items()
        for compute, mean, low, high in zip(each.compute, each.mean, each.low, each.high, strict=True)
    ]
    metric = f"{study.objective.metric}, {study.objective.aggregate}"
    if results:
        reading = "Dot: mean on test. Line: 95 % interval over queries and replicates; pairs are compared more sharply."
        yield _shown("results", results_sheet(found), results, reading, lambda: _results(results, metric))
    if pairs:
        reading = (
            "Dot: mean difference on test. Line: 95 % interval, paired by query and replicate; blue where the first is "
            "better, orange where the second is, grey where nobody can tell."
        )
        yield _shown("duels", duels_sheet(found), pairs, reading, lambda: _duels(pairs, metric))
    if curves:
        unit = UNIT[found.equal]
        reading = (
            "Best dev score so far, mean over replicates; the mark is the end of a search. Band, and the upright line "
            "through a mark: the mean's 95 % interval, which a single replicate has not. A chain of rounds has a score "
            "at its end only, and a baseline takes none of the search's compute: both are single marks."
        )
        yield _shown("curves", curves_sheet(found), curves, reading, lambda: _curves(curves, metric, unit))
    ranked = found.ranking
    if ranked is not None:
        ranks = [
            Rank(label, replicate, rank, mean)
            for label, mean in ranked.means.items()
            for replicate, rank in zip(ranked.replicates, ranked.ranks[label], strict=True)
        ]
        reading = (
            "Small dots: ranks in single replicates. Large dot: mean rank, 1 is best. Two searchers whose mean ranks "
            "lie further apart than the bar differ, whichever pair one looks at."
        )
        yield _shown("ranks", ranking_sheet(found), ranks, reading, lambda: _ranks(ranks, ranked.critical))


def _shown(
    name: str, sheet: Sheet, rows: Sequence[Result | Pair | Point | Rank], reading: str, draw: Callable[[], go.Figure]
) -> Shown:
    return Shown(name, sheet, Lines(tuple(rows)), reading, name == "duels", draw)


def _duels(rows: Sequence[Pair], metric: str) -> go.Figure:
    names = [f"{plain(row.first)} -<br>{plain(row.second)}" for row in rows]
    dots = [Dot(name, row.difference, row.low, row.high) for name, row in zip(names, rows, strict=True)]
    return interval_dots(dots, f"test {metric}: first - second")


def _results(rows: Sequence[Result], metric: str) -> go.Figure:
    drawn = canvas(line_height(len(rows), 75), showlegend=False)
    drawn.add_scatter(
        x=[row.value for row in rows],
        y=list(range(len(rows))),
        mode="markers",
        marker={"size": 11, "color": ACCENT},
        error_x={
            "type": "data",
            "array": [row.high - row.value for row in rows],
            "arrayminus": [row.value - row.low for row in rows],
            "color": MUTED,
            "thickness": 1.5,
            "width": 0,
        },
        hovertemplate="%{x:.4f}<extra></extra>",
    )
    name_axis(drawn, [row.searcher for row in rows])
    drawn.update_xaxes(title_text=f"test {metric}", nticks=6, zeroline=False)
    return drawn


def _curves(rows: Sequence[Point], metric: str, unit: str) -> go.Figure:
    drawn = canvas(380, legend={"itemsizing": "constant"})
    for place, name in enumerate(dict.fromkeys(row.searcher for row in rows)):
        own = [row for row in rows if row.searcher == name]
        again, turn = divmod(place, len(SOURCES))
        colour = SOURCES[turn]
        compute = [row.compute for row in own]
        spread = [(row.low, row.high) for row in own if row.low is not None and row.high is not None]
        known = len(spread) == len(own)
        if known and len(own) > 1:
            low, high = zip(*spread, strict=True)
            upper, lower = _stairs(compute, high), _stairs(compute, low)[::-1]
            drawn.add_scatter(
                x=[x for x, _ in (*upper, *lower)],
                y=[y for _, y in (*upper, *lower)],
                fill="toself",
                fillcolor=colour,
                opacity=0.15,
                mode="none",
                hoverinfo="skip",
                showlegend=False,
            )
        before, end = [0.0] * (len(own) - 1), own[-1]
        drawn.add_scatter(
            x=compute,
            y=[row.mean for row in own],
            mode="lines+markers" if len(own) > 1 else "markers",
            name=plain(name),
            line={"shape": "hv", "width": 2.5, "color": colour, "dash": DASHES[again % len(DASHES)]},
            marker={
                "size": [*before, 11.0],
                "symbol": SYMBOLS[(turn + again) % len(SYMBOLS)],
                "color": colour,
                "opacity": 1,
            },
            error_y={
                "type": "data",
                "array": [*before, end.high - end.mean],
                "arrayminus": [*before, end.mean - end.low],
                "color": colour,
                "thickness": 1.5,
                "width": 0,
            }
            if end.low is not None and end.high is not None
            else None,
            cliponaxis=False,
            hovertemplate="%{y:.4f} after %{x:.2f}",
        )
    drawn.update_xaxes(title_text=f"compute, in {unit}", rangemode="tozero", zeroline=False)
    drawn.update_yaxes(title_text=f"best dev {metric}", nticks=6, zeroline=False)
    return drawn


def _stairs(compute: Sequence[float], levels: Sequence[float]) -> list[tuple[float, float]]:
    """Corners of steps from left to right: each level holds until the next one begins."""
    found = [(compute[0], levels[0])]
    for x, before, level in zip(compute[1:], levels, levels[1:], strict=False):
        found += [(x, before), (x, level)]
    return found


def _ranks(rows: Sequence[Rank], critical: float | None) -> go.Figure:
    names = list(dict.fromkeys(row.searcher for row in rows))
    drawn = canvas(line_height(len(names), 95) + 20, showlegend=False)
    drawn.add_scatter(
        x=[row.rank for row in rows],
        y=[names.index(row.searcher) for row in rows],
        mode="markers",
        marker={"size": 6, "color": REST},
        hovertemplate="rank %{x:g}<extra></extra>",
    )
    means = {row.searcher: row.mean for row in rows}
    drawn.add_scatter(
        x=list(means.values()),
        y=list(range(len(names))),
        mode="markers",
        marker={"size": 12, "color": ACCENT},
        hovertemplate="mean rank %{x:.2f}<extra></extra>",
    )
    name_axis(drawn, names)
    if critical is not None:
        drawn.add_scatter(
            x=[1, 1 + critical],
            y=[len(names) - 0.4] * 2,
            mode="lines",
            line={"color": INK, "width": 3},
            hoverinfo="skip",
        )
        drawn.add_annotation(
            x=1,
            y=len(names) - 0.4,
            text=f"critical difference {critical:.2f}",
            showarrow=False,
            xanchor="left",
            yshift=-11,
            font={"size": 12},
        )
        drawn.update_yaxes(range=[len(names) + 0.3, -0.6])
    whole = {"dtick": 1} if len(names) <= WHOLE_RANKS else {"nticks": 6}
    drawn.update_xaxes(title_text="rank on test", rangemode="normal", zeroline=False, **whole)
    return drawn
