"""Keep levels: which shares of a source's pairs a searcher may choose between."""

from collections.abc import Mapping
from dataclasses import replace

from mixtune.batching import Batching
from mixtune.pruning import Pruning
from mixtune.study import Study

SHARED = ""
"""Name of the choice that holds for all sources at once."""


def keep_choices(study: Study) -> dict[str, tuple[float, ...]]:
    """The open choices of keep levels, source -> levels, from most to least kept.

    The one of `Space.shared_levels` goes by the name SHARED. Lists of one level are no choice.
    """
    space = study.space
    lists = {name: space.levels[name] for name in study.names if name in space.levels}
    if space.shared_levels:
        lists = {SHARED: space.shared_levels, **lists}
    return {name: tuple(sorted(levels, reverse=True)) for name, levels in lists.items() if len(levels) > 1}


def options(study: Study) -> dict[str, tuple[float, ...]]:
    """Every open choice besides weights, name -> values: keep levels, and what Space.choices leaves open.

    Keep levels of a source go by `keep.SOURCE`, the shared one by `keep`.
    """
    levels = {keep_option(choice): values for choice, values in keep_choices(study).items()}
    return levels | {name: tuple(values) for name, values in study.space.choices.items() if len(values) > 1}


def keep_option(choice: str) -> str:
    """The name among options of a choice of keep levels."""
    return f"keep.{choice}" if choice else "keep"


def pruning_and_batching_at(study: Study, chosen: Mapping[str, float]) -> tuple[Pruning, Batching]:
    """Pruning and batching of a study at values chosen among its options; of one that is not named, the first value."""
    levels = {choice: chosen[name] for choice in keep_choices(study) if (name := keep_option(choice)) in chosen}
    pruning = replace(pruning_at(study, levels), schedule=study.space.schedule_at(chosen))
    return pruning, study.space.batching_at(chosen)


def pruning_at(study: Study, levels: Mapping[str, float] | None = None) -> Pruning:
    """The pruning of a study at the chosen levels; a choice that is not made keeps everything.

    Lists of one level are obeyed always, and a source's own list goes before the shared one. Its schedule is that of
    the first value of every other choice.
    """
    space, chosen = study.space, levels or {}
    kept: dict[str, float] = {}
    for name in study.names:
        choice, options = (name, space.levels[name]) if name in space.levels else (SHARED, space.shared_levels)
        kept[name] = options[0] if len(options) == 1 else chosen.get(choice, 1.0)
    return Pruning(kept, study.space.schedule_at({}), study.space.keep_least)


def lowest_pruning(study: Study) -> Pruning:
    """The pruning that keeps least: the lowest level of every choice."""
    return pruning_at(study, {name: levels[-1] for name, levels in keep_choices(study).items()})


def require_room(study: Study) -> None:
    """See that every choice of keep levels has a recipe: fewer kept rows mean lower caps, so the lowest decide.

    Raises:
        ValueError: the bounds leave no mixture there.
    """
    pruning = lowest_pruning(study)
    try:
        study.recipe(study.proportional(), pruning)
    except ValueError as error:
        said = ", ".join(f"{name} {share:g}" for name, share in pruning.kept.items())
        raise ValueError(f"at the lowest keep levels ({said}) {error}" if said else str(error)) from error
