"""Looks into a finished study: studies of their own, told as part of the one that they look into."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import JsonValue as Json

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
    """What looks into a study found; None where there is none, or it has not got far enough to tell."""

    fidelity: Fidelity | None = None
    audit: Audit | None = None
    matrix: Matrix | None = None


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
    return Looks(
        fidelity=fidelity(*prepared[FIDELITY], *prepared[LARGER]) if {FIDELITY, LARGER} <= prepared.keys() else None,
        audit=audit(*prepared[AUDIT]) if AUDIT in prepared else None,
        matrix=matrix(*prepared[MATRIX]) if MATRIX in prepared else None,
    )


def look_sheets(study: Study, found: Looks) -> Iterator[Sheet]:
    """The tables of what was found; study is the one that was looked into, or any of its looks."""
    if found.fidelity is not None:
        yield from fidelity_sheets(found.fidelity)
    if found.audit is not None:
        yield from audit_sheets(study, found.audit)
    if found.matrix is not None:
        yield from matrix_sheets(study, found.matrix)


def look_document(found: Looks) -> dict[str, Json]:
    """What was found as JSON, None where there is none."""
    return {
        "fidelity": None if found.fidelity is None else fidelity_document(found.fidelity),
        "audit": None if found.audit is None else audit_document(found.audit),
        "matrix": None if found.matrix is None else matrix_document(found.matrix),
    }
