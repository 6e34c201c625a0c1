"""What a report tells: the answer, its figures, the tables beside them, and where all of it comes from."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue as Json

from mixtune.report.comparing.compared import Compared
from mixtune.report.comparing.document import compared_document
from mixtune.report.comparing.sheets import compared_sheets
from mixtune.report.document import document
from mixtune.report.epochs import repeated_lines
from mixtune.report.figures import Shown, figures_of
from mixtune.report.figures.answers import StudyGain, answers, gain
from mixtune.report.figures.compared import comparison_figures
from mixtune.report.looks.collected import is_look, look_sheets
from mixtune.report.page.provenance import (
    installing,
    prepared_sheets,
    provenance_sheets,
    reproducing,
    specification,
    specification_of,
)
from mixtune.report.panels.collected import panel_sheets
from mixtune.report.sheet import Sheet
from mixtune.report.summary import Summary, Verdict
from mixtune.trial import Trial

MARKS = {Verdict.YES: "yes", Verdict.NO: "no"}


@dataclass(frozen=True, slots=True)
class Story:
    """What a report tells of one study or comparison.

    answers begins with the answer in one sentence, whose mark is `yes`, `no` or `open`, and goes on with warnings;
    facts are what to know before anything else. panels are tables that no figure shows, provenance says what was run on
    which data, commands make all of it again from file, the text of the study file (empty for what no file describes).
    gain is the study's over proportional sampling, None where there is none. whole is whether it is told in full, not
    by one of its figures.
    """

    name: str
    answers: tuple[str, ...]
    mark: str
    facts: tuple[tuple[str, str], ...]
    figures: tuple[Shown, ...]
    panels: tuple[Sheet, ...]
    provenance: tuple[Sheet, ...]
    commands: tuple[str, ...]
    file: str
    specification: Json
    document: Json
    gain: StudyGain | None = None
    whole: bool = True

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """Every table: of figures, of panels, of provenance."""
        return (*(shown.sheet for shown in self.figures), *self.panels, *self.provenance)


def story(summary: Summary, trials: Sequence[Trial], file: str) -> Story:
    """Tell a study in any state from its summary, all its trials, and the study file that makes it again."""
    study, costs = summary.study, summary.costs
    first = summary.comparisons.get("proportional")
    others = (each.sentence for name, each in summary.comparisons.items() if name != "proportional")
    sheets = (*panel_sheets(study, summary.panels), *look_sheets(study, summary.looks))
    figures, panels = _with_panels(figures_of(summary, trials), sheets)
    return Story(
        name=study.name,
        answers=(summary.answer, *others, *_warnings(summary)),
        mark="open" if first is None else MARKS.get(first.verdict, "open"),
        facts=(
            ("search", study.search.algorithm),
            ("compute", "-" if costs.runs is None else f"{costs.runs:.1f} runs"),
            ("sources", str(len(study.names))),
            ("targets", str(len(study.targets))),
            ("state", summary.state.value),
        ),
        figures=figures,
        panels=panels,
        provenance=tuple(provenance_sheets(summary)),
        commands=reproducing(summary),
        file="" if is_look(study) else file,
        specification=specification(study),
        document=document(summary),
        gain=gain(summary),
    )


def _warnings(summary: Summary) -> Iterator[str]:
    """What to keep in mind with the answer: how often test was read, and sources that are repeated too often."""
    if summary.panels.holdout.readings:
        yield summary.panels.holdout.sentence
    if summary.best is not None and not is_look(summary.study):
        yield from repeated_lines(summary.study, summary.best.recipe)


def answers_story(stories: Sequence[Story]) -> Story | None:
    """Tell several studies by their answers alone, side by side; None where none of them was judged."""
    gains = [told.gain for told in stories if told.gain is not None]
    if not gains:
        return None
    names = shlex.join(told.name for told in stories)
    better = sum(told.mark == "yes" for told in stories)
    return Story(
        name=", ".join(told.name for told in stories),
        answers=(
            f"Tuning beats proportional sampling in {better} of {len(stories)} studies.",
            *(f"{told.name}: {told.answers[0]}" for told in stories),
        ),
        mark="open",
        facts=(),
        figures=(answers(gains),),
        panels=(),
        provenance=(),
        commands=(f"mixtune report {names} --figure answers",),
        file="",
        specification=None,
        document=None,
        whole=False,
    )


def comparison_story(found: Compared, file: str) -> Story:
    """Tell a comparison in any state, with the study file that makes it again."""
    comparison = found.comparison
    figures, panels = _with_panels(list(comparison_figures(found)), compared_sheets(found))
    done = sum(member.state.value == "complete" for member in found.members)
    return Story(
        name=comparison.name,
        answers=(found.answer,),
        mark="yes" if found.answer.partition(":")[0].endswith(" wins") else "open",
        facts=(
            ("searchers", ", ".join(comparison.contenders)),
            ("replicates", str(comparison.replicates)),
            ("equal", comparison.equal.value),
            ("complete", f"{done} of {len(comparison.contenders) * comparison.replicates}"),
        ),
        figures=figures,
        panels=panels,
        provenance=(
            *prepared_sheets(found.study),
            Sheet(
                "Searches",
                left=("study", "searcher", "state"),
                right=("replicate",),
                rows=tuple((m.study, m.label, m.state.value, str(m.replicate)) for m in found.members),
                caption="each is a study of its own: `mixtune report` and `mixtune show` tell of it",
            ),
        ),
        commands=(
            *installing(found.study, found.versions),
            f"mixtune compare {shlex.quote(f'{comparison.name}.yaml')}",
            f"mixtune report {shlex.quote(comparison.name)} --out {shlex.quote(f'{comparison.name}.html')}",
        ),
        file=file,
        specification=specification_of(comparison),
        document=compared_document(found),
    )


def _with_panels(figures: Iterable[Shown], sheets: Iterable[Sheet]) -> tuple[tuple[Shown, ...], tuple[Sheet, ...]]:
    """Give each figure the panel of its title, which may say more than its own table; the others stay panels."""
    by_title = {sheet.title: sheet for sheet in sheets}
    told = tuple(replace(shown, sheet=by_title.pop(shown.sheet.title, shown.sheet)) for shown in figures)
    return told, tuple(by_title.values())


def story_document(told: Story) -> dict[str, Json]:
    """The story as JSON: the answer, what `show --json` says, the numbers of every figure, and how to make it again.

    A study that is told by one figure is its name, the answer and that figure.
    """
    figures: dict[str, Json] = {
        shown.name: {
            "title": shown.sheet.title,
            "columns": list(shown.header),
            "rows": [list(cells) for cells in shown.cells],
        }
        for shown in told.figures
    }
    first: dict[str, Json] = {"name": told.name, "answer": told.answers[0]}
    if not told.whole:
        return {**first, "figures": figures}
    return {
        **first,
        "found": told.document,
        "figures": figures,
        "specification": told.specification,
        "study_file": told.file or None,
        "reproduce": list(told.commands),
    }
