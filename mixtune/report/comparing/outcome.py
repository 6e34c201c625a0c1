"""Who wins a comparison, in one sentence."""

from collections.abc import Sequence

from mixtune.report.comparing.duels import Duel
from mixtune.report.comparing.entrant import Entrant
from mixtune.study import Study


def outcome(entrants: Sequence[Entrant], duels: Sequence[Duel], study: Study) -> str:
    """Whoever has won every duel wins, else nobody.

    Duels decide, never means: where replicates are missing, the means of two entrants are over different ones, and only
    the duel is over those that both have. Without a winner the highest mean is told with what its duels say of it. The
    nearest rival's difference is told with its interval.

    Args:
        entrants: those with a result, the highest mean on test first.
        duels: every pair of them.
        study: says what was measured.
    """
    metric, known = f"test {study.objective.metric}", [each.label for each in entrants]
    if len(known) < 2:
        return "Nothing to compare yet."
    won = {frozenset((duel.first, duel.second)): duel.winner for duel in duels}
    uneven = len({frozenset(each.showings) for each in entrants}) > 1
    for label in known:
        rivals = [each for each in known if each != label]
        if all(won.get(frozenset((label, each))) == label for each in rivals):
            where = ", each on the replicates that both have" if uneven else ""
            return f"{label} wins: it beats {_listed(rivals)} on {metric}{where}{_nearest(label, rivals, duels)}."
    first, rivals = known[0], known[1:]
    better = [each for each in rivals if won.get(frozenset((first, each))) == each]
    beaten = [each for each in rivals if won.get(frozenset((first, each))) == first]
    level = [each for each in rivals if each not in better and each not in beaten]
    but = [f"beaten by {_listed(better)} on the replicates that both have"] if better else []
    but += [f"not told apart from {_listed(level)}{_nearest(first, level, duels)}"] if level else []
    also = f"; it beats {_listed(beaten)}" if beaten else ""
    own = " over its own replicates" if uneven else ""
    return f"No winner: {first} is highest on {metric}{own}, but {' and '.join(but)}{also}."


def _nearest(label: str, rivals: Sequence[str], duels: Sequence[Duel]) -> str:
    """The least difference that a label has over rivals, with its interval."""
    over = {}
    for duel in duels:
        if duel.overall is not None and label in (duel.first, duel.second):
            found, mine = duel.overall, duel.first == label
            ends = (found.value, found.low, found.high) if mine else (-found.value, -found.high, -found.low)
            over[duel.second if mine else duel.first] = ends
    known = [each for each in rivals if each in over]
    if not known:
        return ""
    nearest = min(known, key=lambda each: over[each])
    value, low, high = over[nearest]
    named = f"{nearest}, the nearest, by " if len(rivals) > 1 else ""
    return f" ({named}{value:+.4f}, 95 % interval [{low:+.4f}, {high:+.4f}])"


def _listed(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
