"""The winner's curse: what the crowned recipe scored in the search beside what it scores on new seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import JsonValue as Json
from scipy.special import ndtri

from mixtune.alike import one_each
from mixtune.proposal import Role
from mixtune.recipe import Recipe
from mixtune.report.panels.noise import Noise, noise
from mixtune.report.sheet import Sheet, number
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

SEEDS = {Role.RERUN: "judging", Role.FINALIST: "finalists'"}
"""Whose seeds the new runs are on, in words."""


@dataclass(frozen=True, slots=True)
class Finalist:
    """A recipe that ran again: the first search trial that ran it (None: none did), its dev score there, and again.

    again is the mean over its `seeds` runs on the seeds of finalists.
    """

    trial: int | None
    search: float | None
    again: float | None
    seeds: int
    crowned: bool


@dataclass(frozen=True, slots=True)
class Gain:
    """Crowned recipe less proportional, on dev and on test, as means over the same judging seeds.

    Each with half of its 95 % interval as far as seeds go: queries are not in it.
    """

    dev: float
    dev_half: float
    test: float
    test_half: float


@dataclass(frozen=True, slots=True)
class Crowning:
    """Dev score of the crowned recipe in the search, which chose it for that, and again on new seeds.

    search is its score among `searched` fresh runs, None where it was not one of them: rounds of a chain are no fresh
    runs, and a regression's best was predicted. again is the mean over `seeds` runs, on the judging seeds (`on`), by
    which nothing was chosen, or else on those of finalists. sd is the noise of a single run, lucky how far that alone
    lifts the best of so many runs of equal recipes on average, and half is half of the 95 % interval of their
    difference; all None where the noise is not known.
    """

    searched: int
    search: float | None
    again: float | None
    seeds: int
    on: str
    sd: float | None
    lucky: float | None
    half: float | None
    finalists: tuple[Finalist, ...] = ()
    gain: Gain | None = None

    @property
    def curse(self) -> float | None:
        """What the score in the search promised too much."""
        return None if self.search is None or self.again is None else self.search - self.again

    @property
    def sentence(self) -> str:
        """What it says, in one line."""
        if self.search is None:
            why = "its rounds are no fresh runs" if not self.searched else "the crowned recipe was none of its runs"
            return f"Winner's curse: not applicable, the search has no score of the crowned recipe ({why})."
        if self.again is None or self.curse is None:
            return "Winner's curse: not known before the crowned recipe has run on new seeds."
        seeds = f"{self.seeds} {self.on} seed{'' if self.seeds == 1 else 's'}"
        found = f"Winner's curse: dev {self.search:.4f} in the search, {self.again:.4f} on {seeds}"
        if self.sd is None or self.lucky is None or self.half is None:
            return f"{found}; how much of that is noise is not known."
        flattered = "did not hold" if self.curse > 0 else "lost, no sign of luck"
        if 0 < self.curse <= self.half:
            flattered = "did not hold, within noise"
        return (
            f"{found}: {self.curse:+.4f} ± {self.half:.4f} {flattered}. Seed noise (SD {self.sd:.4f}) alone "
            f"would lift the best of {self.searched} equal recipes by {self.lucky:.4f}."
        )


def crowning(study: Study, trials: Sequence[Trial], recipe: Recipe | None) -> Crowning | None:
    """Compare for the crowned recipe; None before there is one, and where the search had nothing to choose from.

    Runs of recipes that no run tells from the crowned one are its own.
    """
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE and trial.measurement is not None]
    searched = [trial for trial in complete if trial.role is Role.SEARCH]
    chained = any(trial.role is Role.ROUND for trial in complete)
    if recipe is None or not (chained or len({trial.proposal.recipe for trial in searched}) > 1):
        return None
    same = one_each([recipe, *(trial.proposal.recipe for trial in trials)])
    again = {role: _scores(complete, role, recipe, same) for role in SEEDS}
    role = next((role for role, scores in again.items() if scores), Role.RERUN)
    floor = noise(study, trials)
    dev = None if floor is None else floor.dev
    search = _scores(searched, Role.SEARCH, recipe, same)
    recipes = dict.fromkeys(same[trial.proposal.recipe] for trial in trials if trial.role is Role.FINALIST)
    rivals = [
        Finalist(
            trial=next((trial.number for trial in searched if same[trial.proposal.recipe] == each), None),
            search=_mean(_scores(searched, Role.SEARCH, each, same)),
            again=_mean(_scores(complete, Role.FINALIST, each, same)),
            seeds=len(_scores(complete, Role.FINALIST, each, same)),
            crowned=each == recipe,
        )
        for each in recipes
    ]
    return Crowning(
        searched=len(searched),
        search=_mean(search),
        again=_mean(again[role]),
        seeds=len(again[role]),
        on=SEEDS[role],
        sd=None if dev is None else dev.value,
        lucky=None if dev is None else dev.value * luck(len(searched)),
        half=None if dev is None or not search or not again[role] else dev.told(len(search), len(again[role])),
        finalists=tuple(sorted(rivals, key=lambda each: -(each.again or 0.0))),
        gain=None if floor is None else _gain(study, complete, recipe, floor),
    )


def luck(count: int) -> float:
    """Expected highest of so many standard normal draws (Blom 1958: within .02 of it), 0 below two."""
    return float(ndtri((count - 0.375) / (count + 0.25))) if count > 1 else 0.0


def crowning_sheet(found: Crowning) -> Sheet:
    """The panel: the finalists, if there are any, and what the search promised too much."""
    lines = [found.sentence]
    if found.gain is not None:
        lines.append(
            f"Gain over proportional on the same judging seeds: {found.gain.dev:+.4f} ± {found.gain.dev_half:.4f} on "
            f"dev, where it was chosen, {found.gain.test:+.4f} ± {found.gain.test_half:.4f} on test (seed noise alone)."
        )
    rows = tuple(
        (
            "not a search trial" if each.trial is None else f"trial {each.trial}",
            "crowned" if each.crowned else "",
            number(each.search, ".4f"),
            number(each.again, ".4f"),
            str(each.seeds),
        )
        for each in found.finalists
    )
    return Sheet(
        "The best of the search on dev, run again on new seeds" if rows else "Choosing on dev",
        left=("finalist", ""),
        right=("in the search", "finalists' seeds", "seeds"),
        rows=rows,
        lines=tuple(lines),
    )


def crowning_document(found: Crowning) -> dict[str, Json]:
    """The panel as JSON."""
    finalists: list[Json] = [asdict(each) for each in found.finalists]
    return {**asdict(found), "finalists": finalists, "curse": found.curse, "sentence": found.sentence}


def _scores(trials: Sequence[Trial], role: Role, recipe: Recipe, same: Mapping[Recipe, Recipe]) -> list[float]:
    """Dev scores of the complete runs of a recipe in a role, one a seed."""
    found = {
        trial.seed: trial.measurement.score
        for trial in trials
        if trial.role is role and same[trial.proposal.recipe] == recipe
        if trial.measurement is not None and trial.measurement.score is not None
    }
    return [*found.values()]


def _gain(study: Study, complete: Sequence[Trial], recipe: Recipe, floor: Noise) -> Gain | None:
    """The gain over proportional on the judging seeds that both have had; None without one, or if noise is unknown."""

    def judged(role: Role, label: str) -> dict[int, tuple[float, float]]:
        return {
            trial.proposal.replicate: (trial.measurement.score, study.score(trial.measurement.test))
            for trial in complete
            if trial.role is role
            and trial.proposal.label == label
            and (role is Role.ANCHOR or trial.proposal.recipe == recipe)
            if trial.measurement is not None and trial.measurement.score is not None and trial.measurement.test
        }

    mine, theirs = judged(Role.RERUN, "best"), judged(Role.ANCHOR, "proportional")
    shared = sorted(mine.keys() & theirs.keys())
    if not shared or floor.dev is None or floor.test is None:
        return None
    dev, test = np.mean([np.subtract(mine[seed], theirs[seed]) for seed in shared], axis=0).tolist()
    many = len(shared)
    return Gain(dev, floor.dev.told(many, many), test, floor.test.told(many, many))


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
