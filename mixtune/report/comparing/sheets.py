"""A comparison as tables."""

from collections.abc import Iterator

from mixtune.report.comparing.anytime import Reach
from mixtune.report.comparing.compared import Compared
from mixtune.report.comparing.duels import Duel
from mixtune.report.comparing.evenness import UNIT, amount
from mixtune.report.comparing.ranking import FEW
from mixtune.report.contrast import Contrast
from mixtune.report.intervals import Interval
from mixtune.report.sheet import Sheet, number
from mixtune.study import StudyState

PARTS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the budget at which curves are shown."""


def compared_sheets(found: Compared) -> Iterator[Sheet]:
    """All tables of a comparison that have something to show."""
    if not any(entrant.showings for entrant in found.entrants.values()):
        yield Sheet("Nothing to compare yet", lines=("no contender and no baseline has been judged",))
        return
    yield results_sheet(found)
    yield duels_sheet(found)
    if len(found.study.targets) > 1:
        yield targets_sheet(found)
    if found.ranking is not None:
        yield ranking_sheet(found)
    yield curves_sheet(found)
    yield reaches_sheet(found)
    yield spent_sheet(found)


def results_sheet(found: Compared) -> Sheet:
    """The objective's metric on test, per target and put together."""
    study, metric = found.study, found.study.objective.metric
    rows = []
    for label, entrant in found.entrants.items():
        cells = [_value(entrant.on(target.name, metric)) for target in study.targets]
        rows.append((label, *cells, _value(entrant.overall(study)), str(len(entrant.showings))))
    return Sheet(
        f"Test {metric}, mean ± half of the 95 % interval over queries and replicates",
        left=("searcher",),
        right=(*(target.name for target in study.targets), f"all ({study.objective.aggregate})", "replicates"),
        rows=tuple(rows),
        caption=f"each replicate: mean over {study.final.seeds} judging seeds",
    )


def duels_sheet(found: Compared) -> Sheet:
    """Every pair: difference, interval, probability, and replicates won, level and lost."""
    rows = []
    for each in found.duels:
        told = each.overall
        rows.append(
            (
                f"{each.first} - {each.second}",
                each.winner or "no winner",
                "-" if told is None else _signed(told.value),
                "-" if told is None else f"[{_signed(told.low)}, {_signed(told.high)}]",
                number(None if told is None else told.probability, ".3f"),
                f"{each.wins}/{each.ties}/{each.losses}",
            )
        )
    return Sheet(
        f"Who beats whom: difference on test {found.study.objective.metric}",
        left=("pair", "winner"),
        right=("by", "95 % interval", "P", "w/t/l"),
        rows=tuple(rows),
        caption="P: that the first beats the second; w/t/l: replicates it won, tied, lost by their own intervals",
        lines=tuple(_cautions(found)),
    )


def targets_sheet(found: Compared) -> Sheet:
    """Every pair's difference per target."""
    names = [target.name for target in found.study.targets]
    rows = [(f"{each.first} - {each.second}", *(_difference(each, name) for name in names)) for each in found.duels]
    return Sheet(
        f"Difference on test {found.study.objective.metric} per target, ± half of the paired 95 % interval",
        left=("pair",),
        right=tuple(names),
        rows=tuple(rows),
        caption="*: the interval leaves zero out",
    )


def ranking_sheet(found: Compared) -> Sheet:
    """Mean ranks, and how far apart they must lie."""
    ranked = found.ranking
    if ranked is None:
        return Sheet("Ranks: nothing to rank")
    n, means = len(ranked.replicates), ranked.means
    rows = tuple(
        (label, f"{mean:.2f}", " ".join(f"{rank:g}" for rank in ranked.ranks[label])) for label, mean in means.items()
    )
    lines = []
    if ranked.critical is None:
        lines.append("one replicate says nothing about ranks in the next one")
    else:
        test = "" if ranked.p is None else f"; Friedman's test that all are alike: p {ranked.p:.3f}"
        lines.append(f"critical difference of mean ranks (Nemenyi, 95 %): {ranked.critical:.2f}{test}")
        pairs = [f"{a} and {b}" for a in means for b in means if means[a] < means[b] and ranked.apart(a, b)]
        lines.append(f"further apart than that: {', '.join(pairs) or 'nobody'}")
        if n < FEW:
            lines.append(f"with {n} replicates it is wide: ranks tell only what is very different")
    return Sheet(
        f"Ranks on test {found.study.objective.metric} over {n} replicate{'' if n == 1 else 's'} (1: best)",
        left=("searcher",),
        right=("mean rank", "ranks"),
        rows=rows,
        lines=tuple(lines),
    )


