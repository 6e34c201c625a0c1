"""Which trial comes next: a pure function of the study, its searcher and the trials so far."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mixtune.errors import NotReady, SearchExhausted
from mixtune.proposal import CHARGED, VISIBLE, Proposal, Role
from mixtune.recipe import Recipe
from mixtune.searchers.base import Searcher
from mixtune.searchers.baselines import baseline_recipes
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


def opening(study: Study) -> list[Trial]:
    """The trials that every study starts with: the base model as it is, then each baseline on each judging seed."""
    recipes = baseline_recipes(study)
    proposals = [Proposal(recipe=recipes["proportional"], steps=0, role=Role.SURVEY)]
    for replicate in range(study.final.seeds):
        for label, recipe in recipes.items():
            proposals.append(_judged(study, recipe, role=Role.ANCHOR, label=label, replicate=replicate))
    return [_numbered(study, number, proposal) for number, proposal in enumerate(proposals)]


def next_trial(study: Study, searcher: Searcher, trials: Sequence[Trial]) -> Trial:
    """The trial to start now: one that waits in `trials`, or a new one with the next number.

    Order: attempts that were cut off, the survey, what the searcher proposes, anchors (they fill the worker that a
    chain leaves idle), and when the search is over the recommendation on the judging seeds.

    Raises:
        NotReady: nothing can start before a running trial has finished.
        SearchExhausted: everything has been done.
    """
    queued = [trial for trial in trials if trial.state is TrialState.QUEUED]
    for trial in queued:
        if trial.attempt > 0 or trial.role is Role.SURVEY:
            return trial
    searching = True
    try:
        return propose(study, searcher, trials)
    except SearchExhausted:
        searching = False
    except NotReady:
        pass
    if queued:
        return queued[0]
    if not searching and all(trial.state.finished for trial in trials if trial.role in VISIBLE):
        for proposal in _reruns(study, searcher, trials):
            return _numbered(study, len(trials), proposal)
    if any(trial.state is TrialState.RUNNING for trial in trials):
        raise NotReady("trials are running")
    raise SearchExhausted("every trial of the study has finished")


def planned(study: Study, trials: Sequence[Trial], most: int | None = None) -> int | None:
    """Trials expected in all, None while that cannot be told.

    Runs of a recommendation from before the search was extended do not count as those of the next one. most is the
    number of trials after which the search ends by itself (see Searcher.most); each that failed is followed by another.
    """
    begun = sum(trial.role in CHARGED for trial in trials)
    failed = sum(trial.role in CHARGED and trial.state is TrialState.FAILED for trial in trials)
    if study.budget.trials is not None and study.budget.runs is None:
        asked = study.budget.trials
    else:
        spent = [trial.measurement.cost.flops for trial in trials if trial.role in CHARGED and trial.measurement]
        if not spent or study.budget.runs is None:
            return None
        each = sum(spent) / len(spent)
        asked = round(study.budget.runs * study.prepared.run_flops / each)
        asked = asked if study.budget.trials is None else min(asked, study.budget.trials)
    asked = max(begun, asked if most is None else min(asked, most + failed))
    newest = max((trial.number for trial in trials if trial.role in CHARGED), default=-1)
    reruns = sum(trial.role is Role.RERUN and trial.number > newest for trial in trials)
    judged = sum(trial.role not in CHARGED for trial in trials) - reruns
    return asked + judged + max(reruns, study.final.seeds)


def propose(study: Study, searcher: Searcher, trials: Sequence[Trial]) -> Trial:
    """Ask the searcher for proposal n, showing the finished trials numbered n - workers and below.

    A searcher that needs a later answer (a chain needs its last round) says NotReady and is shown one more, so what
    a proposal saw depends on numbers alone, never on which worker was quick.
    """
    number = len(trials)
    if study.budget.trials is not None and sum(t.role in CHARGED for t in trials) >= study.budget.trials:
        raise SearchExhausted(f"the budget of {study.budget.trials} trials is used up")
    visible = [trial for trial in trials if trial.role in VISIBLE]
    first = number - study.budget.workers
    rungs = [first, *(trial.number for trial in visible if trial.number > first)]
    for seen in rungs:
        if any(not trial.state.finished for trial in visible if trial.number <= seen):
            raise NotReady(f"proposal {number} needs trials up to {seen} to finish")
        shown = [trial if trial.number <= seen else _hidden(trial) for trial in visible]
        try:
            proposal = searcher.suggest(study, shown, study.rng(number))
        except NotReady:
            continue
        _check_budget(study, shown, proposal)
        return replace(_numbered(study, number, proposal), seen=max(seen, -1))
    raise NotReady(f"proposal {number} needs a trial that has not finished")


def _hidden(trial: Trial) -> Trial:
    """The trial as a proposal sees it that may not know its answer, whether or not it has finished meanwhile."""
    return replace(trial, state=TrialState.RUNNING, measurement=None, error=None, finished=None)


def _check_budget(study: Study, shown: Sequence[Trial], proposal: Proposal) -> None:
    """Refuse a proposal that would go over the compute budget by more than half of its own cost.

    A trial without a cost (failed, or not shown yet) counts as much as the mean of its role so far.
    """
    if study.budget.runs is None:
        return
    unit = study.prepared.run_flops

    def expected(role: Role) -> float:
        costs = [t.measurement.cost.flops for t in shown if t.role is role and t.measurement is not None]
        return sum(costs) / len(costs) if costs else (0.0 if role is Role.ROUND else unit)

    spent = sum(
        trial.measurement.cost.flops if trial.measurement is not None else expected(trial.role)
        for trial in shown
        if trial.role in CHARGED
    )
    if spent + expected(proposal.role) / 2 > study.budget.runs * unit:
        raise SearchExhausted(f"the budget of {study.budget.runs:g} fresh runs is used up")


def _reruns(study: Study, searcher: Searcher, trials: Sequence[Trial]) -> Iterator[Proposal]:
    """The recommended recipe on each judging seed on which it has not been run."""
    try:
        recipe = searcher.recommend(study, [trial for trial in trials if trial.role in VISIBLE])
    except SearchExhausted:
        return
    done = {t.proposal.replicate for t in trials if t.role is Role.RERUN and t.proposal.recipe == recipe}
    for replicate in range(study.final.seeds):
        if replicate not in done:
            yield _judged(study, recipe, role=Role.RERUN, label="best", replicate=replicate)


def _judged(study: Study, recipe: Recipe, *, role: Role, label: str, replicate: int) -> Proposal:
    steps = study.proxy.steps
    return Proposal(recipe=recipe, steps=steps, role=role, horizon=steps, label=label, replicate=replicate)


def _numbered(study: Study, number: int, proposal: Proposal) -> Trial:
    return Trial(number=number, proposal=proposal, seed=_seed(study, number, proposal))


def _seed(study: Study, number: int, proposal: Proposal) -> int:
    if proposal.role in (Role.ANCHOR, Role.AUDIT, Role.RERUN):
        return study.judging_seed(proposal.replicate)
    if proposal.role is Role.FINALIST:
        return study.finalist_seed(proposal.replicate)
    return study.trial_seed(number)
