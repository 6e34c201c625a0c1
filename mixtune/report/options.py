"""How recipes prune and compose their batches, in words and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict

from pydantic import JsonValue as Json

from mixtune.batching import Batching
from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Recipe
from mixtune.space import Space


def chosen(space: Space, recipe: Recipe) -> dict[str, float]:
    """What a recipe has of everything that its space leaves open besides weights and keep levels."""
    schedule, batching = recipe.pruning.schedule, recipe.batching
    values = {"dynamic": float(schedule is not None), "topics": batching.topics, "margin_bins": batching.margin_bins}
    if schedule is not None:
        values |= _numbers(schedule)
    return {name: float(values[name]) for name in space.choices if name in values}


def recipe_document(space: Space, recipe: Recipe) -> dict[str, Json]:
    """A recipe's schedule (None without one), batching, and chosen options as JSON; static pruning has its own key."""
    return {
        "schedule": _schedule(recipe.pruning),
        "keep_least": recipe.pruning.least,
        "batching": asdict(recipe.batching),
        "options": dict(chosen(space, recipe)),
    }


def recipe_lines(recipe: Recipe) -> Iterator[str]:
    """What is to say of a recipe beside its weights and kept shares, nothing where it is as usual."""
    schedule, batching = recipe.pruning.schedule, recipe.batching
    if schedule is not None:
        yield f"Pruning: {schedule.method}{_told(schedule)}"
    if batching != Batching():
        yield f"Batches: {_batches(batching)}"


def space_lines(space: Space) -> Iterator[tuple[str, str]]:
    """(Pruning | Batching, what recipes may hold), values that are searched with bars between; nothing as usual."""
    schedule, choices, held = space.schedule, space.choices, space.batching
    if schedule is not None:
        values = choices.get("dynamic", ())
        said = [" | ".join(schedule.method if value else "none" for value in values) or schedule.method]
        said[0] += " (searched)" if values else ""
        if schedule.method == "dynamic":
            said += [f"{name} {_values(space, name, value)}" for name, value in _numbers(schedule).items()]
        if schedule.refresh:
            said.append(f"refreshed every {schedule.refresh:,} steps")
        yield "Pruning", ", ".join(said)
    if space.keep_least > 1:
        yield ("Pruning" if schedule is None else ""), f"no source below {space.keep_least:,} pairs"
    if held != Batching() or choices.keys() & {"topics", "margin_bins"}:
        topics, bins = _values(space, "topics", held.topics), _values(space, "margin_bins", held.margin_bins)
        yield "Batching", f"topics {topics}, clusters {held.clusters}, margin_bins {bins}"


def space_document(space: Space) -> dict[str, Json]:
    """What a study fixes of pruning and batching, and what it leaves open, as JSON."""
    return {
        "schedule": None if space.schedule is None else asdict(space.schedule),
        "keep_least": space.keep_least,
        "batching": asdict(space.batching),
        "choices": {name: list(values) for name, values in space.choices.items()},
    }


def _schedule(pruning: Pruning) -> Json:
    return None if pruning.schedule is None else asdict(pruning.schedule)


def _numbers(schedule: Schedule) -> dict[str, float]:
    return {
        "query_end": schedule.query_end,
        "cutoff_end": schedule.cutoff_end,
        "strength": schedule.strength,
    }


def _told(schedule: Schedule) -> str:
    if schedule.method != "dynamic":
        return ""
    numbers = ", ".join(f"{name} {value:g}" for name, value in _numbers(schedule).items())
    return f" ({numbers}{f', refreshed every {schedule.refresh:,} steps' if schedule.refresh else ''})"


def _batches(batching: Batching) -> str:
    parts = ["rows of all sources, weights are those of the loss"] if batching.mixed else []
    if batching.topics:
        several = f", {batching.clusters} a batch" if batching.clusters > 1 else ""
        parts.append(f"topics of about {batching.topics:,} queries{several}")
    if batching.margin_bins > 1:
        parts.append(f"pairs balanced over {batching.margin_bins} bins of the teacher's margin")
    return "; ".join(parts) or "one source a batch"


def _values(space: Space, name: str, held: float) -> str:
    values = space.choices.get(name, ())
    return " | ".join(f"{value:g}" for value in values) + " (searched)" if values else f"{held:g}"
