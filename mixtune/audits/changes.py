"""Changes of one source of a recipe at a time: taken out, or given more of the batches."""

from collections.abc import Iterator

from mixtune.recipe import Mixture
from mixtune.report.looks.audit import Change

MORE = 0.1
"""Share of all batches that is added to a source."""


def changed(mixture: Mixture, source: str, change: Change) -> Mixture | None:
    """The mixture after a change, the other sources in their proportions; None where the change is not possible.

    A source without weight cannot be taken out, one that is alone neither, and one above 1 - MORE has no room for more.
    """
    weight = mixture.get(source, 0.0)
    after = 0.0 if change is Change.WITHOUT else weight + MORE
    if (change is Change.WITHOUT and not 0 < weight < 1) or after > 1 or weight >= 1:
        return None
    scale = (1 - after) / (1 - weight)
    return Mixture.normalised({**{name: share * scale for name, share in mixture.items()}, source: after})


def changes(mixture: Mixture, source: str) -> Iterator[tuple[Change, Mixture]]:
    """Each change of a source that is possible."""
    for change in Change:
        after = changed(mixture, source, change)
        if after is not None:
            yield change, after
