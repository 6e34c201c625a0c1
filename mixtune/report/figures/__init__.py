"""The figures of a report by name, in the order in which a report shows them."""

from collections.abc import Sequence
from typing import Any

from mixtune.report.figures.answer import ANSWER
from mixtune.report.figures.anytime import ANYTIME
from mixtune.report.figures.audit import AUDIT
from mixtune.report.figures.base import Figure, Shown
from mixtune.report.figures.contamination import CONTAMINATION
from mixtune.report.figures.cost import COST
from mixtune.report.figures.fidelity import FIDELITY
from mixtune.report.figures.finalists import FINALISTS
from mixtune.report.figures.headroom import HEADROOM
from mixtune.report.figures.influence import INFLUENCE
from mixtune.report.figures.matched import MATCHED
from mixtune.report.figures.matrix import MATRIX
from mixtune.report.figures.noise import NOISE
from mixtune.report.figures.parallel import PARALLEL
from mixtune.report.figures.receipts import RECEIPTS
from mixtune.report.figures.rounds import ROUNDS
from mixtune.report.figures.scores import SCORES
from mixtune.report.figures.ternary import TERNARY
from mixtune.report.figures.thresholds import THRESHOLDS
from mixtune.report.figures.weights import WEIGHTS
from mixtune.report.summary import Summary
from mixtune.trial import Trial

__all__ = ["FIGURES", "Figure", "Shown", "figures_of"]

FIGURES: dict[str, Figure[Any]] = {
    each.name: each
    for each in (
        ANSWER,
        WEIGHTS,
        SCORES,
        ANYTIME,
        FINALISTS,
        NOISE,
        ROUNDS,
        INFLUENCE,
        HEADROOM,
        MATRIX,
        AUDIT,
        MATCHED,
        PARALLEL,
        TERNARY,
        THRESHOLDS,
        FIDELITY,
        RECEIPTS,
        CONTAMINATION,
        COST,
    )
}


def figures_of(summary: Summary, trials: Sequence[Trial]) -> list[Shown]:
    """The figures that a study has."""
    return [found for figure in FIGURES.values() if (found := figure.of(summary, trials)) is not None]
