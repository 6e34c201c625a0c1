"""Members of a comparison written by hand: what each search recommends, and how it and the baselines tested."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from ledger import PROPORTIONAL, STUDY, TUNED, UNIFORM, Ledger

from mixtune.comparison import Comparison, Equal
from mixtune.measurement import Cost, Measurement, Scores
from mixtune.proposal import Proposal, Role
from mixtune.report.comparing.compared import Played
from mixtune.report.comparing.entrant import Entrant, Showing, Spent
from mixtune.report.judged import Judged
from mixtune.search import Search
from mixtune.study import Study, StudyState
from mixtune.trial import Trial, TrialState

COMPARISON = Comparison(
    replace(STUDY, preparation=None), {"a": Search("random"), "b": Search("tpe")}, replicates=3, equal=Equal.FLOPS
)


def entrant(label: str, values: np.ndarray, *, study: Study = STUDY) -> Entrant:
    """An entrant whose test values have shape (replicates, judging seeds, targets, queries)."""
    showings = {}
    for replicate, seeds in enumerate(values):
        scores: dict[int, Scores] = {
            seed: {
                target.name: {"ndcg@10": tuple(column.tolist())}
                for target, column in zip(study.targets, each, strict=True)
            }
            for seed, each in enumerate(seeds)
        }
        showings[replicate] = Showing(TUNED, Judged(TUNED, {}, scores))
    return Entrant(label, Search(label), showings)


def walker(label: str, *paths: Sequence[tuple[float, float]]) -> Entrant:
    """An entrant that had these dev scores after so many fresh runs, one path a replicate."""
    showings = {}
    for replicate, path in enumerate(paths):
        spent = [(Spent(runs=runs, trials=number + 1), score) for number, (runs, score) in enumerate(path)]
        showings[replicate] = Showing(TUNED, Judged(TUNED, {}, {}), spent[-1][0], tuple(spent))
    return Entrant(label, Search(label), showings)


def member(
    label: str,
    replicate: int,
    level: float,
    *,
    state: StudyState = StudyState.COMPLETE,
    searched: Sequence[float] = (0.3, 0.2),
    reused: Mapping[int, str] | None = None,
) -> Played:
    """A member that searched with these dev scores and whose recommendation tested at a level; baselines at .2, .3."""
    ledger = Ledger()
    ledger.add(Role.SURVEY, PROPORTIONAL, 0.1, flops=1.0)
    for seed in (0, 1):
        ledger.add(Role.ANCHOR, UNIFORM, 0.30 + 0.01 * seed, label="uniform", replicate=seed)
        ledger.add(Role.ANCHOR, PROPORTIONAL, 0.20 + 0.01 * seed, label="proportional", replicate=seed)
    for score in searched:
        ledger.add(Role.SEARCH, TUNED, score, flops=150.0)
    for seed in (0, 1) if state is StudyState.COMPLETE else ():
        ledger.add(Role.RERUN, TUNED, level + 0.01 * seed, label="best", replicate=seed)
    study = replace(STUDY, name=f"duo.{label}.{replicate}", seed=replicate, of="duo")
    trials = [replace(t, reused=(reused or {}).get(t.number, "")) for t in ledger.trials]
    return Played(label, replicate, study, state, "", trials, TUNED, lambda number: ledger.scores.get(number, {}))


def chained(label: str, replicate: int, level: float) -> Played:
    """A member whose search is a chain of three rounds of 50 each."""
    found = member(label, replicate, level, searched=())
    rounds = [
        Trial(
            len(found.trials) + number,
            Proposal(TUNED, 10, Role.ROUND),
            seed=0,
            state=TrialState.COMPLETE,
            measurement=Measurement(score=0.9, cost=Cost(train=50.0, seconds=1.0)),
        )
        for number in range(3)
    ]
    return replace(found, trials=[*found.trials, *rounds])
