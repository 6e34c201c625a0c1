"""What a study has shown so far, as one value: the JSON, the tables and the page are made from it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Protocol

from mixtune.errors import SearchExhausted
from mixtune.measurement import Cost, Scores
from mixtune.proposal import CHARGED, CHOOSING, Role
from mixtune.recipe import Recipe
from mixtune.report.contrast import Contrast
from mixtune.report.judged import Judged
from mixtune.report.looks.collected import Looks, dated, is_look
from mixtune.report.panels.collected import Panels, panels
from mixtune.study import Study, StudyState
from mixtune.trial import Trial, TrialState


class Record(Protocol):
    """What a summary reads of a stored study."""

    @property
    def study(self) -> Study:
        """The specification."""
        ...

    @property
    def state(self) -> StudyState:
        """Where the study is."""
        ...

    @property
    def reason(self) -> str:
        """Why it stopped or failed."""
        ...

    @property
    def versions(self) -> Mapping[str, str] | None:
        """The libraries that ran it."""
        ...


class Verdict(StrEnum):
    """Does the tuned recipe beat the other one?"""

    YES = "yes"
    NO = "no"
    NO_WINNER = "no winner"
    """The interval of the difference holds zero."""
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The tuned recipe against a baseline: difference of the objective on test, paired by seed and query."""

    baseline: str
    metric: str
    difference: Contrast | None
    same_recipe: bool = False

    @property
    def verdict(self) -> Verdict:
        """What the interval allows to say."""
        if self.difference is None:
            return Verdict.NOT_JUDGED
        return {1: Verdict.YES, 0: Verdict.NO_WINNER, -1: Verdict.NO}[self.difference.winner]

    @property
    def sentence(self) -> str:
        """The answer in words, with its evidence."""
        if self.same_recipe:
            return f"The best recipe is {self.baseline} sampling itself."
        if self.difference is None:
            return f"Whether tuning beats {self.baseline} sampling is not judged yet."
        begin = {
            Verdict.YES: f"Yes, tuning beats {self.baseline} sampling",
            Verdict.NO: f"No, tuning does worse than {self.baseline} sampling",
        }.get(self.verdict, f"No winner between tuning and {self.baseline} sampling")
        d, count = self.difference, self.difference.replicates
        seeds = f"{count} training seeds" if count > 1 else "one training seed, whose own noise is not in it"
        return (
            f"{begin}: test {self.metric} {d.value:+.4f}, 95 % interval [{d.low:+.4f}, {d.high:+.4f}] "
            f"over {d.queries:,} queries and {seeds}."
        )


@dataclass(frozen=True, slots=True)
class Costs:
    """Floating-point operations. search is what the search is charged; the others are lines of their own.

    runs is the search in units of one fresh full-length run, None before preparation. seconds are wall seconds of
    trials added up, which overlap where several workers run. parts holds what the search spent on what, by the names
    of Cost, and reference what its reference runs are of it. choosing is what the finalists of the search took.
    """

    search: float
    judging: float
    preparation: float
    runs: float | None
    search_seconds: float
    judging_seconds: float
    preparation_seconds: float
    parts: Mapping[str, float] = field(default_factory=dict)
    reference: float = 0.0
    choosing: float = 0.0
    choosing_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Spared:
    """What early stopping left out: runs that it ended, of how many, and their missing optimiser steps, of how many."""

    runs: int
    of_runs: int
    steps: int
    of_steps: int


