"""What recorded rounds say of signals and costs, which no surface of scores holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from mixtune.measurement import Influence, Measurement
from mixtune.proposal import Probe, Role
from mixtune.ranks import spearman
from mixtune.recipe import FloatArray
from mixtune.report.fresh import fresh_runs
from mixtune.store.recording import Recorded
from mixtune.study import Study
from mixtune.trial import Trial, TrialState
from mixtune.tuning.chains import probed
from mixtune.tuning.surrogate import Surrogate


@dataclass(frozen=True, slots=True)
class Recalled:
    """Influences as recorded rounds measured them, to be replayed.

    Arrays of 2 N columns hold the fall of the dev loss per target, then the rise of the metric. mean, shape (M, 2 N),
    is what a probe of probe_steps steps did on average over the rounds; expected, likewise, what the surface says of
    the same probes; a source that no round probed has what the surface says, times gain, in mean. gain, from 0 to 1, is
    how much of what the surface says the rounds bear out (least squares over sources and targets). error, shape
    (2 N,), is the root mean square of the standard errors of one probe on `queries` dev queries per target. agreement
    is the mean over targets and both measures of the rank correlation of mean and expected over the sources that were
    probed, None where there are fewer than three. rounds counts the rounds.
    """

    mean: FloatArray
    expected: FloatArray
    gain: float
    error: FloatArray
    probe_steps: float
    queries: float
    agreement: float | None
    rounds: int


@dataclass(frozen=True, slots=True)
class Prices:
    """Mean floating-point operations of an ordinary step, of scoring dev, of a probe's step, and of a look at signals.

    look is what measuring influence costs for one dev query, once: a round looks before its probes and after each.
    """

    step: float
    dev: float
    probe_step: float = 0.0
    look: float = 0.0


Round: TypeAlias = tuple[Trial, Probe, Measurement, FloatArray]
"""A complete round, and the exposure (M,) in front of its probes."""


def rounds_of(study: Study, studies: Sequence[Recorded]) -> list[Round]:
    """The recorded rounds that probed sources, at no keep level or option of their own."""
    found: list[Round] = []
    for each in studies:
        ends: dict[int | None, FloatArray] = {None: np.zeros(len(study.names))}
        for trial in each.trials:
            seen, proposal = trial.measurement, trial.proposal
            if trial.role is not Role.ROUND or trial.state is not TrialState.COMPLETE or seen is None:
                continue
            start = ends.get(proposal.parent)
            ends[trial.number] = np.array([seen.exposure.get(name, 0.0) for name in study.names])
            if start is None or proposal.probe is None or proposal.rule is not None or not seen.influence:
                continue
            before = start + proposal.steps * proposal.recipe.mixture.array(study.names)
            found.append((trial, proposal.probe, seen, before))
    return found


def recalled(surrogate: Surrogate, rounds: Sequence[Round]) -> Recalled | None:
    """Influences of recorded rounds beside those of the surface; None where no round measured any."""
    study, size = surrogate.study, len(surrogate.study.names)
    seen: list[list[tuple[FloatArray, FloatArray]]] = [[] for _ in range(size)]
    errors, queries = [], []
    for _, probe, measured, exposure in rounds:
        expected = probed(surrogate.surfaces[0], surrogate.base, exposure, study.proxy.steps, probe.steps)
        queries.append(looked_at(study, probe))
        for name, influence in measured.influence.items():
            value, error = _columns(study, influence)
            if np.isfinite(value).all() and np.isfinite(error).all():
                index = study.names.index(name)
                seen[index].append((value, expected[index]))
                errors.append(error)
    if not errors:
        return None
    known = np.array([bool(each) for each in seen])
    first = rounds[0][3]
    probe_steps = float(np.mean([probe.steps for _, probe, _, _ in rounds]))
    default = probed(surrogate.surfaces[0], surrogate.base, first, study.proxy.steps, probe_steps)
    pairs = [np.mean(each, axis=0) if each else (default[i], default[i]) for i, each in enumerate(seen)]
    mean, expected = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    apart, told = (each[known] - each[known].mean(axis=0) for each in (mean, expected))
    gain = float(np.clip(np.sum(apart * told) / max(float(np.sum(told**2)), 1e-300), 0.0, 1.0))
    mean[~known] *= gain
    ranked = [spearman(a[known], b[known]) for a, b in zip(mean.T, expected.T, strict=True)] if known.sum() > 2 else []
    agreed = [each for each in ranked if each is not None]
    return Recalled(
        mean=mean,
        expected=expected,
        gain=gain,
        error=np.sqrt(np.mean(np.square(errors), axis=0)),
        probe_steps=probe_steps,
        queries=float(np.mean(queries)),
        agreement=float(np.mean(agreed)) if agreed else None,
        rounds=len(rounds),
    )


def prices_of(study: Study, studies: Sequence[Recorded], rounds: Sequence[Round]) -> Prices:
    """Mean costs of recorded fresh runs and rounds; a study has at least one fresh run."""
    fresh = fresh_runs(study, [trial for each in studies for trial in each.trials])
    step = float(np.mean([seen.cost.train / max(1, trial.proposal.steps) for trial, seen, _ in fresh]))
    dev = float(np.mean([seen.cost.dev for _, seen, _ in fresh]))
    if not rounds:
        return Prices(step, dev)
    steps = sum(len(probe.arms) * probe.steps for _, probe, _, _ in rounds)
    looks = sum((1 + len(probe.arms)) * looked_at(study, probe) for _, probe, _, _ in rounds)
    scored = sum(trial.proposal.scored for trial, _, _, _ in rounds)
    spent = sum(seen.cost.dev for _, _, seen, _ in rounds) - dev * scored
    return Prices(step, dev, sum(seen.cost.probe for _, _, seen, _ in rounds) / steps, max(0.0, spent) / looks)


def looked_at(study: Study, probe: Probe) -> float:
    """Dev queries that a round measures influence on, all targets together."""
    facts = [study.prepared.targets[target.name].signal_queries / probe.splits for target in study.targets]
    return float(sum(count if probe.queries is None else min(probe.queries, count) for count in facts))


def _columns(study: Study, influence: Influence) -> tuple[FloatArray, FloatArray]:
    """An influence and its errors as Recalled has them; NaN where it is not known."""

    def listed(*parts: dict[str, float]) -> FloatArray:
        return np.array([part.get(target.name, np.nan) for part in parts for target in study.targets])

    value = listed(dict(influence.per_target), dict(influence.rank))
    return value, listed(dict(influence.per_target_error), dict(influence.rank_error))
