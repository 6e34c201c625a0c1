"""Which trial comes next: a pure function of the study, its searcher and the trials so far."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from mixtune.errors import NotReady, SearchExhausted
from mixtune.measurement import Cost
from mixtune.proposal import ASKED, CHARGED, VISIBLE, Proposal, Role
from mixtune.recipe import Recipe
from mixtune.searchers.base import Searcher
from mixtune.searchers.baselines import baseline_recipes
from mixtune.searchers.finalists import choosing_runs, chosen, finalists
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


def opening(study: Study) -> list[Trial]:
    """The trials that every study starts with: the base model as it is, then each baseline on each judging seed."""
    recipes = baseline_recipes(study)
    proposals = [Proposal(recipe=recipes["proportional"], steps=0, role=Role.SURVEY)]
    for replicate in range(study.final.seeds):
        for label, recipe in recipes.items():
            proposals.append(_fresh(study, recipe, role=Role.ANCHOR, label=label, replicate=replicate))
    return [_numbered(study, number, proposal) for number, proposal in enumerate(proposals)]


def next_trial(study: Study, searcher: Searcher, trials: Sequence[Trial]) -> Trial:
    """The trial to start now: one that waits in `trials`, or a new one with the next number.

    Order: attempts that were cut off, the survey, anchors (how far runs of one recipe differ is known before the
    search is), what the searcher proposes, and when the search is over its finalists on new seeds, then the recipe
    crowned among them on the judging seeds. Where a chain leaves workers idle the anchors fill those instead: it would
    only wait for them.

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
        proposed = propose(study, searcher, trials)
        alone = study.budget.workers > 1 and proposed.role in (Role.ROUND, Role.REFERENCE)
        return queued[0] if queued and not alone else proposed
    except SearchExhausted:
        searching = False
    except NotReady:
        pass
    if queued:
        return queued[0]
    if not searching and all(trial.state.finished for trial in trials if trial.role in VISIBLE):
        for proposal in _closing(study, searcher, trials):
            return _numbered(study, len(trials), proposal)
    if any(trial.state is TrialState.RUNNING for trial in trials):
        raise NotReady("trials are running")
    raise SearchExhausted("every trial of the study has finished")


def planned(study: Study, searcher: Searcher, trials: Sequence[Trial]) -> int | None:
    """Trials expected in all, None while that cannot be told.

    Finalists and runs of a recommendation from before the search was extended do not count as those of the next one.
    Where the search ends by itself (see Searcher.most), each trial that failed is followed by another.
    """
    begun = sum(trial.role in ASKED for trial in trials)
    failed = sum(trial.role in ASKED and trial.state is TrialState.FAILED for trial in trials)
    limits = [] if study.budget.trials is None else [study.budget.trials]
    spent = [trial.measurement.cost for trial in trials if trial.role in CHARGED and trial.measurement]
    if study.budget.runs is not None and spent:
        each = sum(cost.flops for cost in spent) / len(spent)
        limits.append(round(study.budget.runs * study.prepared.run_flops / each))
    if study.budget.seconds is not None and sum(cost.seconds for cost in spent) > 0:
        limits.append(round(study.budget.seconds * len(spent) / sum(cost.seconds for cost in spent)))
    wanted = [limit for limit in (study.budget.trials, study.budget.runs, study.budget.seconds) if limit is not None]
    if not wanted or len(limits) < len(wanted):
        return None
    asked = min(limits)
    most = searcher.most(study)
    asked = max(begun, asked if most is None else min(asked, most + failed))
    newest = max((trial.number for trial in trials if trial.role in ASKED), default=-1)
    choosing = sum(trial.role is Role.FINALIST and trial.number > newest for trial in trials)
    reruns = sum(trial.role is Role.RERUN and trial.number > newest for trial in trials)
    others = sum(trial.role not in ASKED for trial in trials) - choosing - reruns
    if not reruns:
        choosing = max(choosing, choosing_runs(study, searcher, asked))
    return asked + others + choosing + max(reruns, study.final.seeds)


def propose(study: Study, searcher: Searcher, trials: Sequence[Trial]) -> Trial:
    """Ask the searcher for proposal n, showing the finished trials numbered n - workers and below.

    A searcher that needs a later answer (a chain needs its last round) says NotReady and is shown one more, so what
    a proposal saw depends on numbers alone, never on which worker was quick.
    """
    number = len(trials)
    if study.budget.trials is not None and sum(t.role in ASKED for t in trials) >= study.budget.trials:
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
    """Refuse a proposal that would go over the budget of compute or time by more than half of its own cost."""
    budget = study.budget
    if budget.runs is not None:
        unit = study.prepared.run_flops
        spent, half = _spent(shown, proposal, lambda cost: cost.flops, fresh=unit)
        if spent + half > budget.runs * unit:
            raise SearchExhausted(f"the budget of {budget.runs:g} fresh runs is used up")
    if budget.seconds is not None:
        spent, half = _spent(shown, proposal, lambda cost: cost.seconds, fresh=0.0)
        if spent + half > budget.seconds:
            raise SearchExhausted(f"the budget of {budget.seconds:g} seconds is used up")


def _spent(
    shown: Sequence[Trial], proposal: Proposal, counted: Callable[[Cost], float], *, fresh: float
) -> tuple[float, float]:
    """What the search has spent, and half of what the proposal may cost.

    A trial without a cost (failed, or not shown yet) counts as much as the mean of its role so far, under a rule, where
    the cost lies in the steps, as much as that many steps. Before there is one a fresh run counts as much as `fresh`
    and a round its share of a reference: what as many steps of that took, without a reference nothing.
    """

    def costs(role: Role) -> list[tuple[float, int]]:
        return [(counted(t.measurement.cost), t.proposal.steps) for t in shown if t.role is role and t.measurement]

    def expected(asked: Proposal) -> float:
        known = costs(asked.role)
        if known and asked.rule is None:
            return sum(cost for cost, _ in known) / len(known)
        if asked.role is not Role.ROUND:
            return fresh
        known = known or costs(Role.REFERENCE)
        return asked.steps * sum(cost for cost, _ in known) / max(1, sum(steps for _, steps in known))

    spent = sum(
        counted(trial.measurement.cost) if trial.measurement is not None else expected(trial.proposal)
        for trial in shown
        if trial.role in CHARGED
    )
    return spent, expected(proposal) / 2


def _closing(study: Study, searcher: Searcher, trials: Sequence[Trial]) -> Iterator[Proposal]:
    """What is left after a search: finalists on seeds that they have not had, then the crowned recipe on its own."""
    if study.final.seeds == 0 and study.final.finalists < 2:
        return  # nothing runs, and a recommendation may take a fit
    try:
        candidates = finalists(study, searcher, trials)
    except SearchExhausted:
        return
    had = {(t.role, t.proposal.recipe, t.proposal.replicate) for t in trials if t.role in (Role.FINALIST, Role.RERUN)}
    for replicate in range(study.final.finalist_seeds if len(candidates) > 1 else 0):
        for recipe in candidates:
            if (Role.FINALIST, recipe, replicate) not in had:
                yield _fresh(study, recipe, role=Role.FINALIST, replicate=replicate)
    if any(trial.role is Role.FINALIST and not trial.state.finished for trial in trials):
        return
    recipe = chosen(study, candidates, trials)
    for replicate in range(study.final.seeds):
        if (Role.RERUN, recipe, replicate) not in had:
            yield _fresh(study, recipe, role=Role.RERUN, label="best", replicate=replicate)


def _fresh(study: Study, recipe: Recipe, *, role: Role, label: str = "", replicate: int) -> Proposal:
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
