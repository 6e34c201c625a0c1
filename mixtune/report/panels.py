"""The panels of a report: what a study's trials say beside scores, each only where the study has it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue as Json

from mixtune.recipe import Recipe
from mixtune.report.agreement import Agreement, agreement, agreement_document, agreement_sheet
from mixtune.report.aligned import Aligned, aligned, aligned_document, aligned_sheet
from mixtune.report.completed import Completed, completed, completed_document, completed_sheet
from mixtune.report.fitted import Fitted, fitted, fitted_document, fitted_sheet
from mixtune.report.headroom import Headroom, headroom, headroom_document, headroom_sheet
from mixtune.report.influences import Standing, measure_of, standings, standings_document, standings_sheet
from mixtune.report.matching import Matching, matching, matching_document, matching_sheet
from mixtune.report.overfitting import Overfitting, overfitting, overfitting_document
from mixtune.report.remarked import remarked, remarked_document, remarked_sheet
from mixtune.report.sheet import Sheet
from mixtune.report.tracking import Tracking, tracking, tracking_document, tracking_sheet
from mixtune.study import Study
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class Panels:
    """What the modules beside this one found; None or empty where the study has nothing of the kind.

    measure says in what influences are told.
    """

    matching: Mapping[str, Matching] = field(default_factory=dict)
    headroom: tuple[int, Mapping[str, Headroom]] | None = None
    aligned: Mapping[str, Aligned] = field(default_factory=dict)
    influences: tuple[int, Mapping[str, Standing]] | None = None
    measure: str = "loss"
    agreement: Agreement | None = None
    overfitting: Overfitting | None = None
    fitted: Fitted | None = None
    completed: Mapping[str, Completed] = field(default_factory=dict)
    tracking: Tracking | None = None
    remarked: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def panels(study: Study, trials: Sequence[Trial], recipe: Recipe | None) -> Panels:
    """All panels of a study; recipe is the recommended one, None before there is any."""
    return Panels(
        matching=matching(study, trials, recipe),
        headroom=headroom(study, trials),
        aligned=aligned(study, trials),
        influences=standings(study, trials),
        measure=measure_of(trials),
        agreement=agreement(study, trials),
        overfitting=overfitting(study, trials),
        fitted=fitted(trials),
        completed=completed(study, trials, recipe),
        tracking=tracking(study, trials),
        remarked=remarked(trials),
    )


def panel_sheets(study: Study, found: Panels) -> Iterator[Sheet]:
    """The panels that a study has, in the order in which a report shows them."""
    if found.matching:
        yield matching_sheet(found.matching)
    if found.headroom is not None:
        yield headroom_sheet(study, *found.headroom)
    if found.aligned:
        yield aligned_sheet(study, found.aligned)
    if found.influences is not None:
        sheet = standings_sheet(*found.influences, found.measure)
        said = [] if found.overfitting is None else [found.overfitting.sentence]
        yield replace(sheet, lines=(*sheet.lines, *said))
    if found.agreement is not None:
        yield agreement_sheet(found.agreement)
    if found.fitted is not None:
        yield fitted_sheet(found.fitted)
    if found.completed:
        yield completed_sheet(found.completed)
    if found.tracking is not None:
        yield tracking_sheet(found.tracking)
    if found.remarked:
        yield remarked_sheet(found.remarked)


def panel_document(study: Study, found: Panels) -> dict[str, Json]:
    """The panels as JSON, None where the study has nothing of the kind."""
    return {
        "matched": matching_document(found.matching) if found.matching else None,
        "headroom": None if found.headroom is None else headroom_document(study, *found.headroom),
        "alignment": aligned_document(found.aligned) if found.aligned else None,
        "influence": None if found.influences is None else standings_document(*found.influences, found.measure),
        "split_agreement": None if found.agreement is None else agreement_document(found.agreement),
        "dev_overfitting": None if found.overfitting is None else overfitting_document(found.overfitting),
        "fit": None if found.fitted is None else fitted_document(found.fitted),
        "schedule_epochs": completed_document(found.completed) if found.completed else None,
        "dev_loss_tracking": None if found.tracking is None else tracking_document(found.tracking),
        "remarks": remarked_document(found.remarked),
    }
