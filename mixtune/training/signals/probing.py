"""The end of a round of Inf-DDS: probe sources, measure their influence on the targets, merge what helped."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from mixtune.errors import TrainingError
from mixtune.measurement import Influence
from mixtune.proposal import Gradients, Probe
from mixtune.recipe import FloatArray, Mixture, Recipe
from mixtune.sampler import RecipeDraw
from mixtune.space import Space
from mixtune.training.encoding.encodings import Encodings
from mixtune.training.measuring.devloss import DevMeasure, DevPool
from mixtune.training.prepared import Prepared, Rows
from mixtune.training.randomness import own_randomness
from mixtune.training.run import Run
from mixtune.training.signals.merge import merge_for
from mixtune.training.walks.pruning import kept_rows
from mixtune.training.walks.walk import Walk
from mixtune.training.walks.walks import adopt, open_walk

SMALLEST_LOSS = 0.01
"""A dev loss below this counts as this when a fall is put in relation to it."""

SMALLEST_SPLIT = 16
"""Dev queries below which a part of them says too little (ours)."""

_PROBES, _POOLS, _SPLITS = 0x70726F6265, 0x706F6F6C73, 0x73706C69


@dataclass(frozen=True, slots=True)
class RoundEnd:
    """What the end of a round showed. Fields as in Measurement; exposure is that of the merge alone.

    encodings are those of the parameters that the round leaves; where nothing was merged, these are the parameters
    that the dev loss was measured at, and its texts need not be encoded again.
    """

    dev_loss: Mapping[str, float]
    influence: Mapping[str, Influence]
    merge: str
    merge_weights: Mapping[str, float]
    exposure: Mapping[str, float]
    probe_flops: float
    dev_flops: float
    encodings: Encodings = field(compare=False)


def end_round(
    run: Run,
    pools: Mapping[str, DevPool],
    importances: Mapping[str, float],
    probe: Probe,
    seed: int,
    recipes: Mapping[str, Recipe] | None = None,
) -> RoundEnd:
    """Probe and merge, steps 1 to 4 of a round of Inf-DDS (arXiv 2601.21759).

    Each source is probed (at its keep level and by its options, where the probe names any, with batches and dropout
    from equal seeds whatever these are) from the same parameters and optimiser state with probe.steps steps at the
    current rate, dropout as in training, then both are put back. Its influence is the relative fall of the dev loss,
    D_ij = (L0_j - L_ij) / max(L0_j, 0.01), weighted over targets; its standard error comes from the paired
    differences per dev query, L0_j taken as known; the relative rise of nDCG is measured beside it. The run's
    parameters become theta + epsilon * sum_i a_i delta_i over the sources with a positive influence (see merge); its
    draw, random numbers and optimiser state are as before, and its schedule moves on by probe.steps. A source whose dev
    loss is not finite is dropped. (The influence is the paper's; dev loss, relative gain, optimiser copies, errors and
    the rise of nDCG are ours.)

    Args:
        run: the run, behind its ordinary steps.
        pools: per target the dev queries that influence is measured on.
        importances: weight per target, summing to 1.
        probe: what to probe and how to merge.
        seed: decides the probes' batches and dropout; which other sources are probed makes no difference.
        recipes: by arm, see `probe_recipes`; None is the run's own for all.

    Raises:
        TrainingError: the dev loss before probing is not finite.
    """
    model, optimiser = run.model, run.optimiser
    measured = Encodings(model)
    before = dev_measures(measured, pools, run.settings.temperature)
    lost = [name for name, found in before.items() if not np.isfinite(found.losses).all()]
    if lost:
        raise TrainingError(
            f"the dev loss of target {lost[0]!r} is not finite after step {optimiser.position}: lower"
            f" proxy.learning_rate ({run.settings.rate:g}) or raise proxy.temperature ({run.settings.temperature:g})"
        )
    flops = 0.0
    merge = merge_for(probe)
    influences: dict[str, Influence] = {}
    start = optimiser.snapshot()
    theta = parameters_to_vector(optimiser.parameters.values()).detach()
    arms = probe.arms
    for name, (source, level) in arms.items():
        walk = arm_walk(run, source, level, _seed(seed, 0), recipes[name] if recipes else None)
        with own_randomness(model.device, _seed(seed, 1 + list(run.rows).index(source))):
            model.module.train()
            for _ in range(probe.steps):
                taken = walk.take(run.settings.batch_size, optimiser.position)
                run.learn(source, taken)
                flops += run.step_flops(source, taken)
        after = dev_measures(Encodings(model), pools, run.settings.temperature)
        influence = influence_of(before, after, importances)
        influences[name] = influence
        if influence.value is not None and influence.error is not None:
            change = parameters_to_vector(optimiser.parameters.values()).detach().sub_(theta)
            merge.add(name, influence.value, influence.error, change)
        optimiser.restore(start)
    weights, change_of_all = merge.result()
    if change_of_all is not None:
        vector_to_parameters(theta.add_(change_of_all, alpha=probe.epsilon), optimiser.parameters.values())
    optimiser.position += probe.steps
    measuring = measured.flops + sum(model.flops.similarity(pool.products, 1) for pool in pools.values())
    exposure = dict.fromkeys((arms[name][0] for name in weights), 0.0)
    for name, weight in weights.items():
        exposure[arms[name][0]] += probe.steps * weight * probe.epsilon
    return RoundEnd(
        dev_loss={name: float(found.losses.mean()) for name, found in before.items()},
        influence=influences,
        merge="no_merge" if change_of_all is None else "merged",
        merge_weights=weights,
        exposure=exposure,
        probe_flops=flops,
        dev_flops=(1 + len(influences)) * measuring,
        encodings=measured if change_of_all is None else Encodings(model),
    )


def probe_pools(prepared: Prepared, probe: Probe | Gradients, seed: int) -> dict[str, DevPool]:
    """Per target the dev queries and documents that a round measures influence on; a sample depends on the seed."""
    signal = {name: (target, target.signal) for name, target in prepared.targets.items()}
    if isinstance(probe, Probe) and probe.splits > 1:
        signal = {name: (t, split_of(marked, probe.split, probe.splits)) for name, (t, marked) in signal.items()}
    if probe.queries is None:
        return {name: DevPool(name, target, marked) for name, (target, marked) in signal.items()}
    return {
        name: DevPool.sampled(
            name,
            target,
            marked,
            queries=probe.queries,
            negatives=probe.negatives,
            rng=np.random.default_rng([seed, _POOLS, index]),
        )
        for index, (name, (target, marked)) in enumerate(signal.items())
    }


def split_of(marked: npt.NDArray[np.bool_], split: int, splits: int) -> npt.NDArray[np.bool_]:
    """The marked queries of one of so many parts, which share none and are the same in every round.

    With fewer than SMALLEST_SPLIT queries a part, there are fewer parts, and rounds come back to them sooner.
    """
    places = np.random.default_rng([_SPLITS, len(marked)]).permutation(np.flatnonzero(marked))
    parts = max(1, min(splits, len(places) // SMALLEST_SPLIT))
    chosen = np.zeros(len(marked), dtype=bool)
    chosen[places[split % parts :: parts]] = True
    return chosen


def arm_rows(run: Run, source: str, level: float | None) -> dict[str, Rows]:
    """Rows to draw from when a source is probed: those of the run, or the source's own at a keep level."""
    if level is None:
        return dict(run.rows)
    pruning = replace(run.recipe.pruning, kept={source: level})
    return {**run.rows, source: kept_rows(run.sources[source], source, pruning)}


