"""What a stranger's trainable is given and what it reports: flat keys and plain values.

`as_ray` states the keys to its users; this module alone reads and writes them. Many numbers come as one list each,
because Ray takes dicts apart into one key per entry and keeps running statistics of every one.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mixtune.errors import ConfigError, TrainingError
from mixtune.recipe import FloatArray
from mixtune.study import Study
from mixtune.trial import Cost, Influence, Measurement, Role, Trial

CHECKPOINT = "checkpoint"
COST = "cost"
INFLUENCE = "influence"
NEIGHBOURS = "neighbours"
DONE = "steps_done"

READABLE = frozenset({"score", CHECKPOINT, INFLUENCE, NEIGHBOURS})
"""Measurement fields that a flat report can hold."""

GIVEN = (
    "trial",
    "role",
    "sources",
    "targets",
    "weights",
    "kept",
    "steps",
    "horizon",
    "seed",
    "parent",
    "parent_checkpoint",
    "probe_sources",
    "probe_kept",
    "probe_steps",
    "reptile",
    "epsilon",
    "temperature",
)
"""Keys that a trainable finds in its config."""


def config_of(study: Study, trial: Trial, parent_checkpoint: str | None) -> dict[str, object]:
    """A trial as the config of a stranger's trainable."""
    proposal, probe = trial.proposal, trial.proposal.probe
    recipe, arms = proposal.recipe, list(probe.arms.values()) if probe else []
    values = (
        trial.number,
        trial.role.value,
        list(study.names),
        [target.name for target in study.targets],
        {name: recipe.mixture.get(name, 0.0) for name in study.names},
        {name: recipe.pruning.share(name) for name in study.names},
        proposal.steps,
        proposal.horizon,
        trial.seed,
        proposal.parent,
        parent_checkpoint,
        [source for source, _ in arms],
        [recipe.pruning.share(source) if level is None else level for source, level in arms],
        probe.steps if probe else 0,
        probe.reptile if probe else "",
        probe.epsilon if probe else 0.0,
        probe.temperature if probe else None,
    )
    return dict(zip(GIVEN, values, strict=True))


def measurement_of(
    study: Study, trial: Trial, result: Mapping[str, Any], needs: frozenset[str], metric: str | None, sign: float
) -> Measurement:
    """Read a trial's last report; sign is -1 for a metric that is to be small.

    Raises:
        TrainingError: the metric is not finite: the trial has failed.
        ConfigError: a key that the search algorithm reads is missing or has another shape; no trial could do better.
    """
    where = f"trial {trial.number}"
    score = _score(result, metric, where, required="score" in needs)
    probe = trial.proposal.probe
    influence: dict[str, Influence] = {}
    if INFLUENCE in needs and probe is not None:
        influence = _influence(study, list(probe.arms), result, where)
    checkpoint = None
    if CHECKPOINT in needs and trial.role is Role.ROUND:
        checkpoint = str(_reported(result, CHECKPOINT, where))
    neighbours: dict[str, Mapping[str, float]] = {}
    if NEIGHBOURS in needs and trial.role is Role.SURVEY:
        shape = (len(study.targets), len(study.names))
        shares = np.nan_to_num(_numbers(_reported(result, NEIGHBOURS, where), shape, NEIGHBOURS, where))
        for target, row in zip(study.targets, shares.tolist(), strict=True):
            neighbours[target.name] = dict(zip(study.names, row, strict=True))
    done, runs = trial.proposal.steps, 0.0
    if DONE in result:
        done = int(np.nan_to_num(_numbers(result[DONE], (), DONE, where)))
    if study.budget.runs is not None:
        runs = float(_numbers(_reported(result, COST, where), (), COST, where))
    return Measurement(
        step=done,
        score=None if score is None else sign * score,
        influence=influence,
        neighbours=neighbours,
        cost=Cost(train=runs * study.prepared.run_flops),
        checkpoint=checkpoint,
    )


def _score(result: Mapping[str, Any], metric: str | None, where: str, *, required: bool) -> float | None:
    if metric is None or (metric not in result and not required):
        return None
    score = float(_numbers(_reported(result, metric, where), (), metric, where))
    if not np.isfinite(score):
        raise TrainingError(f"{where} reported {metric!r} as {score}")
    return score


def _influence(study: Study, arms: list[str], result: Mapping[str, Any], where: str) -> dict[str, Influence]:
    """Influence by arm, from lists in the order of the arms."""
    count, targets = len(arms), [target.name for target in study.targets]
    value = _numbers(_reported(result, INFLUENCE, where), (count,), INFLUENCE, where)

    def optional(key: str, shape: tuple[int, ...]) -> FloatArray:
        return _numbers(result[key], shape, key, where) if key in result else np.full(shape, np.nan)

    error = optional("influence_error", (count,))
    per_target = optional("influence_per_target", (count, len(targets)))
    per_target_error = optional("influence_per_target_error", (count, len(targets)))
    return {
        name: Influence(
            value=_finite(value[index]),
            error=_finite(error[index]),
            per_target=_known(targets, per_target[index]),
            per_target_error=_known(targets, per_target_error[index]),
        )
        for index, name in enumerate(arms)
    }


def _known(names: list[str], values: FloatArray) -> dict[str, float]:
    return {name: value for name, value in zip(names, values.tolist(), strict=True) if np.isfinite(value)}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _reported(result: Mapping[str, Any], key: str, where: str) -> object:
    """A value of the last report.

    Raises:
        ConfigError: it is not there.
    """
    if result.get(key) is not None:
        return result[key]
    parts = sorted(name for name in result if name.startswith(f"{key}/"))
    if parts:
        raise ConfigError(
            f"{where} reported {key!r} as a dict ({', '.join(parts[:3])}, ...), which Ray takes apart: report one list"
        )
    told = ", ".join(sorted(name for name in result if "/" not in name)) or "nothing"
    raise ConfigError(
        f"{where} ended without {key!r} in its last report, which holds {told}: report it with tune.report"
    )


def _numbers(value: object, shape: tuple[int, ...], key: str, where: str) -> FloatArray:
    """Numbers of a shape; None counts as nan.

    Raises:
        ConfigError: not numbers, or of another shape.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where} reported {key!r} as {value!r:.80}, which is not {_said(shape)}") from error
    if array.shape != shape:
        raise ConfigError(f"{where} reported {key!r} of shape {array.shape}: it must be {_said(shape)}")
    return array


def _said(shape: tuple[int, ...]) -> str:
    if not shape:
        return "a number"
    return f"a list of {shape[0]} numbers" if len(shape) == 1 else f"{shape[0]} lists of {shape[1]} numbers"
