"""Whether a guided search overfits dev: its recipe's gain on the queries that its signals saw, and on the others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import JsonValue as Json
from scipy.special import stdtrit

from mixtune.proposal import Role
from mixtune.recipe import Recipe
from mixtune.report.intervals import LEVEL
from mixtune.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Gain of the recommended recipe over proportional sampling on dev, as means over `seeds` judging seeds.

    seen is the gain on the dev queries that signals were measured on, unseen on the others. half is half of the 95 %
    interval of their difference (Student's t over seeds: queries are not in it), None with a single seed.
    """

    seen: float
    unseen: float
    half: float | None
    seeds: int

    @property
    def lost(self) -> float:
        """What did not carry over."""
        return self.seen - self.unseen

    @property
    def sentence(self) -> str:
        """What it says, in one line."""
        half = "" if self.half is None else f" ± {self.half:.4f}"
        lost = f"{self.lost:+.4f}{half}"
        return (
            f"Dev overfitting: over proportional sampling the recipe gains {self.seen:+.4f} on the dev queries that "
            f"signals were measured on, {self.unseen:+.4f} on those that they never saw: "
            f"{f'{lost} did not carry over' if self.lost > 0 else f'no sign of it ({lost})'}. {self.seeds} "
            f"seed{'' if self.seeds == 1 else 's'}; the queries' own luck is not in the interval."
        )


def held_back(trials: Sequence[Trial], recipe: Recipe | None) -> HeldBack | None:
    """Compare the judged runs; None where no round measured a signal on dev, or before both have run."""
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    signals = any(
        trial.role is Role.ROUND and (trial.proposal.probe is not None or trial.proposal.gradients is not None)
        for trial in complete
    )
    if recipe is None or not signals:
        return None
    mine = _judged(trial for trial in complete if trial.role is Role.RERUN and trial.proposal.recipe == recipe)
    theirs = _judged(t for t in complete if t.role is Role.ANCHOR and t.proposal.label == "proportional")
    shared = sorted(mine.keys() & theirs.keys())
    if not shared:
        return None
    gains = np.array([np.subtract(mine[seed], theirs[seed]) for seed in shared])
    seen, unseen = gains.mean(axis=0).tolist()
    half = None
    if len(shared) > 1:
        spread = float((gains[:, 0] - gains[:, 1]).std(ddof=1)) / len(shared) ** 0.5
        half = float(stdtrit(len(shared) - 1, (1 + LEVEL) / 2)) * spread
    return HeldBack(seen, unseen, half, len(shared))


def held_back_document(found: HeldBack) -> dict[str, Json]:
    """The finding as JSON."""
    return {**asdict(found), "lost": found.lost, "sentence": found.sentence}


def _judged(trials: Iterable[Trial]) -> Mapping[int, tuple[float, ...]]:
    """Objective on seen and on other dev queries, replicate by replicate."""
    return {
        trial.proposal.replicate: trial.measurement.dev_signal
        for trial in trials
        if trial.measurement is not None and trial.measurement.dev_signal
    }
