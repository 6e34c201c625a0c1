"""Which walk a recipe asks for, source by source, and what the walks of a run have done."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from mixtune.errors import TrainingError
from mixtune.measurement import Drawn
from mixtune.recipe import Recipe
from mixtune.sampler import RecipeDraw
from mixtune.training.prepared import Pairs, Rows
from mixtune.training.walks.dynamic import DynamicWalk
from mixtune.training.walks.infobatch import InfoBatchWalk
from mixtune.training.walks.topics import Topics
from mixtune.training.walks.topicwalk import TopicWalk
from mixtune.training.walks.walk import ShuffledWalk, Walk

_WALK = 0x77616C6B
"""Part of the seed of walks that draw by themselves (RecipeDraw takes 0 and the sources' positions)."""


def open_walks(
    recipe: Recipe,
    sources: Mapping[str, Pairs],
    rows: Mapping[str, Rows],
    draw: RecipeDraw,
    horizon: int,
    *,
    topics: Topics,
    negatives: bool,
) -> dict[str, Walk]:
    """The walk of every source: see `open_walk`."""
    return {
        name: open_walk(
            recipe,
            name,
            pairs=sources[name],
            rows=rows,
            draw=draw,
            horizon=horizon,
            topics=topics,
            negatives=negatives,
        )
        for name in rows
    }


def open_walk(
    recipe: Recipe,
    source: str,
    *,
    pairs: Pairs,
    rows: Mapping[str, Rows],
    draw: RecipeDraw,
    horizon: int,
    topics: Topics,
    negatives: bool,
) -> Walk:
    """The walk that a recipe asks for over one source, at its start.

    Args:
        recipe: its pruning schedule and batching decide.
        source: the source's name.
        pairs: the source.
        rows: the pairs of each source that are used, all sources of the study in their order.
        draw: the run's draw; it gives the seed, and the walk itself where nothing else is asked for.
        horizon: optimiser steps that a schedule spans.
        topics: of the study's sources.
        negatives: whether pairs bring hard negatives.

    Raises:
        TrainingError: the recipe asks for topics or margin bins together with a pruning schedule.
    """
    schedule, batching = recipe.pruning.schedule, recipe.batching
    composed = batching.topics > 0 or batching.margin_bins > 1
    if schedule is None and composed:
        return TopicWalk(
            pairs,
            rows[source],
            batching,
            partial(topics.of, source, pairs, batching.topics),
            negatives=negatives,
            seed=draw.seed,
            stream=list(rows).index(source),
        )
    if schedule is None:
        return ShuffledWalk(draw, source)
    if composed:
        raise TrainingError(
            f"the recipe has pruning schedule {schedule.method!r} together with topics ({batching.topics}) or"
            f" margin_bins ({batching.margin_bins}), and each decides by itself which pairs make a batch: use pruning"
            " method none, or topics 0 and margin_bins 1"
        )
    seed, kept, least = (draw.seed, _WALK, list(rows).index(source)), rows[source], recipe.pruning.least
    if schedule.method == "infobatch":
        return InfoBatchWalk(pairs, kept, batch_size=draw.batch_size, seed=seed, least=least)
    return DynamicWalk(pairs, kept, schedule, batch_size=draw.batch_size, seed=seed, horizon=horizon, least=least)


def walk_kind(recipe: Recipe) -> str:
    """What walks of two recipes must have in common for one to go on where the other stood."""
    schedule, batching = recipe.pruning.schedule, recipe.batching
    topics = f"topics {batching.topics}, {batching.margin_bins} bins"
    return (schedule.method if schedule else "all") + (f", {topics}" if topics != "topics 0, 1 bins" else "")


def adopt(walk: Walk, other: Walk) -> None:
    """Let a walk start from what another one over the same source remembers of its pairs; nothing is written back."""
    if isinstance(walk, DynamicWalk) and isinstance(other, DynamicWalk):
        walk.adopt(other.memory())
    if isinstance(walk, InfoBatchWalk) and isinstance(other, InfoBatchWalk):
        walk.adopt(other.memory())


def with_epochs(receipt: Mapping[str, Drawn], walks: Mapping[str, Walk], before: Mapping[str, int]) -> dict[str, Drawn]:
    """A receipt with the epochs that the walks have completed since they had completed those `before`."""
    return {
        name: drawn
        if (completed := walks[name].completed) is None
        else replace(drawn, completed=completed - before.get(name, 0), pruned=walks[name].pruned)
        for name, drawn in receipt.items()
    }


def unfinished(recipe: Recipe, walks: Mapping[str, Walk]) -> tuple[str, ...]:
    """A remark on the sources with weight of which no epoch of the pruning schedule was completed, if there are any."""
    schedule = recipe.pruning.schedule
    names = [name for name, walk in walks.items() if recipe.mixture.get(name, 0.0) > 0 and walk.completed == 0]
    if schedule is None or not names:
        return ()
    return (
        f"pruning schedule {schedule.method}: below 1 completed epoch it has no effect, and none was completed of"
        f" {', '.join(names)}",
    )


def unbalanced(recipe: Recipe, walks: Mapping[str, Walk]) -> tuple[str, ...]:
    """Remarks on the sources with weight whose margins could not be balanced as the recipe asks."""
    return tuple(
        f"source {name!r}: {remark}"
        for name, walk in walks.items()
        if isinstance(walk, TopicWalk) and recipe.mixture.get(name, 0.0) > 0
        for remark in walk.remarks
    )
