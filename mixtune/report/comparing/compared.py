"""A comparison as one value: the tables, the page and the JSON are made from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mixtune.comparison import Comparison, Equal
from mixtune.measurement import Scores
from mixtune.proposal import CHARGED, Role
from mixtune.recipe import Recipe
from mixtune.report.comparing.anytime import Curve, Reach, curve, final_scores, paths, reach
from mixtune.report.comparing.duels import Duel, duels
from mixtune.report.comparing.entrant import Entrant, Showing, Spent
from mixtune.report.comparing.evenness import evenness_notes, given
from mixtune.report.comparing.outcome import outcome
from mixtune.report.comparing.ranking import Ranking, ranking
from mixtune.report.judged import Judged
from mixtune.study import Study, StudyState
from mixtune.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class Played:
    """A member as it stands, and the library versions that its study began with.

    recipe is what its search recommends, None while there is nothing to recommend.
    """

    label: str
    replicate: int
    study: Study
    state: StudyState
    reason: str
    trials: Sequence[Trial]
    recipe: Recipe | None
    scores_of: Callable[[int], Scores]
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a member is."""

    study: str
    label: str
    replicate: int
    state: StudyState
    reason: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """Everything that is told about a comparison.

    entrants holds contenders and baselines, the best objective on test first, those without any result last. study
    stands for what all members have in common; curves and reaches are in the measure `equal`. given is how much of that
    each search was given, None where their budgets differ. versions are those of the first member.
    """

    comparison: Comparison
    study: Study
    members: tuple[Standing, ...]
    entrants: Mapping[str, Entrant]
    duels: tuple[Duel, ...]
    ranking: Ranking | None
    curves: Mapping[str, Curve] = field(default_factory=dict)
    reaches: tuple[Reach, ...] = ()
    notes: tuple[str, ...] = ()
    given: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def equal(self) -> Equal:
        """What every contender had alike, if they had (see given): the measure of what they used."""
        return self.comparison.equal

    @property
    def seeds(self) -> list[int]:
        """The seed of each replicate."""
        known = {member.replicate: member.seed for member in self.members}
        base = self.comparison.base.seed
        return [known.get(replicate, base + replicate) for replicate in range(self.comparison.replicates)]

    @property
    def complete(self) -> bool:
        """Every member has run to its end."""
        return all(member.state is StudyState.COMPLETE for member in self.members)

    @property
    def answer(self) -> str:
        """Who wins, in one sentence."""
        return outcome([each for each in self.entrants.values() if each.showings], self.duels, self.study)


def compared(
    comparison: Comparison, played: Sequence[Played], *, levels: Sequence[float] = (), notes: Sequence[str] = ()
) -> Compared:
    """Put members side by side, in any state.

    Args:
        comparison: what is compared.
        played: the members that have begun.
        levels: dev scores to reach; without any, those that the entrants ended with.
        notes: what to say besides.
    """
    study = played[0].study if played else comparison.base
    found = {entrant.label: entrant for entrant in _entrants(comparison, played)}
    overall = {label: entrant.overall(study) for label, entrant in found.items()}
    order = sorted(found, key=lambda label: -each.value if (each := overall[label]) is not None else float("inf"))
    entrants = {label: found[label] for label in order}
    walked = {label: paths(study, entrant, comparison.equal) for label, entrant in entrants.items()}
    asked = {str(level): level for level in levels} or final_scores(walked)
    scores = {
        label: {
            replicate: value.value
            for replicate in entrant.showings
            if (value := Entrant(label, None, {replicate: entrant.showings[replicate]}).overall(study)) is not None
        }
        for label, entrant in entrants.items()
    }
    budgets = [member.study.budget for member in played] or [comparison.base.budget]
    members = [Standing(p.study.name, p.label, p.replicate, p.state, p.reason, p.study.seed) for p in played]
    silent = [(p.label, p.replicate) for p in played if p.state is StudyState.COMPLETE and p.recipe is None]
    return Compared(
        comparison=comparison,
        study=study,
        members=tuple(members),
        entrants=entrants,
        duels=tuple(duels(study, [each for each in entrants.values() if each.showings])),
        ranking=ranking({label: each for label, each in scores.items() if each}),
        curves={label: curve(each) for label, each in walked.items()},
        reaches=tuple(reach(name, level, walked) for name, level in asked.items()),
        notes=(*notes, *evenness_notes(comparison.equal, budgets, list(entrants.values()), silent)),
        given=given(comparison.equal, budgets),
        versions=played[0].versions if played else {},
    )


