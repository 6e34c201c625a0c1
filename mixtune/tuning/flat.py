"""What a stranger's trainable reports: flat keys and plain values.

`as_ray` states the keys to its users; this module alone reads them (and `given` alone writes those of the config).
Many numbers come as one list each, because Ray takes dicts apart into one key per entry and keeps running statistics
of every one.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mixtune.errors import ConfigError, TrainingError
from mixtune.measurement import Alignment, Cost, Influence, Measurement
from mixtune.proposal import Role
from mixtune.recipe import FloatArray
from mixtune.rules import make_rule, stored, unpacked
from mixtune.study import Study
from mixtune.trial import Trial

ALIGNMENT = "alignment"
CHECKPOINT = "checkpoint"
CLUSTERS = "clusters"
COST = "cost"
INFLUENCE = "influence"
NEIGHBOURS = "neighbours"
DONE = "steps_done"
RULE = "rule"
RULE_STATE = "rule_state"

READABLE = frozenset({"score", ALIGNMENT, CHECKPOINT, CLUSTERS, INFLUENCE, NEIGHBOURS, RULE})
"""Measurement fields that a flat report can hold."""

SURVEYED = frozenset({CLUSTERS, NEIGHBOURS})
"""Those that only a survey fills."""


def measurement_of(
    study: Study, trial: Trial, result: Mapping[str, Any], needs: frozenset[str], metric: str | None, sign: float
) -> Measurement:
    """Read a trial's last report; sign is -1 for a metric that is to be small.

    Raises:
        TrainingError: the metric or a rule's state is not finite: the trial has failed.
        ConfigError: a key that the search algorithm reads is missing or has another shape; no trial could do better.
    """
    where = f"trial {trial.number}"
    score = _score(result, metric, where, required="score" in needs)
    probe = trial.proposal.probe
    influence: dict[str, Influence] = {}
    if INFLUENCE in needs and probe is not None:
        influence = _influence(study, list(probe.arms), result, where)
    checkpoint = None
    if CHECKPOINT in needs and trial.role in (Role.ROUND, Role.REFERENCE):
        checkpoint = str(_reported(result, CHECKPOINT, where))
    surveyed = {key: _shares(study, result, key, where) for key in SURVEYED & needs if trial.role is Role.SURVEY}
    done, runs = trial.proposal.steps, 0.0
    if DONE in result:
        done = int(np.nan_to_num(_numbers(result[DONE], (), DONE, where)))
    if study.budget.runs is not None:
        runs = float(_numbers(_reported(result, COST, where), (), COST, where))
    return Measurement(
        step=done,
        score=None if score is None else sign * score,
        influence=influence,
        neighbours=surveyed.get(NEIGHBOURS, {}),
        clusters=surveyed.get(CLUSTERS, {}),
        rule=_rule(study, trial, result, where) if RULE in needs else {},
        alignment=_alignment(study, trial, result, where) if ALIGNMENT in needs else {},
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


def _shares(study: Study, result: Mapping[str, Any], key: str, where: str) -> dict[str, Mapping[str, float]]:
    """Shares of the sources per target, from one list per target."""
    found = _numbers(_reported(result, key, where), (len(study.targets), len(study.names)), key, where)
    rows = np.nan_to_num(found).tolist()
    return {
        target.name: dict(zip(study.names, row, strict=True)) for target, row in zip(study.targets, rows, strict=True)
    }


def _rule(study: Study, trial: Trial, result: Mapping[str, Any], where: str) -> dict[str, tuple[float, ...]]:
    """The state that the proposal's rule ended in, from one list of numbers."""
    if trial.proposal.rule is None:
        return {}
    rule, count = make_rule(trial.proposal.rule), len(study.names)
    told = _reported(result, RULE_STATE, where)
    try:
        numbers = np.asarray(told, dtype=np.float64).ravel().tolist()
        state = unpacked(rule, numbers, count)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where} reported {RULE_STATE!r} as {told!r:.80}, which is not a list of numbers") from error
    except ConfigError as error:
        raise ConfigError(f"{where} reported {RULE_STATE!r} of another length: {error}") from error
    if not np.isfinite(numbers).all():
        raise TrainingError(f"{where} reported {RULE_STATE!r} with numbers that are not finite")
    return stored(state)


def _alignment(study: Study, trial: Trial, result: Mapping[str, Any], where: str) -> dict[str, Alignment]:
    """Alignment of the compared sources, from one list of cosines each: those of gradients scaled to norm 1."""
    gradients, targets = trial.proposal.gradients, [target.name for target in study.targets]
    if gradients is None or trial.proposal.rule is not None:
        return {}
    shape = (len(gradients.sources), len(targets))
    rows = _numbers(_reported(result, ALIGNMENT, where), shape, ALIGNMENT, where)
    known = {name: _known(targets, row) for name, row in zip(gradients.sources, rows, strict=True)}
    return {name: Alignment(cosine, cosine, 1.0) for name, cosine in known.items()}


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
