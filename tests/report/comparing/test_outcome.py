from dataclasses import replace

import numpy as np
from arena import COMPARISON, member

from mixtune.report.comparing.compared import Compared, compared


def told(levels: dict[tuple[str, int], float]) -> Compared:
    """Two contenders that showed so much in these replicates; baselines lie at .46 and .36 each time."""
    comparison = replace(COMPARISON, replicates=1 + max(replicate for _, replicate in levels))
    return compared(comparison, [member(label, replicate, level) for (label, replicate), level in levels.items()])


LUCKY = {("a", 0): 0.5, ("a", 1): 0.5, ("b", 0): 0.6, ("b", 1): 0.6, ("b", 2): 0.2, ("b", 3): 0.2}
"""b is better wherever both have run, and lower on average: a has not run where b was poor."""


def test_whoever_wins_all_duels_wins_also_without_the_highest_mean() -> None:
    found = told({**LUCKY, ("a", 0): 0.58, ("a", 1): 0.58, ("b", 2): 0.5, ("b", 3): 0.5})
    assert next(iter(found.entrants)) == "a"
    assert found.answer == (
        "b wins: it beats a, uniform and proportional on test ndcg@10, each on the replicates that both have (a, the "
        "nearest, by +0.0200, 95 % interval [+0.0200, +0.0200])."
    )


def test_the_highest_mean_does_not_win_where_its_duel_is_lost() -> None:
    found = told(LUCKY)
    values = [entrant.overall(found.study) for entrant in found.entrants.values()]
    assert np.all(np.diff([each.value for each in values if each is not None]) < 0)
    assert found.answer == (
        "No winner: a is highest on test ndcg@10 over its own replicates, but beaten by b on the replicates that both "
        "have; it beats uniform and proportional."
    )
