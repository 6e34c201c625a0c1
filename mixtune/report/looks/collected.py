"""Looks into a finished study: studies of their own, told as part of the one that they look into."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pydantic import JsonValue as Json

from mixtune.proposal import Role
from mixtune.recipe import Recipe
from mixtune.report.looks.audit import Audit, audit, audit_document, audit_sheets
from mixtune.report.looks.fidelity import Fidelity, fidelity, fidelity_document, fidelity_sheets
from mixtune.report.looks.matrix import Matrix, matrix, matrix_document, matrix_sheets
from mixtune.report.sheet import Sheet
from mixtune.study import Study
from mixtune.trial import Trial

FIDELITY = "fidelity"
"""The list of `mixtune fidelity` under the study's own proxy."""

LARGER = "fidelity.larger"
"""The same list under the larger proxy."""

AUDIT = "audit"
MATRIX = "matrix"

Part: TypeAlias = tuple[Study, Sequence[Trial]]
"""A look as stored, and its trials."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What looks into a study found; None where there is none, or it has not got far enough to tell.

    recipes holds, by kind, the recipe whose mixture, pruning and batching a look began with (of a matrix: pruning and
    batching alone). earlier says of each kind whose recipe is not the current recommendation what to do about it.
    """

    fidelity: Fidelity | None = None
    audit: Audit | None = None
    matrix: Matrix | None = None
    recipes: Mapping[str, Recipe] = field(default_factory=dict, compare=False)
    earlier: Mapping[str, str] = field(default_factory=dict, compare=False)


def look_name(of: str, kind: str) -> str:
    """Name of a look into study `of`."""
    return f"{of}.{kind}"


def is_look(study: Study) -> bool:
    """Whether a study looks into another one: it runs a list and searches nothing."""
    return study.search.algorithm == "listed"


def kind_of(look: Study) -> str:
    """What a look is after: FIDELITY, AUDIT or MATRIX."""
    return look.name.removeprefix(f"{look.of}.").partition(".")[0]


def looks(parts: Sequence[Part]) -> Looks:
    """What these looks, all into one study, found. Studies that are no looks are passed over."""
    found: Mapping[str, Part] = {study.name.removeprefix(f"{study.of}."): (study, trials) for study, trials in parts}
    prepared = {kind: part for kind, part in found.items() if part[0].preparation is not None}
    begun = {kind: _begun(part[1]) for kind, part in prepared.items()}
    return Looks(
        recipes={kind: recipe for kind, recipe in begun.items() if recipe is not None},
        fidelity=fidelity(*prepared[FIDELITY], *prepared[LARGER]) if {FIDELITY, LARGER} <= prepared.keys() else None,
        audit=audit(*prepared[AUDIT]) if AUDIT in prepared else None,
        matrix=matrix(*prepared[MATRIX]) if MATRIX in prepared else None,
    )


def dated(found: Looks, study: Study, current: Recipe | None, *, finished: bool) -> Looks:
    """Looks into a study, those of another recipe than its current recommendation marked as earlier ones.

    Args:
        found: the looks into the study.
        study: the study that was looked into; a look itself recommends nothing, and nothing is marked.
        current: what the study recommends now, None where it recommends nothing.
        finished: whether the study has run to its end and can be looked into again.
    """
    if current is None or is_look(study):
        return found
    old = [kind for kind, recipe in found.recipes.items() if recipe != _like(kind, recipe, current) and kind in _AGAIN]
    return replace(found, earlier={kind: _earlier(kind, study.name, finished=finished) for kind in old})


_AGAIN = {
    FIDELITY: "mixtune fidelity {name}",
    AUDIT: "mixtune audit {name}",
    MATRIX: "mixtune audit {name} --matrix",
}
"""Kinds of looks, and the commands that make them."""


def _earlier(kind: str, name: str, *, finished: bool) -> str:
    again = _AGAIN[kind].format(name=name)
    stored = [kind] if kind != FIDELITY else [FIDELITY, LARGER]
    removed = " && ".join(f"mixtune rm {look_name(name, each)}" for each in stored)
    when = "" if finished else "once the study has finished, "
    return (
        f"This {kind} is of an earlier recommendation (before the study was extended); for the current one: {when}"
        f"`{removed} && {again}`."
    )


def _begun(trials: Sequence[Trial]) -> Recipe | None:
    """The recommendation that a look began with: its list says it first (of a matrix: with another mixture)."""
    return next((trial.proposal.recipe for trial in trials if trial.role is Role.AUDIT), None)


def _like(kind: str, recipe: Recipe, current: Recipe) -> Recipe:
    """The current recommendation as a look of this kind would have it at the head of its list."""
    return replace(current, mixture=recipe.mixture) if kind == MATRIX else current


def look_sheets(study: Study, found: Looks) -> Iterator[Sheet]:
    """The tables of what was found; study is the one that was looked into, or any of its looks.

    The first table of a look into an earlier recommendation says so below it.
    """
    if found.fidelity is not None:
        yield from _marked(fidelity_sheets(found.fidelity), found.earlier.get(FIDELITY))
    if found.audit is not None:
        yield from _marked(audit_sheets(study, found.audit), found.earlier.get(AUDIT))
    if found.matrix is not None:
        yield from _marked(matrix_sheets(study, found.matrix), found.earlier.get(MATRIX))


def _marked(sheets: Iterator[Sheet], earlier: str | None) -> Iterator[Sheet]:
    for place, sheet in enumerate(sheets):
        yield replace(sheet, lines=(earlier, *sheet.lines)) if earlier and place == 0 else sheet


def look_document(found: Looks) -> dict[str, Json]:
    """What was found as JSON, None where there is none. `earlier` is None for looks into the current recommendation."""
    told = {
        FIDELITY: None if found.fidelity is None else fidelity_document(found.fidelity),
        AUDIT: None if found.audit is None else audit_document(found.audit),
        MATRIX: None if found.matrix is None else matrix_document(found.matrix),
    }
    return {
        kind: None if document is None else {**document, "earlier": found.earlier.get(kind)}
        for kind, document in told.items()
    }