def _entrants(comparison: Comparison, played: Sequence[Played]) -> list[Entrant]:
    """Baselines, which every member has run, then contenders."""
    baselines: dict[str, dict[int, Showing]] = {}
    for member in played:
        for label, showing in _anchors(member).items():
            baselines.setdefault(label, {}).setdefault(member.replicate, showing)
    contenders = {
        label: {p.replicate: shown for p in played if p.label == label and (shown := _shown(p)) is not None}
        for label in comparison.contenders
    }
    over = [member for member in played if member.state is StudyState.COMPLETE]
    vain = {
        label: {p.replicate: _whole(p) for p in over if p.label == label and p.replicate not in shown}
        for label, shown in contenders.items()
    }
    searches = comparison.contenders.items()
    return [
        *(Entrant(label, None, showings) for label, showings in baselines.items()),
        *(Entrant(label, search, contenders[label], vain[label]) for label, search in searches),
    ]


def _anchors(member: Played) -> dict[str, Showing]:
    recipes = {t.proposal.label: t.proposal.recipe for t in member.trials if t.role is Role.ANCHOR}
    found: dict[str, Showing] = {}
    for label, recipe in recipes.items():
        judged = _judged(member, recipe, Role.ANCHOR)
        if judged is not None:
            found[label] = Showing(recipe, judged)
    return found


def _shown(member: Played) -> Showing | None:
    """None before the recommendation has run on every judging seed."""
    judged = None if member.recipe is None else _judged(member, member.recipe, Role.RERUN)
    if judged is None or member.recipe is None:
        return None
    path, spent = [], Spent()
    for trial in member.trials:
        if trial.role in CHARGED and trial.measurement is not None:
            spent = _plus(member.study, spent, trial)
            score = trial.measurement.score
            if trial.role is Role.SEARCH and trial.state is TrialState.COMPLETE and score is not None:
                path.append((spent, score))
    return Showing(member.recipe, judged, _whole(member), tuple(path))


def _judged(member: Played, recipe: Recipe, role: Role) -> Judged | None:
    """The runs of a recipe in a role, None unless there is a complete one with scores for each judging seed."""
    runs = {
        trial.proposal.replicate: trial
        for trial in member.trials
        if trial.role is role and trial.state is TrialState.COMPLETE and trial.proposal.recipe == recipe
    }
    scores = {seed: member.scores_of(trial.number) for seed, trial in sorted(runs.items())}
    wanted = range(member.study.final.seeds)
    return Judged(recipe, runs, scores) if wanted and all(scores.get(seed) for seed in wanted) else None


def _whole(member: Played) -> Spent:
    """What the search of a member used, and how many of all its trials took another run over."""
    spent = Spent(reused=sum(bool(trial.reused) for trial in member.trials))
    for trial in member.trials:
        if trial.role in CHARGED and trial.measurement is not None:
            spent = _plus(member.study, spent, trial)
    return spent


def _plus(study: Study, spent: Spent, trial: Trial) -> Spent:
    cost = trial.measurement.cost if trial.measurement is not None else None
    flops = spent.flops + (cost.flops if cost else 0.0)
    seconds = spent.seconds + (cost.seconds if cost else 0.0)
    unit = study.prepared.run_flops
    return Spent(flops, flops / unit if unit > 0 else 0.0, seconds, spent.trials + 1, spent.reused)
