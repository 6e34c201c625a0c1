"""Sources that a final training would repeat too often, and what forbids it."""

from collections.abc import Iterator

from mixtune.recipe import Recipe
from mixtune.study import Study

NAMED = 5
"""Sources that are named."""


def repeated_lines(study: Study, recipe: Recipe, what: str = "The recipe") -> Iterator[str]:
    """A warning where a recipe means more passes over a source than final.warn_epochs; nothing where it does not."""
    often = sorted(study.repeated(recipe).items(), key=lambda each: -each[1])
    if not often:
        return
    limit, cap = study.final.warn_epochs, study.space.max_epochs
    more = f" and {len(often) - NAMED} more" if len(often) > NAMED else ""
    named = ", ".join(f"{name} {passes:.1f}" for name, passes in often[:NAMED])
    now = "not set" if cap is None else f"now {cap:g}"
    yield (
        f"Warning: {what} means more than {limit:g} epochs in the final training (final.warn_epochs): {named}{more}."
        f" space.max_epochs ({now}) caps them."
    )
