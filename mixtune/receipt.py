"""What a run was asked to draw, what it drew, and whether chance alone can explain the difference."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mixtune.recipe import FloatArray, Mixture
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

CONFIDENCE = 0.999
"""Probability that a run which draws as asked has all of its sources inside the bound, at least (ours)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One source of a run.

    requested is its share of the unit of the receipt, expected how many that makes, and low and high bound what chance
    makes of it; drawn is what it was. The other numbers are those of measurement.Drawn.
    """

    requested: float
    expected: float
    low: int
    high: int
    drawn: int
    batches: int
    rows: int
    unique_rows: int
    epochs: float
    pruned: int

    @property
    def outside(self) -> bool:
        """Whether more or less was drawn than chance explains."""
        return not self.low <= self.drawn <= self.high


@dataclass(frozen=True, slots=True)
class Receipt:
    """Requested against realised, per usable source and every other that was drawn from.

    The unit is `batches` where each batch comes from one source: batches are drawn independently by weight, so their
    counts are multinomial, whatever a source does with its rows (a small one starts again, a schedule leaves some out).
    It is `rows` where a run mixes sources in every batch: each row then chooses among all sources with weight, all
    alike likely, whatever weights their losses have and whatever a rule makes of these; so the request is uniform.
    steps are the optimiser steps that drew.

    The bound holds for all M sources at once: exact binomial quantiles with (1 - CONFIDENCE) / (2 M) beyond each end
    (Bonferroni). A run that draws with less variance than that is inside all the more.
    """

    unit: str
    steps: int
    lines: Mapping[str, Line]

    @property
    def outside(self) -> tuple[str, ...]:
        """Sources beyond the bound."""
        return tuple(name for name, line in self.lines.items() if line.outside)

    @property
    def total(self) -> int:
        """Everything drawn, in the receipt's unit."""
        return sum(line.drawn for line in self.lines.values())


def receipt_of(study: Study, trial: Trial) -> Receipt | None:
    """The receipt of a run that ended; None where it drew nothing, or whoever trained it kept no receipt.

    Steps of probes are no draws by weight, and not in it. Where batches are mixed, a source with fewer rows than a
    batch, or under a schedule, may have nothing more to give to a batch: then only the upper end counts.
    """
    from scipy.stats import binom  # takes its time: only where it is used

    found = trial.measurement
    if trial.state not in (TrialState.COMPLETE, TrialState.PRUNED) or found is None or not found.receipt:
        return None
    recipe, batch = trial.proposal.recipe, study.proxy.batch_size
    steps = trial.proposal.steps if trial.state is TrialState.COMPLETE else found.step
    names = [*study.names, *sorted(found.receipt.keys() - set(study.names))]
    mixed = recipe.batching.mixed
    weights = recipe.mixture.array(names)
    shares = (weights > 0) / np.count_nonzero(weights) if mixed else weights
    size = steps * batch if mixed else steps
    tail = (1 - CONFIDENCE) / (2 * len(names))
    low, high = binom.ppf(tail, size, shares), binom.isf(tail, size, shares)
    if mixed:
        kept = [recipe.pruning.rows(name, study.rows.get(name, 0)) for name in names]
        low[(np.array(kept) < batch) | (recipe.pruning.schedule is not None)] = 0
    lines = {}
    for name, share, least, most in zip(names, shares.tolist(), low.tolist(), high.tolist(), strict=True):
        drawn = found.receipt.get(name)
        lines[name] = Line(
            requested=share,
            expected=share * size,
            low=int(least),
            high=int(most),
            drawn=0 if drawn is None else drawn.rows if mixed else drawn.batches,
            batches=0 if drawn is None else drawn.batches,
            rows=0 if drawn is None else drawn.rows,
            unique_rows=0 if drawn is None else drawn.unique_rows,
            epochs=0.0 if drawn is None else drawn.epochs,
            pruned=0 if drawn is None else drawn.pruned,
        )
    return Receipt("rows" if mixed else "batches", steps, lines)


def ratios(study: Study, trial: Trial) -> FloatArray:
    """How much of each usable source a run trained on for what it was asked, shape (M,); 1 where nothing is known.

    Shares of batches are pulled towards the request as by one more batch per source in its proportions (ours): a
    source that few batches were due to, and that gave none by chance, counts as little used and not as left out.
    """
    asked, size = trial.proposal.recipe.mixture.array(study.names), len(study.names)
    found = None if trial.measurement is None else trial.measurement.receipt
    if not found or trial.proposal.recipe.batching.mixed:
        return np.ones(size)
    batches = np.array([found[name].batches if name in found else 0 for name in study.names], dtype=np.float64)
    shares = (batches + size * asked) / (batches.sum() + size)
    return np.asarray(np.divide(shares, asked, out=np.ones(size), where=asked > 0))


def realised(study: Study, trial: Trial) -> Mixture:
    """The mixture that a run really trained on: its shares of batches.

    That is the requested one where a run kept no receipt, and where it mixes sources in every batch: there weights
    multiply losses, and nothing of them is left to chance.
    """
    mixture, found = trial.proposal.recipe.mixture, trial.measurement
    drawn = {} if found is None else {name: each.batches for name, each in found.receipt.items() if each.batches}
    if not drawn or trial.proposal.recipe.batching.mixed:
        return mixture
    return Mixture.normalised({**dict.fromkeys(study.names, 0.0), **drawn})
