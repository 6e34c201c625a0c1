"""How much a score moves from one training seed to the next."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from mixtune.report.figures.base import Figure
from mixtune.report.figures.canvas import ACCENT, BASELINES, MUTED, canvas, line_height, name_axis
from mixtune.report.panels.noise import Noise, noise_sheet
from mixtune.report.sheet import Sheet
from mixtune.report.summary import Summary
from mixtune.trial import Trial


@dataclass(frozen=True, slots=True)
class SeedScore:
    """The dev score of a recipe's judged run on one seed."""

    recipe: str
    replicate: int
    trial: int
    score: float


@dataclass(frozen=True, slots=True)
class Seeds:
    """Dev scores of all judged recipes that ran on at least two seeds; floor is the study's noise floor."""

    metric: str
    floor: Noise
    rows: tuple[SeedScore, ...]

    @property
    def recipes(self) -> dict[str, list[float]]:
        """Recipe -> scores, seed by seed."""
        found: dict[str, list[float]] = {}
        for row in self.rows:
            found.setdefault(row.recipe, []).append(row.score)
        return found


def points(summary: Summary, trials: Sequence[Trial]) -> Seeds | None:
    """Judged runs of the baselines and the tuned recipe; None where nothing ran on two seeds."""
    arms = {**summary.baselines} | ({} if summary.best is None else {"tuned": summary.best.judged})
    rows = [
        SeedScore(name, replicate, trial.number, trial.measurement.score)
        for name, judged in arms.items()
        if len(judged.runs) > 1
        for replicate, trial in sorted(judged.runs.items())
        if trial.measurement is not None and trial.measurement.score is not None
    ]
    counts = {row.recipe: sum(each.recipe == row.recipe for each in rows) for row in rows}
    kept = tuple(row for row in rows if counts[row.recipe] > 1)
    floor, study = summary.panels.noise, summary.study
    if floor is None or floor.dev is None or not kept:
        return None
    return Seeds(f"{study.objective.metric}, {study.objective.aggregate}", floor, kept)


def figure(found: Seeds) -> go.Figure:
    """A dot per seed and recipe, over a band of one standard deviation around the recipe's mean."""
    recipes = found.recipes
    sd = found.floor.dev.value if found.floor.dev is not None else 0.0
    drawn = canvas(line_height(len(recipes), 75) + 20, showlegend=False)
    for line, (name, scores) in enumerate(recipes.items()):
        colour = ACCENT if name == "tuned" else BASELINES.get(name, MUTED)
        mean = float(np.mean(scores))
        drawn.add_scatter(
            x=[mean - sd, mean + sd],
            y=[line, line],
            mode="lines",
            line={"width": 16, "color": "var(--band)"},
            hoverinfo="skip",
        )
        drawn.add_scatter(
            x=scores,
            y=[line] * len(scores),
            mode="markers",
            marker={"size": 10, "color": colour},
            hovertemplate=f"%{{x:.4f}}<extra>{name}</extra>",
        )
    name_axis(drawn, list(recipes))
    drawn.update_xaxes(title_text=f"dev {found.metric}", nticks=6, zeroline=False)
    return drawn


def sheet(found: Seeds) -> Sheet:
    """The panel of `mixtune show`."""
    return noise_sheet(found.floor)


NOISE = Figure(
    name="noise",
    points=points,
    figure=figure,
    sheet=sheet,
    reading="Each dot is the same recipe trained on another seed. Band: one standard deviation between seeds to each "
    "side, pooled over recipes. Differences between single runs that are not much larger than that are luck.",
)
