"""How often test was read for a recommendation: an interval holds for one reading that chose nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pydantic import JsonValue as Json

from mixtune.proposal import Role
from mixtune.recipe import Recipe
from mixtune.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class Reading:
    """One recommendation that was scored on test: by which trials, and whether the study still recommends it.

    finished is when its first run ended, in seconds since 1970; None where that was not noted.
    """

    trials: tuple[int, ...]
    finished: float | None
    current: bool


@dataclass(frozen=True, slots=True)
class Holdout:
    """Every recommendation of the study that test was read for, oldest first.

    It follows from the judged runs, which stay in the database: a study that is extended and then recommends another
    recipe has read test again. Baselines and the base model are read once and are not chosen by it.
    """

    readings: tuple[Reading, ...]

    @property
    def sentence(self) -> str:
        """What it means for the reported interval."""
        count = len(self.readings)
        if count == 0:
            return "Test has not been read for a recommendation yet."
        if count == 1 and self.readings[0].current:
            return "Test was read once, for this recommendation."
        if not any(reading.current for reading in self.readings):
            earlier = "an earlier recommendation" if count == 1 else f"{count} earlier recommendations"
            return f"Test was read for {earlier}, and not yet for this one."
        return (
            f"Test was read for {count} recommendations of this study: if you chose among them by it, the interval of "
            f"the last one is too narrow."
        )


def holdout(trials: Sequence[Trial], recipe: Recipe | None) -> Holdout:
    """Log the readings; recipe is what the study recommends now."""
    runs: dict[Recipe, list[Trial]] = {}
    for trial in trials:
        if trial.role is Role.RERUN and trial.state is TrialState.COMPLETE:
            runs.setdefault(trial.proposal.recipe, []).append(trial)
    return Holdout(
        tuple(
            Reading(tuple(trial.number for trial in each), each[0].finished, one == recipe)
            for one, each in runs.items()
        )
    )


def holdout_document(found: Holdout) -> dict[str, Json]:
    """The log as JSON."""
    readings: list[Json] = [{**asdict(reading), "trials": list(reading.trials)} for reading in found.readings]
    return {"recommendations": len(readings), "readings": readings, "sentence": found.sentence}
