"""Where a chain of guided rounds stands, and whose turn it is to be probed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue as Json

from mixtune.policies import softmax
from mixtune.recipe import FloatArray
from mixtune.searchers.arms import Arm
from mixtune.searchers.choice import Choice


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Where a chain of rounds stands. Arrays follow the order of arms and are never written to.

    arms are what can have weight: A of them, one per source where no keep level is open. log_prior, shape (A,), and
    eligible, the names of the arms that can be probed, are those of the start. rounds counts complete rounds, parent
    is the number of the last one. left holds the arms still to come in the running cycle of probes. psi is the log of
    the policy's weights, shape (A,). influence and error are running means per target, shape (A, N), and their
    standard errors: these fall with more rounds where each draws its dev queries anew, and stay where all rounds share
    them. visits counts the probes of each arm that gave an answer, z is the standardised influence. spread is the
    running mean of how far the influences of a round lie apart, None before the first. skipped says that the last
    round changed no weight for want of any gain, dropped which of its probes gave no finite influence. choices are the
    open ones besides weights and keep levels.
    """

    arms: tuple[Arm, ...]
    log_prior: FloatArray
    eligible: tuple[str, ...]
    left: frozenset[str]
    psi: FloatArray
    influence: FloatArray
    error: FloatArray
    visits: FloatArray
    z: FloatArray
    rounds: int = 0
    parent: int | None = None
    spread: float | None = None
    skipped: bool = False
    dropped: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()

    @property
    def weights(self) -> FloatArray:
        """The policy's weights, shape (A,), before floors and caps."""
        return softmax(self.psi)


def notes_of(state: Chain, importance: FloatArray, beta: float) -> dict[str, Json]:
    """How the policy stands, as a proposal's notes: lists over arms, which are named where they are not the sources.

    Influence and its error are averaged over targets by importance, shape (N,). Open choices are told as at beta.
    """
    known = state.visits > 0
    notes: dict[str, Json] = {
        "round": state.rounds,
        "weights": listed(state.weights),
        "influence": listed(state.influence @ importance, known),
        "error": listed(np.sqrt(state.error**2 @ importance**2), known),
        "z": listed(state.z, known),
        "visits": [int(count) for count in state.visits],
        "skipped": state.skipped,
        "dropped": list(state.dropped),
    }
    if any(arm.level is not None for arm in state.arms):
        notes["arms"] = [arm.name for arm in state.arms]
    if state.choices:
        notes["options"] = {choice.name: choice.note(importance, beta) for choice in state.choices}
    return notes


def next_arms(left: frozenset[str], eligible: Sequence[str], wanted: int, rng: np.random.Generator) -> tuple[str, ...]:
    """The next arms of a shuffled cycle, `wanted` of them and none twice; a cycle that ends runs into the next."""
    old = [name for name in eligible if name in left]
    new = [name for name in eligible if name not in left]
    order = [*rng.permutation(len(old)), *(len(old) + rng.permutation(len(new)))]
    return tuple((old + new)[index] for index in order[:wanted])


def left_after(left: frozenset[str], probed: Sequence[str], eligible: Sequence[str]) -> frozenset[str]:
    """What a cycle still holds after a round: without what was probed, begun anew when it is used up."""
    fresh = frozenset(probed) - left
    rest = left - frozenset(probed)
    return rest if rest else frozenset(eligible) - fresh


def listed(values: FloatArray, known: npt.NDArray[np.bool_] | None = None) -> list[Json]:
    """An array as JSON, None where nothing is known."""
    return [float(x) if known is None or known[index] else None for index, x in enumerate(values)]
