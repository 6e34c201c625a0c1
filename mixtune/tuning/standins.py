"""Real searches that stand in for replays of searchers that read what no surrogate knows: losses or gradients."""

from collections.abc import Sequence

from mixtune.errors import SearchExhausted
from mixtune.proposal import VISIBLE
from mixtune.recipe import Recipe
from mixtune.searchers import make
from mixtune.store.recording import Recorded
from mixtune.study import Study
from mixtune.trial import Trial
from mixtune.tuning.inprocess import TOLERANCE, costs, within_budget

SLACK = 0.1
"""Share by which the compute of a real search may differ from that of the replays that it is put beside."""


def comparable(each: Recorded, runs: float) -> bool:
    """Whether a search had the compute of replays of so many fresh runs; one that names a single recipe always has."""
    spent = sum(cost.flops for cost in costs(each.trials)) / each.study.prepared.run_flops
    return abs(spent - runs) <= SLACK * runs or make(each.study.search).most(each.study) == 1


def searched(studies: Sequence[Recorded], runs: float) -> dict[str, list[Recorded]]:
    """Studies by algorithm whose searches had that compute and recommended a recipe in the end."""
    found: dict[str, list[Recorded]] = {}
    for each in studies:
        if comparable(each, runs) and recommended(each.study, each.trials) is not None:
            found.setdefault(each.study.search.algorithm, []).append(each)
    return found


def stood_in(each: Recorded, points: Sequence[float]) -> list[Recipe | None]:
    """What a real search recommended within each amount of compute, in fresh runs ascending; None for nothing yet.

    At the last one all of it counts, though its cost may differ a little from that.
    """
    unit = each.study.prepared.run_flops * TOLERANCE
    before = [recommended(each.study, within_budget(each.trials, point * unit)) for point in points[:-1]]
    return [*before, recommended(each.study, each.trials)]


def recommended(study: Study, trials: Sequence[Trial]) -> Recipe | None:
    """What the study's searcher recommends after those trials, None where they are too few to say."""
    try:
        return make(study.search).recommend(study, [trial for trial in trials if trial.role in VISIBLE])
    except SearchExhausted:
        return None
