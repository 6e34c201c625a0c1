"""Whether the searches of a comparison had and used alike, and what to say where they did not."""

from collections.abc import Iterator, Mapping, Sequence

from mixtune.comparison import LIMIT, Equal
from mixtune.report.comparing.entrant import Entrant, Spent
from mixtune.search import Budget, Search

UNIT = {Equal.FLOPS: "fresh runs", Equal.TRIALS: "trials", Equal.SECONDS: "seconds"}
"""What is equal -> what it is counted in."""

SLACK = 0.1
"""Share of what all were given by which a search may miss it: trials are whole, so few hit it exactly."""

ONE_RECIPE = frozenset({"crisp", "expert", "neighbours", "proportional", "temperature", "uniform"})
"""Algorithms that name one recipe, however much they are given."""

LENGTHS: Mapping[str, tuple[str, ...]] = {
    "doge": ("length",),
    "doremi": ("length", "reference_steps"),
    "multidds": ("length",),
    "tdro": ("length", "reference_steps"),
}
"""Algorithm -> settings that decide how much its chain uses, whatever its budget."""


def amount(spent: Spent, equal: Equal) -> float:
    """What was spent, in the measure that is equal in a comparison."""
    return {Equal.FLOPS: spent.runs, Equal.TRIALS: float(spent.trials), Equal.SECONDS: spent.seconds}[equal]


def limit(budget: Budget, equal: Equal) -> float | None:
    """How much of the measure a budget gives, None where it does not limit it."""
    found: float | None = getattr(budget, LIMIT[equal])
    return found


def given(equal: Equal, budgets: Sequence[Budget]) -> float | None:
    """How much each search was given of the measure, None where their budgets differ."""
    return limit(budgets[0], equal) if len({(each.runs, each.trials, each.seconds) for each in budgets}) == 1 else None


def evenness_notes(
    equal: Equal, budgets: Sequence[Budget], entrants: Sequence[Entrant], silent: Sequence[tuple[str, int]]
) -> Iterator[str]:
    """What makes a comparison one of unequal searches.

    Args:
        equal: the measure that was to be alike.
        budgets: those of the members.
        entrants: contenders and baselines; the latter are passed over.
        silent: label and replicate of each search that is over with nothing to recommend.
    """
    each = given(equal, budgets)
    if each is None:
        yield "their budgets differ: this is no comparison at equal compute"
    if equal is Equal.SECONDS:
        yield (
            "seconds depend on how busy the machine was, and reused trials count with the seconds that they took when "
            "they ran"
        )
    for entrant in entrants:
        if entrant.search is None:
            continue
        replicates = [replicate for label, replicate in silent if label == entrant.label]
        if replicates:
            yield _nothing(entrant.label, entrant.search, equal, each, replicates)
        if each is not None and entrant.used:
            used = [amount(spent, equal) for spent in entrant.used.values()]
            yield from _uneven(entrant.label, entrant.search, equal, sum(used) / len(used), each)


def _nothing(label: str, search: Search, equal: Equal, each: float | None, replicates: Sequence[int]) -> str:
    within = "its budget" if each is None else f"{each:g} {_unit(equal, each)}"
    where = f"replicate{'' if len(replicates) == 1 else 's'} {', '.join(map(str, replicates))}"
    lengths = _lengths(search)
    shorter = f", or shorter {' and '.join(lengths)}" if lengths else ""
    return (
        f"{label} found nothing to recommend within {within} in {where}: give it more (budget.{LIMIT[equal]}){shorter}"
    )


def _uneven(label: str, search: Search, equal: Equal, used: float, each: float) -> Iterator[str]:
    """Say that a search used much more or less than all were given; one that has a single recipe may use less."""
    over = used > each * (1 + SLACK)
    under = used < each * (1 - SLACK) and search.algorithm not in ONE_RECIPE
    if not over and not under:
        return
    lengths, measure = _lengths(search), {Equal.FLOPS: "compute"}.get(equal, UNIT[equal])
    if lengths:
        decides = f"setting {lengths[0]} decides" if len(lengths) == 1 else f"settings {' and '.join(lengths)} decide"
        why = f"its {decides} what it uses (`mixtune check` prices the first searcher of a file)"
    else:
        why = "its trials are whole, so the more is given to each, the nearer it comes"
    were = "was" if each == 1 else "were"
    yield (
        f"{label} used {used:.3g} {_unit(equal, used)} where {each:g} {were} given to each: its comparisons are not at "
        f"equal {measure}; {why}"
    )


def _lengths(search: Search) -> tuple[str, ...]:
    return LENGTHS.get(search.algorithm, ())


def _unit(equal: Equal, count: float) -> str:
    return UNIT[equal].removesuffix("s") if count == 1 else UNIT[equal]
