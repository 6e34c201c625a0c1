"""A study described in a few words, for a trainable that brings its own data."""

from collections.abc import Mapping, Sequence

from mixtune.preparation import Preparation
from mixtune.proxy import Final, Proxy
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.space import Space
from mixtune.study import Study
from mixtune.target import Target, TargetFacts

ELSEWHERE = "elsewhere"
"""Kind of sources and targets whose data mixtune never reads."""


def described(
    sources: Mapping[str, int],
    targets: Sequence[str] | Mapping[str, float] = ("target",),
    *,
    weights: Mapping[str, float] | None = None,
    space: Space | None = None,
    steps: int = 300,
    batch_size: int = 32,
    final_steps: int = 2000,
    trials: int | None = None,
    workers: int = 2,
    seed: int = 0,
) -> Study:
    """Describe what a search algorithm needs to know of a study, without any data on disk.

    Args:
        sources: name -> rows (training pairs), in the order of every per-source list.
        targets: names, in the order of every per-target list, or name -> importance (unnormalised).
        weights: the user's own weights, unnormalised: the prior `expert`. 0 takes a source out of every mixture.
        space: bounds, keep levels and mapping; everything is allowed if left out.
        steps: optimiser steps of a full-length trial.
        batch_size: rows per batch; with final_steps it decides what space.max_epochs allows.
        final_steps: optimiser steps of the training that the recipe is for.
        trials: the search ends after that many; None leaves the end to Tune's num_samples.
        workers: trials that may run at once. Proposal n sees the finished trials numbered n - workers and below.
        seed: equal descriptions, seeds and answers give equal proposals.

    Raises:
        ValueError: there is no source or target, a number is too small, or a weight or bound names no source.
    """
    names = [targets] if isinstance(targets, str) else list(targets)
    importance = dict(targets) if isinstance(targets, Mapping) else dict.fromkeys(names, 1.0)
    space, weights = space or Space(), dict(weights or {})
    if not sources or not names:
        raise ValueError(f"a study needs at least one source and one target, got {list(sources)} and {names}")
    if wrong := {name: rows for name, rows in sources.items() if rows < 1}:
        raise ValueError(f"every source needs at least 1 row, got {wrong}")
    least = {"steps": steps, "batch_size": batch_size, "final_steps": final_steps, "workers": workers}
    if small := {name: value for name, value in least.items() if value < 1}:
        raise ValueError(f"{', '.join(small)} must be at least 1, got {small}")
    named = {*weights, *space.floor, *space.cap, *space.levels, *space.must_include}
    if strangers := sorted(named - set(sources)):
        raise ValueError(f"weights and space name no such source as {strangers}: sources are {list(sources)}")
    if weights and not 0 < sum(weights.get(name, 1.0) for name in sources) < float("inf"):
        raise ValueError(f"weights must be finite with a positive sum, got {weights}")
    if negative := {name: value for name, value in (weights | importance).items() if not 0 <= value < float("inf")}:
        raise ValueError(f"weights must be finite and at least 0, got {negative}")
    if not any(importance.values()):
        raise ValueError(f"every target has weight 0, so there is no objective: give one a positive weight ({names})")
    return Study(
        name="described",
        sources=tuple(Source(name, ELSEWHERE, name, weight=weights.get(name)) for name in sources),
        targets=tuple(Target(name, ELSEWHERE, name, weight=importance[name]) for name in names),
        search=Search(ELSEWHERE),
        budget=Budget(trials=trials, workers=workers),
        proxy=Proxy(steps=steps, batch_size=batch_size),
        space=space,
        final=Final(steps=final_steps),
        seed=seed,
        preparation=Preparation(
            key=ELSEWHERE,
            sources={name: SourceFacts(rows, rows, 0.0, "") for name, rows in sources.items()},
            targets={name: TargetFacts(0, 0, 0, 0, "") for name in names},
            run_flops=1.0,
        ),
    )
