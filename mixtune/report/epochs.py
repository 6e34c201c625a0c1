"""How often a final training goes through each source: what is counted, what is too often, and what forbids it."""

from collections.abc import Iterator

from mixtune.recipe import Recipe
from mixtune.study import Study

NAMED = 5
"""Sources that are named."""

PASS = 5 / 8
"""Share of the kept queries that a pass of the dynamic schedule holds."""


def repeated_lines(study: Study, recipe: Recipe, what: str = "The recipe") -> Iterator[str]:
    """A warning where a recipe means more passes over a source than final.warn_epochs; nothing where it does not."""
    often = sorted(study.repeated(recipe).items(), key=lambda each: -each[1])
    if not often:
        return
    limit, cap = study.final.warn_epochs, study.space.max_epochs
    more = f" and {len(often) - NAMED} more" if len(often) > NAMED else ""
    named = ", ".join(f"{name} {passes:.1f}" for name, passes in often[:NAMED])
    capped = "Set space.max_epochs to cap them." if cap is None else f"space.max_epochs (now {cap:g}) caps them."
    yield (
        f"Warning: {what} means more than {limit:g} epochs in the final training (final.warn_epochs): {named}{more}."
        f" {capped}"
    )


def epochs_caption(study: Study, recipe: Recipe) -> str:
    """What the column of epochs counts, and what a dynamic schedule makes of it.

    An exported training walks all kept rows; a pass of the schedule holds OPERA's share of the queries, and the rows
    that it always keeps come up the more often.
    """
    said = f"epochs: passes over the kept rows in a final training of {study.final.steps:,} steps"
    schedule = recipe.pruning.schedule
    if schedule is None or schedule.method != "dynamic":
        return said
    return (
        f"{said}, which has no schedule; in mixtune's own runs a pass of the dynamic schedule holds {PASS:.3g} of the "
        f"queries, and rows that it always keeps come up to {1 / PASS:.1f} times as often"
    )
