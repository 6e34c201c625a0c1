"""What each source alone does for each target: trained on nothing else, against the base model and proportional."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from pydantic import JsonValue as Json

from mixtune.proposal import Role
from mixtune.report.correlation import Correlation, correlation, correlation_cells
from mixtune.report.looks.replicates import Delta, against, difference, replicates, told_half
from mixtune.report.sheet import Sheet, cut, number
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

COLUMNS = 3
"""Targets whose columns fit beside each other; of more, the mean, the lowest and the highest are shown."""

PROPORTIONAL = "proportional"

DELTA = "+.4f"
"""How differences of a metric are written."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One source alone on one target: against the base model, and against proportional sampling on the same seeds.

    influence is what the study's probes said of the pair on average, None where they said nothing.
    """

    base: Delta
    proportional: Delta
    influence: float | None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Source x target, on dev. base and proportional are the levels per target that cells are compared with.

    correlations say, per target, how well influence ranked the sources' cells. failed names what has a run that failed.
    """

    metric: str
    seeds: int
    base: Mapping[str, float]
    proportional: Mapping[str, float]
    cells: Mapping[str, Mapping[str, Cell]]
    correlations: Mapping[str, Correlation | None]
    failed: tuple[str, ...] = ()


def matrix(study: Study, trials: Sequence[Trial]) -> Matrix | None:
    """Read the runs of a matrix; None before the survey and one seed of all sources are complete."""
    found, metric = replicates(study, trials), study.objective.metric
    surveys = [
        trial.measurement.dev
        for trial in trials
        if trial.role is Role.SURVEY and trial.state is TrialState.COMPLETE and trial.measurement is not None
    ]
    if found is None or not surveys or PROPORTIONAL not in found.listings:
        return None
    level = {name: surveys[-1][name][metric] for name in found.targets}
    row = found.place(PROPORTIONAL)
    cells: dict[str, dict[str, Cell]] = {}
    for label, listing in found.listings.items():
        source, told = listing.notes.get("alone"), listing.notes.get("influence")
        if isinstance(source, str):
            place, influence = found.place(label), told if isinstance(told, dict) else {}
            cells[source] = {
                name: Cell(
                    base=against(values, place, level[name]),
                    proportional=difference(values, place, row),
                    influence=_float(influence.get(name)),
                )
                for name, values in found.targets.items()
            }
    return Matrix(
        metric=metric,
        seeds=found.seeds,
        base=level,
        proportional={name: float(values[row].mean()) for name, values in found.targets.items()},
        cells=cells,
        correlations={name: _agreement([own[name] for own in cells.values()]) for name in found.targets},
        failed=found.failed,
    )


def _agreement(cells: Sequence[Cell]) -> Correlation | None:
    both = [(cell.influence, cell.base.value) for cell in cells if cell.influence is not None]
    if not both:
        return None
    told, measured = np.array(both, dtype=np.float64).T
    return correlation([told], [measured])


def matrix_sheets(study: Study, found: Matrix) -> Iterator[Sheet]:
    """Sources down, best first; targets across with influence beside them where it was measured."""
    targets = [target.name for target in study.targets]
    importance = dict(zip(targets, map(float, study.target_weights()), strict=True))

    def overall(source: str) -> float:
        return float(sum(importance[name] * cell.base.value for name, cell in found.cells[source].items()))

    order = sorted(found.cells, key=lambda source: (-overall(source), source))
    told = any(cell.influence is not None for own in found.cells.values() for cell in own.values())
    if len(targets) <= COLUMNS:
        rows = [(source, *(_row(found.cells[source], targets, told))) for source in order]
        heads = [head for name in targets for head in ((name, "influence") if told else (name,))]
    else:
        rows = [(source, *_extremes(found.cells[source], overall(source))) for source in order]
        heads = ["all", "lowest", "highest"]
    shown, more = cut(rows, "sources", ends=True)
    seeds = f"{found.seeds} seed{'' if found.seeds == 1 else 's'}"
    yield Sheet(
        title=f"Source x target: {found.metric} on dev after one source alone, minus the base model's",
        left=("source alone",),
        right=tuple(heads),
        rows=shown,
        caption=(
            f"{seeds}, 95 %:{_halves(found, 'base')}" + ("; influence: what probes said of the pair" if told else "")
        ),
        lines=(*more, *_lines(found)),
    )
    if len(targets) <= COLUMNS:
        rows = [
            (source, *(number(found.cells[source][name].proportional.value, DELTA) for name in targets))
            for source in order
        ]
        shown, more = cut(rows, "sources", ends=True)
        levels = ", ".join(f"{name} {value:.4f}" for name, value in found.proportional.items())
        yield Sheet(
            title="The same minus proportional sampling",
            left=("source alone",),
            right=tuple(targets),
            rows=shown,
            caption=f"proportional: {levels};{_halves(found, 'proportional')}",
            lines=more,
        )


def _halves(found: Matrix, against: Literal["base", "proportional"]) -> str:
    """The noise of each column."""
    cells = next(iter(found.cells.values()), {})
    deltas = {name: cell.base if against == "base" else cell.proportional for name, cell in cells.items()}
    return ",".join(f" {name}{told_half(each)}" for name, each in deltas.items()) if found.seeds > 1 else " not known"


def _row(cells: Mapping[str, Cell], targets: Sequence[str], told: bool) -> Iterator[str]:
    for name in targets:
        yield number(cells[name].base.value, DELTA)
        if told:
            yield number(cells[name].influence, "+.2%")


def _extremes(cells: Mapping[str, Cell], overall: float) -> tuple[str, str, str]:
    ordered = sorted(cells, key=lambda name: cells[name].base.value)
    lowest, highest = (f"{cells[name].base.value:{DELTA}} {name}" for name in (ordered[0], ordered[-1]))
    return f"{overall:+.4f}", lowest, highest


def _lines(found: Matrix) -> Iterator[str]:
    for name, each in found.correlations.items():
        if each is not None:
            value, between = correlation_cells(each)
            yield f"{name}: rank correlation of influence with the measured effect {value} {between}."
    if found.failed:
        yield f"Left out, since a run failed: {', '.join(found.failed)}."


def matrix_document(found: Matrix) -> dict[str, Json]:
    """The panel as JSON."""
    return asdict(found)


def _float(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) else None