def curves_sheet(found: Compared) -> Sheet:
    """The best dev score so far at parts of the compute that the hungriest search had."""
    most = max((amount(s.spent, found.equal) for e in found.entrants.values() for s in e.showings.values()), default=0)
    at = [share * most for share in PARTS]
    rows = []
    for label, each in found.curves.items():
        half = "" if each.half is None else f"±{each.half:.3f}".replace("±0.", "±.")
        end = f"{each.mean[-1]:.3f}{half}" if each.mean else "-"
        rows.append((label, *(number(each.at(point)) for point in at), end))
    return Sheet(
        f"Best {found.study.objective.metric} on dev by then, against compute in {UNIT[found.equal]}",
        left=("searcher",),
        right=(*(f"{point:.3g}" for point in at), "end"),
        rows=tuple(rows),
        caption="the best of several noisy scores looks better than it is; a chain has one only at its end",
    )


def reaches_sheet(found: Compared) -> Sheet:
    """Compute to reach scores on dev: the median over replicates, and in how many it was reached if not in all."""
    searches = [label for label, entrant in found.entrants.items() if entrant.search is not None]
    rows = []
    for each in found.reaches:
        level = _level(each.score) if each.name == str(each.score) else f"{each.name} {each.score:.3f}"
        rows.append((level, *(_reached(each, label) for label in searches)))
    return Sheet(
        f"Compute to reach a dev score, in {UNIT[found.equal]}: median over replicates",
        left=("dev score",),
        right=tuple(searches),
        rows=tuple(rows),
        caption="(2/3): only 2 of 3 replicates got there; never: not within the median search's compute",
    )


def _level(score: float) -> str:
    """A score that was asked for, with as many digits as were given."""
    short = f"{score:.3f}"
    return short if float(short) == score else str(score)


def _reached(found: Reach, label: str) -> str:
    tries, reached, median = len(found.compute[label]), found.reached(label), found.median(label)
    told = "never" if median is None else f"{median:.3g}"
    return "-" if not tries else told if reached in (0, tries) else f"{told} ({reached}/{tries})"


def spent_sheet(found: Compared) -> Sheet:
    """What each contender used, mean over replicates."""
    rows = []
    for label, entrant in found.entrants.items():
        spent, n = list(entrant.used.values()), len(entrant.used)
        if entrant.search is None or not spent:
            continue
        runs, seconds = sum(each.runs for each in spent) / n, sum(each.seconds for each in spent) / n
        trials, reused = sum(each.trials for each in spent) / n, sum(each.reused for each in spent)
        rows.append((label, f"{runs:.2f}", f"{trials:.1f}", f"{seconds:.1f}", str(reused)))
    return Sheet(
        "What each search used, mean over replicates",
        left=("searcher",),
        right=("fresh runs", "trials", "seconds", "reused"),
        rows=tuple(rows),
        caption="reused: runs taken over from equal trials, in all; they cost what the equal run cost",
    )


def _cautions(found: Compared) -> Iterator[str]:
    """What keeps the numbers from meaning more."""
    pairs = len(found.duels)
    if pairs > 1:
        yield f"each of the {pairs} intervals is a 95 % one by itself"
    if any(len(each.replicates) == 1 for each in found.duels):
        yield "where a pair shares one replicate, the interval is over judging seeds: luck in the search is not in it"
    for member in found.members:
        if member.state is not StudyState.COMPLETE:
            why = f": {member.reason}" if member.reason else ""
            yield f"{member.study} is {member.state.value}{why}"
    yield from found.notes


def _difference(duel: Duel, target: str) -> str:
    told: Contrast | None = duel.targets.get(target)
    if told is None:
        return "-"
    return f"{_signed(told.value)}±{_signed((told.high - told.low) / 2)[1:]}{'*' if told.winner else ' '}"


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:+.4f}"


def _value(found: Interval | None) -> str:
    return "-" if found is None else f"{found.value:.3f}±{found.half:.3f}".replace("±0.", "±.")
