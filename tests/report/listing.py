"""Runs of a list, written by hand: label -> one score per seed, the same on both targets but for a shift."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ledger import STUDY
from pydantic import JsonValue as Json

from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role
from mixtune.proxy import Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Search
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

EVEN = Recipe(Mixture({"big": 0.5, "small": 0.5}))


def look(kind: str, proxy: Proxy | None = None) -> Study:
    return replace(STUDY, name=f"duo.{kind}", of="duo", search=Search("listed"), proxy=proxy or STUDY.proxy)


def runs(
    scores: Mapping[str, Sequence[float | None]],
    notes: Mapping[str, Mapping[str, Json]] | None = None,
    base: float | None = None,
) -> list[Trial]:
    """Trials of a list; None is a run that failed. The target `hard` lies 0.1 below `easy`, their mean is the score."""
    trials = []
    if base is not None:
        found = Measurement(score=base, dev=_dev(base))
        trials.append(Trial(0, Proposal(EVEN, 0, Role.SURVEY), 0, state=TrialState.COMPLETE, measurement=found))
    for replicate in range(max(len(row) for row in scores.values())):
        for label, row in scores.items():
            if replicate < len(row):
                score, own = row[replicate], (notes or {}).get(label, {})
                proposal = Proposal(EVEN, 10, Role.AUDIT, label=label, replicate=replicate, notes=own)
                trial = Trial(len(trials), proposal, replicate, state=TrialState.FAILED)
                if score is not None:
                    measurement = Measurement(score=score, dev=_dev(score))
                    trial = replace(trial, state=TrialState.COMPLETE, measurement=measurement)
                trials.append(trial)
    return trials


def _dev(score: float) -> dict[str, dict[str, float]]:
    return {"easy": {"ndcg@10": score + 0.05}, "hard": {"ndcg@10": score - 0.05}}