@dataclass(frozen=True, slots=True)
class Best:
    """The recommended recipe. trial is the one that ran it, None if none has yet; epochs are those of the final."""

    trial: int | None
    recipe: Recipe
    judged: Judged
    epochs: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that is told about a study. spared is None where early stopping is off, panels tell of the search.

    reused counts the trials that took over an equal run instead of running again. looks are what later studies that
    look into this one found, or this one if it is such a study.
    """

    study: Study
    state: StudyState
    reason: str
    versions: Mapping[str, str]
    trials: Mapping[TrialState, int]
    costs: Costs
    base_model: Judged | None
    baselines: Mapping[str, Judged]
    best: Best | None
    comparisons: Mapping[str, Comparison]
    spared: Spared | None = None
    reused: int = 0
    panels: Panels = field(default_factory=Panels)
    looks: Looks = field(default_factory=Looks)

    @property
    def answer(self) -> str:
        """Does it beat proportional sampling? In one sentence."""
        if "proportional" in self.comparisons:
            return self.comparisons["proportional"].sentence
        if is_look(self.study):
            return f"A look into study {self.study.of}: it searches nothing and judges nothing."
        return "Nothing to recommend yet."


Recommend = Callable[[Study, Sequence[Trial]], Recipe]
"""What a study recommends, from all its trials (mixtune.searchers.finalists.crowned). Raises SearchExhausted."""


def summarise(
    record: Record,
    trials: Sequence[Trial],
    scores_of: Callable[[int], Scores],
    recommend: Recommend,
    found: Looks | None = None,
) -> Summary:
    """Sum up a study in any state.

    Args:
        record: the stored study.
        trials: all its trials in number order.
        scores_of: per-query test scores of a trial by its number.
        recommend: what the study recommends, given all its trials.
        found: what looks into the study found.
    """
    study = record.study
    survey = _complete(trials, Role.SURVEY)
    recipes = {trial.proposal.label: trial.proposal.recipe for trial in trials if trial.role is Role.ANCHOR}
    anchors = _complete(trials, Role.ANCHOR)
    baselines = {
        label: _judged(recipe, [trial for trial in anchors if trial.proposal.label == label], scores_of)
        for label, recipe in recipes.items()
    }
    best = _best(study, trials, scores_of, recommend)
    return Summary(
        study=study,
        state=record.state,
        reason=record.reason,
        versions=record.versions or {},
        trials=Counter(trial.state for trial in trials),
        costs=_costs(study, trials),
        base_model=_judged(None, survey, scores_of) if survey else None,
        baselines=baselines,
        best=best,
        comparisons={} if best is None else {name: _compared(study, best, name, it) for name, it in baselines.items()},
        reused=sum(bool(trial.reused) for trial in trials),
        spared=_spared(trials) if study.stopping is not None else None,
        panels=panels(study, trials, None if best is None else best.recipe),
        looks=dated(
            found or Looks(), study, None if best is None else best.recipe, finished=record.state is StudyState.COMPLETE
        ),
    )


def _complete(trials: Sequence[Trial], role: Role) -> list[Trial]:
    return [trial for trial in trials if trial.role is role and trial.state is TrialState.COMPLETE]


def _judged(recipe: Recipe | None, runs: Sequence[Trial], scores_of: Callable[[int], Scores]) -> Judged:
    by_seed = {trial.proposal.replicate: trial for trial in runs}
    scores = {replicate: scores_of(trial.number) for replicate, trial in sorted(by_seed.items())}
    return Judged(recipe, by_seed, {replicate: found for replicate, found in scores.items() if found})


def _best(
    study: Study, trials: Sequence[Trial], scores_of: Callable[[int], Scores], recommend: Recommend
) -> Best | None:
    """The recommendation and the reruns of exactly that recipe; reruns from before an extension do not count."""
    if study.preparation is None:
        return None
    try:
        recipe = recommend(study, trials)
    except SearchExhausted:
        return None
    searched = [trial for trial in _complete(trials, Role.SEARCH) if trial.proposal.recipe == recipe]
    reruns = [trial for trial in _complete(trials, Role.RERUN) if trial.proposal.recipe == recipe]
    finalists = [trial for trial in _complete(trials, Role.FINALIST) if trial.proposal.recipe == recipe]
    judged = _judged(recipe, reruns, scores_of)
    if not reruns:
        # These are scored on dev alone; they say what is known until the recipe has been judged.
        judged = Judged(recipe, {trial.proposal.replicate: trial for trial in finalists or searched[:1]})
    ran = [trial.number for trial in (*searched, *finalists, *reruns)]
    return Best(ran[0] if ran else None, recipe, judged, study.epochs(recipe))


def _compared(study: Study, best: Best, name: str, baseline: Judged) -> Comparison:
    metric = study.objective.metric
    same = baseline.recipe == best.recipe
    return Comparison(name, metric, best.judged.minus(baseline, study, metric), same_recipe=same)


def _costs(study: Study, trials: Sequence[Trial]) -> Costs:
    charged = [trial.measurement.cost for trial in trials if trial.measurement and trial.role in CHARGED]
    finalists = [trial.measurement.cost for trial in trials if trial.measurement and trial.role in CHOOSING]
    others = [trial.measurement.cost for trial in trials if trial.measurement and trial.role not in CHARGED | CHOOSING]
    references = [trial.measurement.cost for trial in trials if trial.measurement and trial.role is Role.REFERENCE]

    def spent(costs: Sequence[Cost]) -> tuple[float, float]:
        return sum(cost.flops for cost in costs), sum(cost.seconds for cost in costs)

    (search, search_seconds), (judging, judging_seconds) = spent(charged), spent(others)
    choosing, choosing_seconds = spent(finalists)
    parts = {each.name: sum(getattr(cost, each.name) for cost in charged) for each in fields(Cost)}
    prepared = study.preparation
    return Costs(
        search=search,
        judging=judging,
        preparation=prepared.flops if prepared else 0.0,
        runs=search / prepared.run_flops if prepared and prepared.run_flops > 0 else None,
        search_seconds=search_seconds,
        judging_seconds=judging_seconds,
        preparation_seconds=prepared.seconds if prepared else 0.0,
        parts={name: flops for name, flops in parts.items() if name != "seconds" and flops > 0},
        reference=spent(references)[0],
        choosing=choosing,
        choosing_seconds=choosing_seconds,
    )


def _spared(trials: Sequence[Trial]) -> Spared:
    """What the rule left out of the fresh runs that have ended; a failed one says nothing about it."""
    ended = [
        (trial.proposal.steps, trial.measurement.step, trial.state is TrialState.PRUNED)
        for trial in trials
        if trial.role is Role.SEARCH and trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and trial.measurement
    ]
    return Spared(
        runs=sum(pruned for _, _, pruned in ended),
        of_runs=len(ended),
        steps=sum(planned - done for planned, done, _ in ended),
        of_steps=sum(planned for planned, _, _ in ended),
    )
