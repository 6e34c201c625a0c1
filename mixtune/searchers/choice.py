"""An open choice besides weights and keep levels, and what the probes of a chain have shown of its values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import JsonValue as Json

from mixtune.policies import softmax, standardise
from mixtune.recipe import FloatArray
from mixtune.space import OF_SCHEDULE
from mixtune.study import Study

SMALLEST_ERROR = 1e-9
"""No residual counts as surer than this."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One of Space.choices under guided search. Arrays are never written to.

    A probe runs under a value of each choice, whichever arm it is of; the values come in shuffled cycles, each choice's
    by itself, so that all come equally often and meet all arms alike. What a value is worth is a mean of residuals:
    influences less what the arm had shown before (see `residuals`), each counting by its precision 1 / error ** 2.
    Unlike an arm's own mean it forgets nothing: what a value does is small beside what sources do. (All ours.)

    values are the V values, the first of them what is held until another is better. drawn, shape (V,), counts the
    probes that were to run under each, visits those that were heard of. sums, shape (3, V, N), are over the residuals r
    of each per target, with p their precision: of p, p r and p r^2.
    """

    name: str
    values: tuple[float, ...]
    drawn: FloatArray
    visits: FloatArray
    sums: FloatArray

    @property
    def effect(self) -> FloatArray:
        """Mean residual of each value per target, shape (V, N), 0 where nothing was heard."""
        precision, total, _ = self.sums
        return np.asarray(total / np.maximum(precision, 1e-100))

    @property
    def error(self) -> FloatArray:
        """Standard errors of `effect`, shape (V, N).

        They follow from those of the residuals, and are as much larger as these lie further apart than their errors
        say: a probe's error knows of the dev queries drawn, not of its batches nor of what options do to one source.
        """
        precision, total, squares = self.sums
        apart = (squares - total**2 / np.maximum(precision, 1e-100)).sum(axis=0)
        spare = max(1.0, float(self.visits.sum() - (self.visits > 0).sum()))
        return np.asarray(np.sqrt(np.maximum(1.0, apart / spare) / np.maximum(precision, 1e-100)))

    def draw(self, wanted: int, rng: np.random.Generator) -> list[float]:
        """So many of the values, in the order of their cycles."""
        drawn, order = self.drawn.copy(), list[float]()
        for _ in range(wanted):
            least = np.flatnonzero(drawn == drawn.min())
            place = least[rng.integers(len(least))]
            drawn[place] += 1
            order.append(self.values[place])
        return order

    def passed(self, tried: Sequence[Mapping[str, float]]) -> "Choice":
        """After a round with probes under these options, whatever became of it."""
        drawn = self.drawn.copy()
        np.add.at(drawn, [self.values.index(options[self.name]) for options in tried if self.name in options], 1)
        return replace(self, drawn=drawn)

    def heard(self, tried: Sequence[Mapping[str, float]], residual: FloatArray, error: FloatArray) -> "Choice":
        """After a round's answers.

        An end of the pruning schedule is not told anything by a probe under which the schedule is off.

        Args:
            tried: options that each of P probes ran under.
            residual: shape (P, N), nan where there is none.
            error: their standard errors, shape (P, N).
        """
        at = np.array([options.get(self.name, np.nan) for options in tried], dtype=np.float64)
        if self.name in OF_SCHEDULE:
            at[[options.get("dynamic", 1.0) == 0 for options in tried]] = np.nan
        at[np.isnan(residual).any(axis=1)] = np.nan
        mine = np.equal.outer(at, np.array(self.values))
        precision, r = 1 / np.maximum(error, SMALLEST_ERROR) ** 2, np.nan_to_num(residual)
        news = np.stack([mine.T @ each for each in (precision, precision * r, precision * r**2)])
        return replace(self, visits=self.visits + mine.sum(axis=0), sums=self.sums + news)

    def chosen(self, importance: FloatArray, beta: float) -> float:
        """The value to use, as for a keep level that all sources share.

        Values weigh exp(beta * z), z being their effect standardised against its noise. Taken is the heaviest of
        `dynamic`, which is on or off, and of numbers the one nearest to the mean by weight; of equals the earlier in
        the list. It must be better than the first value by more than the standard error of their difference: else,
        and as long as the first was not heard of, it is the first.

        Args:
            importance: weight per target, shape (N,).
            beta: of the policy.
        """
        known, effect, error = self.visits > 0, self.effect, self.error
        if not known[0] or known.sum() < 2:
            return self.values[0]
        weights = np.zeros(len(known))
        weights[known] = softmax(beta * standardise(effect[known], error[known], importance))
        far = np.abs(np.array(self.values) - weights @ self.values)
        place = int(np.argmax(np.round(weights, 12)) if self.name == "dynamic" else np.argmin(np.round(far, 12)))
        better = float((effect[place] - effect[0]) @ importance)
        noise = float(np.sqrt((error[place] ** 2 + error[0] ** 2) @ importance**2))
        return self.values[place] if better > noise else self.values[0]

    def note(self, importance: FloatArray, beta: float) -> dict[str, Json]:
        """How the choice stands: lists over its values, None where nothing was heard."""
        effect, error = self.effect @ importance, np.sqrt(self.error**2 @ importance**2)
        known = self.visits > 0
        return {
            "chosen": self.chosen(importance, beta),
            "values": list(self.values),
            "effect": [float(x) if heard else None for x, heard in zip(effect, known, strict=True)],
            "error": [float(x) if heard else None for x, heard in zip(error, known, strict=True)],
            "visits": [int(count) for count in self.visits],
        }


def choices_of(study: Study) -> tuple[Choice, ...]:
    """The open choices of a study, nothing known of any."""
    targets = len(study.targets)
    return tuple(
        Choice(
            name=name,
            values=tuple(map(float, values)),
            drawn=np.zeros(len(values)),
            visits=np.zeros(len(values)),
            sums=np.zeros((3, len(values), targets)),
        )
        for name, values in study.space.choices.items()
        if len(values) > 1
    )


def options_drawn(choices: Sequence[Choice], wanted: int, rng: np.random.Generator) -> tuple[dict[str, float], ...]:
    """Options for each of so many probes, () where nothing is open."""
    columns = {choice.name: choice.draw(wanted, rng) for choice in choices}
    return tuple({name: column[probe] for name, column in columns.items()} for probe in range(wanted if columns else 0))


def residuals(
    gain: FloatArray, noise: FloatArray, mean: FloatArray, error: FloatArray, known: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """What is left of the gains of P probes on N targets when their arms are accounted for, and its standard error.

    Of an arm that was probed before it is the gain less the arm's mean. Arms that are new are held against each other:
    the gain less the mean gain of the round's new arms, whose spread is then its error, since they differ by more than
    by the options of their probes. A single new one gives nan. (Ours.)

    Args:
        gain: shape (P, N).
        noise: standard errors of the gains, shape (P, N).
        mean: of each probe's arm before this round, shape (P, N).
        error: standard errors of the means, shape (P, N).
        known: times that the arm was probed before, shape (P,).
    """
    fresh = known == 0
    left, spread = gain - mean, np.hypot(noise, error)
    left[fresh] = np.nan
    if fresh.sum() > 1:
        left[fresh] = gain[fresh] - gain[fresh].mean(axis=0)
        spread[fresh] = np.maximum(noise[fresh], gain[fresh].std(axis=0, ddof=1))
    return left, spread
