"""The noise floor: how far runs of one recipe differ by their training seed alone."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from pydantic import JsonValue as Json
from scipy.special import chdtri, stdtrit

from mixtune.alike import one_each
from mixtune.proposal import Role
from mixtune.recipe import Recipe
from mixtune.report.intervals import LEVEL
from mixtune.report.sheet import Sheet
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

REPEATED = (Role.ANCHOR, Role.FINALIST, Role.RERUN)
"""Roles that run one recipe on several seeds."""

APART = 2 / np.pi**0.5
"""Mean absolute difference of two draws from one normal distribution, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviation of a score over training seeds, with its 95 % interval (chi-square), by so many runs.

    It is pooled within `recipes` recipes, which leaves `freedom` degrees of freedom.
    """

    value: float
    low: float
    high: float
    freedom: int
    runs: int
    recipes: int

    @property
    def apart(self) -> float:
        """How far two runs of one recipe differ on average."""
        return float(APART * self.value)

    def told(self, first: int, second: int) -> float:
        """The least difference between means of so many runs each that seeds alone do not explain (95 %)."""
        return float(stdtrit(self.freedom, (1 + LEVEL) / 2) * self.value * (1 / first + 1 / second) ** 0.5)


@dataclass(frozen=True, slots=True)
class Noise:
    """The objective's noise floor on dev and on test, None where no recipe has two runs, and the search beside it.

    told is the least difference between two recipes on test that `seeds` judged runs of each tell from seed noise.
    beyond is the difference from proportional's mean that a single run on dev needs for that; better and worse count
    the `searched` fresh runs of the search that lie further from it (None without a baseline to compare with).
    """

    metric: str
    seeds: int
    dev: Spread | None
    test: Spread | None
    told: float | None = None
    beyond: float | None = None
    better: int = 0
    worse: int = 0
    searched: int = 0

    @property
    def sentence(self) -> str:
        """What to remember of it."""
        if self.dev is None:
            return (
                f"How much of a difference is noise is not known: final.seeds is {self.seeds}, and every recipe has a "
                f"single run (2 or more would tell)."
            )
        return f"Two runs of one recipe differ by {self.dev.apart:.4f} {self.metric} on dev on average."


def noise(study: Study, trials: Sequence[Trial]) -> Noise | None:
    """Measure over all complete runs of baselines, finalists and recommendations; None before a baseline has run.

    Runs of different recipes on one seed count as independent. Recipes that no run tells apart count as one, and equal
    runs of it under two names count once.
    """
    repeated = [t for t in trials if t.role in REPEATED and t.state is TrialState.COMPLETE and t.measurement]
    if not any(trial.role is Role.ANCHOR for trial in repeated):
        return None
    same = one_each(trial.proposal.recipe for trial in repeated)
    dev: dict[Recipe, dict[int, float]] = {}
    test: dict[Recipe, dict[int, float]] = {}
    for trial in repeated:
        if trial.measurement is not None and trial.measurement.score is not None:
            dev.setdefault(same[trial.proposal.recipe], {})[trial.seed] = trial.measurement.score
        if trial.measurement is not None and trial.measurement.test:
            test.setdefault(same[trial.proposal.recipe], {})[trial.seed] = study.score(trial.measurement.test)
    on_dev, on_test, seeds = spread(dev), spread(test), study.final.seeds
    found = Noise(
        study.objective.metric, seeds, on_dev, on_test, None if on_test is None else on_test.told(seeds, seeds)
    )
    baseline = next((same[t.proposal.recipe] for t in repeated if t.proposal.label == "proportional"), None)
    if on_dev is None or baseline not in dev:
        return found
    level, beyond = float(np.mean([*dev[baseline].values()])), on_dev.told(1, len(dev[baseline]))
    differences = [
        trial.measurement.score - level
        for trial in trials
        if trial.role is Role.SEARCH and trial.state is TrialState.COMPLETE and trial.proposal.recipe != baseline
        if trial.measurement is not None and trial.measurement.score is not None
    ]
    return replace(
        found,
        beyond=beyond,
        better=sum(difference > beyond for difference in differences),
        worse=sum(difference < -beyond for difference in differences),
        searched=len(differences),
    )


def spread(scores: Mapping[Recipe, Mapping[int, float]]) -> Spread | None:
    """Standard deviation within recipes, from the scores of each on its seeds; None where none has two."""
    groups = [np.array([*runs.values()]) for runs in scores.values() if len(runs) > 1]
    runs = sum(len(group) for group in groups)
    freedom = runs - len(groups)
    if freedom == 0:
        return None
    squares = float(sum(((group - group.mean()) ** 2).sum() for group in groups))
    tail = (1 - LEVEL) / 2
    low, high = (float((squares / chdtri(freedom, upper)) ** 0.5) for upper in (tail, 1 - tail))
    return Spread((squares / freedom) ** 0.5, low, high, freedom, runs, len(groups))


def noise_sheet(found: Noise) -> Sheet:
    """The panel: dev and test, and what the noise says of the search."""
    title = "Noise floor: runs of one recipe on different training seeds"
    if found.dev is None:
        return Sheet(title, lines=(found.sentence,))
    rows = tuple(
        (name, f"{each.value:.4f}", f"[{each.low:.4f}, {each.high:.4f}]", f"{each.apart:.4f}", str(each.runs))
        for name, each in (("dev", found.dev), ("test", found.test))
        if each is not None
    )
    lines = [found.sentence]
    if found.told is not None:
        lines.append(
            f"On test {found.seeds} runs of each tell two recipes apart that differ by {found.told:.4f} or more, as "
            f"far as seeds go."
        )
    if found.searched and found.beyond is not None:
        lines.append(
            f"{found.better} of {found.searched} runs of the search lie above proportional on dev by more than that "
            f"noise ({found.beyond:.4f}), {found.worse} below; by chance {(1 - LEVEL) / 2 * found.searched:.1f} would "
            f"on either side."
        )
    return Sheet(
        title,
        left=(found.metric,),
        right=("SD", "95 % interval", "two runs differ by", "runs"),
        rows=rows,
        caption=f"SD: standard deviation within {found.dev.recipes} recipes",
        lines=tuple(lines),
    )


def noise_document(found: Noise) -> dict[str, Json]:
    """The panel as JSON."""

    def told(each: Spread | None) -> Json:
        return None if each is None else {**asdict(each), "apart": each.apart}

    return {**asdict(found), "dev": told(found.dev), "test": told(found.test), "sentence": found.sentence}