def probe_recipes(space: Space, recipe: Recipe, probe: Probe) -> dict[str, Recipe]:
    """The recipe whose schedule and batching each short run of a probe goes by, by the names of Probe.arms.

    That is the round's own, but for a probe's options.
    """
    recipes = dict.fromkeys(probe.arms, recipe)
    for name, options in probe.tried.items():
        pruning = replace(recipe.pruning, schedule=space.schedule_at(options))
        recipes[name] = replace(recipe, pruning=pruning, batching=space.batching_at(options))
    return recipes


def arm_walk(run: Run, source: str, level: float | None, seed: int, recipe: Recipe | None = None) -> Walk:
    """The walk that a probe takes its pairs from: of the recipe's kind, at its own start, with a seed of its own.

    It starts from what the run's walk, if it is of this kind, remembers of the pairs, and nothing that a probe shows is
    written back. Without a recipe it goes by the run's.
    """
    rows = arm_rows(run, source, level)
    draw = RecipeDraw(rows, Mixture({source: 1.0}), run.settings.batch_size, seed)
    walk = open_walk(
        recipe or run.recipe,
        source,
        pairs=run.sources[source],
        rows=rows,
        draw=draw,
        horizon=run.span,
        topics=run.topics,
        negatives=run.settings.negatives > 0,
    )
    adopt(walk, run.walks[source])
    return walk


def dev_measures(encodings: Encodings, pools: Mapping[str, DevPool], temperature: float) -> dict[str, DevMeasure]:
    """Dev loss and gain per query of each target."""
    return {
        name: pool.measure(encodings.of(pool.queries), encodings.of(pool.documents), temperature)
        for name, pool in pools.items()
    }


def influence_of(
    before: Mapping[str, DevMeasure], after: Mapping[str, DevMeasure], importances: Mapping[str, float]
) -> Influence:
    """Influence from paired per-query dev measures; its values are None where a loss after probing is not finite."""
    if not all(np.isfinite(found.losses).all() for found in after.values()):
        return Influence(None, None)
    fall = {name: relative(found.losses, -(after[name].losses - found.losses)) for name, found in before.items()}
    rise = {name: relative(found.gains, after[name].gains - found.gains) for name, found in before.items()}
    value = sum(importances[name] * gain for name, (gain, _) in fall.items())
    error = sum((importances[name] * error) ** 2 for name, (_, error) in fall.items()) ** 0.5
    return Influence(
        value,
        error,
        per_target={name: gain for name, (gain, _) in fall.items()},
        per_target_error={name: error for name, (_, error) in fall.items()},
        rank={name: gain for name, (gain, _) in rise.items()},
        rank_error={name: error for name, (_, error) in rise.items()},
    )


def relative(before: FloatArray, change: FloatArray) -> tuple[float, float]:
    """Mean change per query in relation to the mean before, and its standard error."""
    parts = change / max(float(before.mean()), SMALLEST_LOSS)
    return float(parts.mean()), float(parts.std(ddof=1) / np.sqrt(len(parts)))


def _seed(seed: int, part: int) -> int:
    return int(np.random.SeedSequence([seed, _PROBES, part]).generate_state(1)[0])
