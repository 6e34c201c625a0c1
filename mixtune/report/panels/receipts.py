"""Requested against realised: whole receipts, trials beyond their bound, and the receipts of what is recommended."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import JsonValue as Json

from mixtune.proposal import Role
from mixtune.receipt import CONFIDENCE, Line, Receipt, receipt_of
from mixtune.recipe import Recipe
from mixtune.report.sheet import Sheet, cut
from mixtune.study import Study
from mixtune.trial import Trial

NAMED = 3
"""Trials or sources that a line names."""


@dataclass(frozen=True, slots=True)
class Receipts:
    """The receipts of a study: how many there are, those with sources beyond their bound, and the judged ones.

    recommended holds, by number, the judged runs of the recommended recipe. study is its name.
    """

    study: str
    checked: int
    outside: Mapping[int, Receipt]
    recommended: Mapping[int, Receipt]


def receipts(study: Study, trials: Sequence[Trial], recipe: Recipe | None) -> Receipts | None:
    """All receipts of a study; None where no trial has one."""
    kept = {trial.number: found for trial in trials if (found := receipt_of(study, trial)) is not None}
    judged = [trial.number for trial in trials if trial.role is Role.RERUN and trial.proposal.recipe == recipe]
    if not kept:
        return None
    return Receipts(
        study=study.name,
        checked=len(kept),
        outside={number: found for number, found in kept.items() if found.outside},
        recommended={number: kept[number] for number in judged if number in kept},
    )


def receipts_sheet(found: Receipts) -> Sheet:
    """The panel: source by source what the recommended recipe asked for and what each of its judged runs drew."""
    runs = list(found.recommended.values())
    lines = tuple(outside_lines(found))
    title = "Receipts"
    if not runs:
        return Sheet(title, lines=lines)
    pruned = any(line.pruned for run in runs for line in run.lines.values())
    rows = []
    for name in sorted(runs[0].lines, key=lambda name: (-runs[0].lines[name].requested, name)):
        each = [run.lines[name] for run in runs if name in run.lines]
        cells = (name, f"{each[0].expected:,.1f}", _bound(each[0]), " ".join(f"{line.drawn:,}" for line in each))
        means = (
            f"{np.mean([line.rows for line in each]):,.0f}",
            f"{np.mean([line.unique_rows for line in each]):,.0f}",
            f"{np.mean([line.epochs for line in each]):.2f}",
        )
        rows.append((*cells, *means, *([f"{np.mean([line.pruned for line in each]):,.0f}"] if pruned else [])))
    shown, more = cut(rows, "sources")
    return Sheet(
        title=f"{title}: {runs[0].unit} asked for and drawn in the {len(runs)} judged runs of the best recipe",
        left=("source",),
        right=("asked", "bound", "drawn", "rows", "unique", "epochs", *(["pruned"] if pruned else [])),
        rows=shown,
        caption="rows, unique rows and epochs: mean over the runs",
        lines=(*more, *lines),
    )


def outside_lines(found: Receipts) -> Iterator[str]:
    """Whether all trials drew what they were asked for, as far as chance allows."""
    if not found.outside:
        yield f"All {found.checked} receipts lie within the bounds of chance ({CONFIDENCE:.1%} for a whole run)."
        return
    named = "; ".join(f"trial {number}: {outside_text(each)}" for number, each in list(found.outside.items())[:NAMED])
    more = f"; and {len(found.outside) - NAMED} more" if len(found.outside) > NAMED else ""
    yield (
        f"Warning: {len(found.outside)} of {found.checked} trials drew what chance does not explain ({named}{more})."
        f" `mixtune trials {found.study} --receipt {next(iter(found.outside))}` has all of the first one."
    )


def outside_text(found: Receipt) -> str:
    """What was drawn beyond its bound, in words."""
    told = [
        f"{name} {found.lines[name].drawn:,} {found.unit}, bound {_bound(found.lines[name])}" for name in found.outside
    ]
    more = f" and {len(told) - NAMED} more sources" if len(told) > NAMED else ""
    return f"{', '.join(told[:NAMED])}{more}"


def receipt_sheet(number: int, found: Receipt) -> Sheet:
    """One whole receipt, sources in the study's order."""
    outside = f"Outside: {outside_text(found)}." if found.outside else "Every source lies within its bound."
    return Sheet(
        title=f"Receipt of trial {number}: {found.unit} asked for and drawn in {found.steps:,} steps",
        left=("source",),
        right=("share", "asked", "bound", "drawn", "", "rows", "unique", "epochs", "pruned"),
        rows=tuple(
            (
                name,
                f"{line.requested:.3f}",
                f"{line.expected:,.1f}",
                _bound(line),
                f"{line.drawn:,}",
                "!" if line.outside else "",
                f"{line.rows:,}",
                f"{line.unique_rows:,}",
                f"{line.epochs:.2f}",
                f"{line.pruned:,}",
            )
            for name, line in found.lines.items()
        ),
        caption=f"bound: what chance makes of it, for all sources at once, in {CONFIDENCE:.1%} of runs",
        lines=(outside,),
    )


def receipt_document(found: Receipt) -> dict[str, Json]:
    """One receipt as JSON."""
    return {
        "unit": found.unit,
        "steps": found.steps,
        "total": found.total,
        "confidence": CONFIDENCE,
        "outside": list(found.outside),
        "sources": {name: asdict(line) | {"outside": line.outside} for name, line in found.lines.items()},
    }


def receipts_document(found: Receipts) -> dict[str, Json]:
    """The panel as JSON, with the whole receipts of trials beyond their bound and of the recommended recipe."""
    return {
        "checked": found.checked,
        "outside": {str(number): receipt_document(each) for number, each in found.outside.items()},
        "recommended": {str(number): receipt_document(each) for number, each in found.recommended.items()},
    }


def _bound(line: Line) -> str:
    return f"{line.low:,}-{line.high:,}"
