"""A proposal: all that the run of a trial depends on besides its seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import JsonValue as Json

from mixtune.recipe import Recipe


class Role(StrEnum):
    """Why a trial runs. Survey, anchor, finalist and rerun are the tuner's plan; the others a searcher's."""

    SURVEY = "survey"
    """Zero steps: the base model as it is."""
    ANCHOR = "anchor"
    """A baseline mixture, run fresh on a judging seed."""
    REFERENCE = "reference"
    """A run that a searcher needs as a yardstick."""
    ROUND = "round"
    """A link of a chain: continues its parent, probes and merges."""
    SEARCH = "search"
    """A fresh full-length run that competes for best."""
    FINALIST = "finalist"
    """A candidate for the recommendation, run fresh on a seed of its own and scored on dev alone."""
    AUDIT = "audit"
    """A recipe from a list, run fresh on a judging seed and scored on dev alone."""
    RERUN = "rerun"
    """The recommended recipe, run fresh on a judging seed."""
    FINAL = "final"
    """The full training."""


JUDGED = frozenset({Role.SURVEY, Role.ANCHOR, Role.RERUN})
"""Roles whose runs are also scored on test. Their cost is charged to nobody."""

CHARGED = frozenset({Role.REFERENCE, Role.ROUND, Role.SEARCH})
"""Roles whose cost the searcher pays: those that it asked for."""

ASKED = CHARGED | {Role.AUDIT}
"""Roles that a searcher proposes, and that Budget.trials counts."""

FRESH = frozenset({Role.SEARCH, Role.ANCHOR, Role.FINALIST, Role.AUDIT, Role.RERUN})
"""Roles that run a recipe from the base model on its own: nothing continues them."""

CHOOSING = frozenset({Role.FINALIST})
"""Roles that choose among what a search found, on dev. Their cost is a line of its own."""

VISIBLE = ASKED | {Role.SURVEY}
"""Roles that a searcher is shown, and that its recommendation follows from."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What happens at the end of a round: short runs on single sources whose effect on the targets is measured.

    reptile is the weighting of the merge (`linear` or `softmax`), epsilon its step, temperature that of the softmax.
    levels says, source by source, at which keep level it is probed, None at that of the round's recipe; empty means
    None for all. A source may be probed at several levels. options says likewise which values of Space.choices each
    short run takes, name -> value, of a choice that is not named the space's first; empty means those of the round's
    recipe for all. The effect is measured on so many dev queries per target, drawn anew in each round, each with one
    positive, the other positives and so many sampled documents; queries None means all queries that influence may be
    measured on, with all their positives and all sampled documents. splits above 1 divide those queries once and for
    all into so many parts, of which this round takes part number `split`.
    """

    sources: tuple[str, ...]
    steps: int
    reptile: str = "linear"
    epsilon: float = 1.0
    temperature: float | None = None
    levels: tuple[float | None, ...] = ()
    queries: int | None = None
    negatives: int = 0
    split: int = 0
    splits: int = 1
    options: tuple[Mapping[str, float], ...] = ()

    @property
    def tried(self) -> dict[str, Mapping[str, float]]:
        """Open choices that each short run takes by itself, by the names of `arms`; empty where it takes none."""
        return dict(zip(self.arms, self.options, strict=True)) if self.options else {}

    @property
    def arms(self) -> dict[str, tuple[str, float | None]]:
        """Source and level of each short run, by the name under which its influence is reported."""
        levels = self.levels or (None,) * len(self.sources)
        return {arm_name(name, level): (name, level) for name, level in zip(self.sources, levels, strict=True)}


def arm_name(source: str, level: float | None) -> str:
    """Name of a short run on a source: the source's own, with `@level` behind it where it has its own keep level."""
    return source if level is None else f"{source}@{level}"


@dataclass(frozen=True, slots=True)
class Gradients:
    """Gradients of sources compared with those of the targets, at the end of a run.

    For each source the gradient of the training loss on `batches` batches drawn from it alone, for each target that of
    its dev loss on a sample of queries as in Probe (queries None: all that signals may be measured on). parameters
    restricts both to the trainable parameters whose names hold that text; "*" is all of them. "", the default, is all
    of them for `head`, `last:n` and StaticEmbedding models, and the last layer alone for `all` on a transformer. Beside
    a rule that reads inner products they are taken at every step instead, for the sources in its batch.
    """

    sources: tuple[str, ...]
    batches: int = 1
    queries: int | None = None
    negatives: int = 0
    parameters: str = ""


NEGATIVES = 7
"""Own negatives of an example in a mixed batch where no rule says otherwise (those of the paper of tDRO)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that moves the weights at every step of a run, by its name in mixtune.rules.RULES.

    settings are the rule's own. state is where it stands at the start: name -> one number per usable source in the
    order of Study.names, or a single number; empty means the rule's own start. negatives is the number of own hard
    negatives that an example's loss is told from; no other document of the batch takes part.
    """

    name: str
    settings: Mapping[str, Json] = field(default_factory=dict)
    state: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    negatives: int = NEGATIVES


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a trial is to do. Everything that its run depends on besides the seed stands here.

    parent is the trial whose checkpoint the run continues, None for the base model. reference is the trial whose
    checkpoint gives reference losses, rule what moves the weights during the run (the recipe's are those it starts
    with), gradients what is compared at its end. horizon is the number of steps that the learning-rate schedule
    spans, None for a constant rate. label names the baseline of an anchor. replicate numbers the judging seed of an
    anchor, audit or rerun, and the seed of a finalist. scored says that the run is evaluated on dev at its end. notes
    are what the searcher wants to read again (coordinates of the mapping, how the policy stood).
    """

    recipe: Recipe
    steps: int
    role: Role
    parent: int | None = None
    probe: Probe | None = None
    gradients: Gradients | None = None
    rule: Rule | None = None
    reference: int | None = None
    horizon: int | None = None
    label: str = ""
    replicate: int = 0
    scored: bool = True
    notes: Mapping[str, Json] = field(default_factory=dict)
