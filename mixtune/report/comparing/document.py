"""A comparison as plain JSON: the contract of `mixtune compare --json` and of `mixtune show --json` on one."""

from collections.abc import Mapping
from dataclasses import asdict

from pydantic import JsonValue as Json

from mixtune.measurement import Metrics, Scores
from mixtune.report.comparing.anytime import Curve, Reach
from mixtune.report.comparing.compared import Compared
from mixtune.report.comparing.duels import Duel
from mixtune.report.comparing.entrant import Entrant
from mixtune.report.comparing.ranking import Ranking
from mixtune.report.contrast import Contrast
from mixtune.report.intervals import Interval
from mixtune.study import Study


def compared_document(found: Compared) -> dict[str, Json]:
    """Everything of a comparison. Intervals are 95 %, over test queries and replicates."""
    comparison, study = found.comparison, found.study
    alike = found.given is not None
    budget = {"runs": study.budget.runs, "trials": study.budget.trials, "seconds": study.budget.seconds}
    return {
        "name": comparison.name,
        "complete": found.complete,
        "answer": found.answer,
        "metric": study.objective.metric,
        "aggregate": study.objective.aggregate,
        "equal": comparison.equal.value if alike else None,
        "budget": {name: limit for name, limit in budget.items() if limit is not None and alike},
        "replicates": comparison.replicates,
        "seeds": list(found.seeds),
        "members": [{**asdict(member), "state": member.state.value} for member in found.members],
        "entrants": {label: _entrant(study, entrant) for label, entrant in found.entrants.items()},
        "pairs": [_duel(each) for each in found.duels],
        "ranking": None if found.ranking is None else _ranking(found.ranking),
        "anytime": {label: _curve(each) for label, each in found.curves.items()},
        "reach": [_reach(each) for each in found.reaches],
        "notes": list(found.notes),
        "versions": dict(found.versions),
    }


def _entrant(study: Study, entrant: Entrant) -> Json:
    search = entrant.search
    metrics = sorted({metric for shown in entrant.showings.values() for metric in _metrics(shown.judged.scores)})
    return {
        "search": None if search is None else {"algorithm": search.algorithm, **search.settings},
        "test": {
            target.name: {metric: _interval(entrant.on(target.name, metric)) for metric in metrics}
            for target in study.targets
        },
        "overall": _interval(entrant.overall(study)),
        "replicates": {
            str(replicate): {
                "weights": dict(shown.recipe.mixture),
                "pruning": dict(shown.recipe.pruning.kept),
                "dev": shown.dev(study),
                "test": _plain(shown.judged.test),
                "used": asdict(shown.spent),
                "path": [{"used": asdict(spent), "dev": score} for spent, score in shown.path],
            }
            for replicate, shown in sorted(entrant.showings.items())
        },
        "in_vain": {str(replicate): asdict(spent) for replicate, spent in sorted(entrant.vain.items())},
    }


def _metrics(scores: Mapping[int, Scores]) -> set[str]:
    return {metric for each in scores.values() for values in each.values() for metric in values}


def _plain(metrics: Metrics | None) -> Json:
    return None if metrics is None else {target: dict(values) for target, values in metrics.items()}


def _duel(duel: Duel) -> Json:
    return {
        "first": duel.first,
        "second": duel.second,
        "winner": duel.winner,
        "overall": _contrast(duel.overall),
        "targets": {name: _contrast(each) for name, each in duel.targets.items()},
        "replicates": {str(replicate): _contrast(each) for replicate, each in duel.replicates.items()},
        "win_tie_loss": [duel.wins, duel.ties, duel.losses],
    }


def _contrast(told: Contrast | None) -> Json:
    if told is None:
        return None
    return {"difference": told.value, "ci": [told.low, told.high], "probability": told.probability}


def _ranking(found: Ranking) -> Json:
    return {
        "replicates": list(found.replicates),
        "mean": dict(found.means),
        "ranks": {label: list(each) for label, each in found.ranks.items()},
        "friedman_p": found.p,
        "critical_difference": found.critical,
    }


def _curve(found: Curve) -> Json:
    return {
        "compute": list(found.compute),
        "dev": list(found.mean),
        "low": None if found.half is None else list(found.low),
        "high": None if found.half is None else list(found.high),
        "replicates": found.replicates,
    }


def _reach(found: Reach) -> Json:
    return {
        "level": found.name,
        "score": found.score,
        "compute": {label: list(each) for label, each in found.compute.items()},
        "median": {label: found.median(label) for label in found.compute},
    }


def _interval(found: Interval | None) -> Json:
    return None if found is None else {"value": found.value, "ci": [found.low, found.high]}
