"""How many pairs of each source belong together, as the base model sees it, beside the weight that it gets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from pydantic import JsonValue as Json

from mixtune.proposal import Role
from mixtune.recipe import Recipe
from mixtune.report.sheet import Sheet, cut, number
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

MISMATCHED = 0.6
"""A source whose matched share lies below this is called mismatched (ours)."""


@dataclass(frozen=True, slots=True)
class Matching:
    """A source's estimated share of pairs that belong together, and its weight in the recommended recipe.

    weight is None before there is a recommendation; proportional is the source's weight in proportion to its rows.
    """

    share: float
    weight: float | None
    proportional: float

    @property
    def preferred(self) -> bool:
        """The recommended recipe gives it more weight than sampling in proportion to size would."""
        return self.weight is not None and self.weight > self.proportional


def matched_shares(trials: Sequence[Trial]) -> Mapping[str, float]:
    """What the survey estimated: source -> share in [0, 1]; empty where it looked for nothing."""
    for trial in trials:
        if trial.role is Role.SURVEY and trial.state is TrialState.COMPLETE and trial.measurement is not None:
            return trial.measurement.matched
    return {}


def matching(study: Study, trials: Sequence[Trial], recipe: Recipe | None) -> dict[str, Matching]:
    """Each source that the survey looked at, empty where none was; recipe is the recommended one."""
    shares = matched_shares(trials)
    proportional = study.proportional() if shares else {}
    return {
        name: Matching(
            shares[name],
            None if recipe is None else recipe.mixture.get(name, 0.0),
            proportional[name],
        )
        for name in study.names
        if name in shares
    }


def warnings(found: Mapping[str, Matching]) -> Iterator[str]:
    """Sources that look mismatched and get more weight than in proportion to size."""
    for name, each in found.items():
        if each.share < MISMATCHED and each.preferred:
            yield (
                f"Warning: {name} gets {each.weight:.3f} of the batches ({each.proportional:.3f} in proportion to "
                f"size), and to the base model only {each.share:.0%} of its pairs seem to belong together: look at "
                f"them with `mixtune sources`, unless the model does not know their language."
            )


def matching_sheet(found: Mapping[str, Matching]) -> Sheet:
    """The panel, worst matched source first."""
    order = sorted(found, key=lambda name: (found[name].share, name))
    rows, more = cut(
        [
            (name, f"{found[name].share:.0%}", number(found[name].weight), number(found[name].proportional))
            for name in order
        ],
        "sources",
    )
    return Sheet(
        title="Matched pairs: how many the base model finds to belong together",
        left=("source",),
        right=("matched", "weight", "proportional"),
        rows=rows,
        caption="low: positives of other queries, or a language that the model does not know",
        lines=(*more, *warnings(found)),
    )


def matching_document(found: Mapping[str, Matching]) -> dict[str, Json]:
    """The panel as JSON."""
    return {"sources": {name: asdict(each) for name, each in found.items()}, "warnings": list(warnings(found))}
