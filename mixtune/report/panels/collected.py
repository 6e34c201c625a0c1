"""The panels of a report: what a study's trials say beside scores, each only where the study has it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue as Json

from mixtune.contamination import Contamination
from mixtune.recipe import Recipe
from mixtune.report.panels.agreement import Agreement, agreement, agreement_document, agreement_sheet
from mixtune.report.panels.aligned import Aligned, aligned, aligned_document, aligned_sheet
from mixtune.report.panels.completed import Completed, completed, completed_document, completed_sheet
from mixtune.report.panels.contamination import contamination_document, contamination_sheet
from mixtune.report.panels.crowning import Crowning, crowning, crowning_document, crowning_sheet
from mixtune.report.panels.fitted import Fitted, fitted, fitted_document, fitted_sheet
from mixtune.report.panels.headroom import Headroom, headroom, headroom_document, headroom_sheet
from mixtune.report.panels.heldback import HeldBack, held_back, held_back_document
from mixtune.report.panels.holdout import Holdout, holdout, holdout_document
from mixtune.report.panels.influences import Standing, measure_of, standings, standings_document, standings_sheet
from mixtune.report.panels.matching import Matching, matching, matching_document, matching_sheet
from mixtune.report.panels.nearoptimal import NearOptimal, near_optimal, near_optimal_document, near_optimal_sheet
from mixtune.report.panels.noise import Noise, noise, noise_document, noise_sheet
from mixtune.report.panels.overfitting import Overfitting, overfitting, overfitting_document
from mixtune.report.panels.receipts import Receipts, receipts, receipts_document, receipts_sheet
from mixtune.report.panels.remarked import remarked, remarked_document, remarked_sheet
from mixtune.report.panels.splits import FEWEST, Splits, splits, splits_document
from mixtune.report.panels.tracking import Tracking, tracking, tracking_document, tracking_sheet
from mixtune.report.sheet import Sheet
from mixtune.study import Study
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class Panels:
    """What the modules beside this one found; None or empty where the study has nothing of the kind.

    measure says in what influences are told.
    """

    noise: Noise | None = None
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
    receipts: Receipts | None = None
    contamination: Contamination | None = None
    remarked: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    crowning: Crowning | None = None
    near_optimal: NearOptimal | None = None
    splits: Splits | None = None
    held_back: HeldBack | None = None
    holdout: Holdout = field(default_factory=lambda: Holdout(()))


NOT_ESTIMATED = (
    f"Dev overfitting is not estimated: it takes {FEWEST} recipes with a fresh run in the search, or judged runs of "
    "what a search by signals on dev found."
)
"""What a study is told that chose on dev and has neither."""


def panels(study: Study, trials: Sequence[Trial], recipe: Recipe | None) -> Panels:
    """All panels of a study; recipe is the recommended one, None before there is any."""
    return Panels(
        noise=noise(study, trials),
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
        receipts=receipts(study, trials, recipe),
        contamination=None if study.preparation is None else study.preparation.contamination,
        remarked=remarked(trials),
        crowning=crowning(study, trials, recipe),
        near_optimal=near_optimal(study, trials, recipe),
        splits=splits(trials),
        held_back=held_back(trials, recipe),
        holdout=holdout(trials, recipe),
    )


def panel_sheets(study: Study, found: Panels) -> Iterator[Sheet]:
    """The panels that a study has, in the order in which a report shows them."""
    if found.noise is not None:
        yield noise_sheet(found.noise)
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
    if found.receipts is not None:
        yield receipts_sheet(found.receipts)
    if found.contamination is not None:
        yield contamination_sheet(found.contamination)
    if found.remarked:
        yield remarked_sheet(found.remarked)
    if found.crowning is not None:
        sheet = crowning_sheet(found.crowning)
        told = [each.sentence for each in (found.splits, found.held_back) if each is not None]
        yield replace(sheet, lines=(*sheet.lines, *(told or [NOT_ESTIMATED])))
    if found.near_optimal is not None:
        yield near_optimal_sheet(found.near_optimal)


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
        "receipts": None if found.receipts is None else receipts_document(found.receipts),
        "contamination": None if found.contamination is None else contamination_document(found.contamination),
        "remarks": remarked_document(found.remarked),
        "noise_floor": None if found.noise is None else noise_document(found.noise),
        "near_optimal": None if found.near_optimal is None else near_optimal_document(study, found.near_optimal),
        "winners_curse": None if found.crowning is None else crowning_document(found.crowning),
        "dev_splits": None if found.splits is None else splits_document(found.splits),
        "dev_held_back": None if found.held_back is None else held_back_document(found.held_back),
        "test_read": holdout_document(found.holdout),
    }
