"""The report command: a study in figures and tables."""

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mixtune.cli.contest import compared_of
from mixtune.cli.options import AsJson, Db, Names, database
from mixtune.cli.parts import parts_of
from mixtune.cli.reading import summary_of
from mixtune.errors import ExportError

if TYPE_CHECKING:
    from mixtune.report.page.story import Story
    from mixtune.store.base import Store

FORMATS = {"html": ".html", "md": ".md", "json": ".json", "csv": ""}
"""Formats of a report besides tables on the terminal, by name, and what their files end in."""

MAIN = ("weights", "duels", "scores")
"""The figure of a picture, unless another one is asked for: the first of these that there is."""

ANSWERS = "answers"
"""The figure that shows several studies side by side."""

COMPARED = ("duels", "results", "curves", "ranks")
"""The figures of a comparison."""


def _place(text: str) -> Path:
    """Where to write. Raises BadParameter: nothing is said."""
    if not text:
        raise typer.BadParameter("it is empty: say where to write, as in --out report.html")
    return Path(text)


def report(
    context: typer.Context,
    names: Names,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="PATH",
            parser=_place,
            help="File to write; of csv a folder. Without it, tables are printed.",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="html|md|json|csv", help="Told from the end of --out where it is not given."),
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", help="Draw the main figure as a picture (needs Chromium or Chrome).")
    ] = None,
    figure: Annotated[str | None, typer.Option("--figure", metavar="NAME", help="Only this figure.")] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Report on studies in figures and tables.

    --out report.html writes one page that needs no network and no other file. Works while a study runs. --format md
    and json print where there is no --out; csv writes the numbers behind each figure, a file each.
    """
    kind = _kind("json" if as_json else form, out)
    if png is not None and png.suffix.lower() != ".png":
        raise ExportError(f"{str(png)!r} is no place for a picture, which is a PNG file: end --png in .png")
    with closing(parts_of(context).open_store(database(db))) as store:
        stories = [_story(store, name) for name in dict.fromkeys(names)]
    if figure is not None:
        stories = _only(stories, figure)
    if png is not None:
        _draw(stories, figure, png)
        if out is None and kind is None:
            return
    _write(stories, kind, out)


def _kind(form: str | None, out: Path | None) -> str | None:
    """The format asked for, None for tables.

    Raises:
        ExportError: there is no such format, or no telling which one is meant.
    """
    known = ", ".join(FORMATS)
    if form is not None and form not in FORMATS:
        close = get_close_matches(form, FORMATS, n=1)
        raise ExportError(f"no report format {form!r}; {f'did you mean {close[0]!r}? ' if close else ''}known: {known}")
    if form in ("html", "csv") and out is None:
        raise ExportError(f"a report as {form} is written, not printed: say where with --out report{FORMATS[form]}")
    if form is not None and out is not None:
        others = {end: other for other, end in FORMATS.items() if end and other != form}
        other = others.get(out.suffix.lower())
        if other is not None:
            raise ExportError(f"{str(out)!r} ends as {other} and the format is {form}: give one or the other")
    if form is not None or out is None:
        return form
    for kind, end in FORMATS.items():
        if out.suffix.lower() == end:
            return kind
    raise ExportError(
        f"{str(out)!r} does not say which format is meant: end it in .html, .md or .json, or give --format ({known})"
    )


def _story(store: "Store", name: str) -> "Story":
    """Read a study or a comparison. Raises StudyNotFound."""
    from mixtune.config.writing import comparison_file, study_file
    from mixtune.report.page.story import comparison_story, story

    if name in {each.comparison.name for each in store.comparisons()}:
        comparison = store.comparison(name).comparison
        return comparison_story(compared_of(store, comparison, ()), comparison_file(comparison))
    summary = summary_of(store, name)
    return story(summary, store.trials(name), study_file(summary.study))


def _only(stories: Sequence["Story"], figure: str) -> list["Story"]:
    """The stories with one figure and nothing beside it. Raises ExportError."""
    from mixtune.report.page.story import answers_story

    if figure == ANSWERS and len(stories) > 1:
        told = answers_story(stories)
        if told is None:
            raise ExportError(f"none of these studies has an answer yet, which is what the figure {ANSWERS!r} shows")
        return [told]
    return [
        replace(
            told,
            figures=tuple(shown for shown in told.figures if shown.name == _known(told, figure)),
            panels=(),
            provenance=(),
            whole=False,
        )
        for told in stories
    ]


def _known(told: "Story", figure: str) -> str:
    """The name of a figure that the story has. Raises ExportError."""
    from mixtune.report.figures import FIGURES

    has = [shown.name for shown in told.figures]
    if figure in has:
        return figure
    if not has:
        raise ExportError(f"{told.name!r} has no numbers for any figure yet")
    known = f"it has {', '.join(has)}"
    if figure == ANSWERS:
        raise ExportError(f"the figure {ANSWERS!r} shows several studies: name them all; {told.name!r} alone: {known}")
    compares = not FIGURES.keys() & has
    if figure in (FIGURES if compares else COMPARED):
        kinds = ("a study", "a comparison") if compares else ("a comparison", "a study")
        raise ExportError(f"the figure {figure!r} is one of {kinds[0]}, and {told.name!r} is {kinds[1]}; {known}")
    if figure in {*FIGURES, *COMPARED}:
        raise ExportError(f"{told.name!r} has no numbers for the figure {figure!r} yet; {known}")
    close = get_close_matches(figure, (*has, *(COMPARED if compares else FIGURES)), n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    raise ExportError(f"{told.name!r} has no figure {figure!r}; {meant}{known}")


def _draw(stories: Sequence["Story"], figure: str | None, png: Path) -> None:
    """Write the picture of one figure. Raises ExportError."""
    from mixtune.export.base import write_files
    from mixtune.report.page.html import poster
    from mixtune.report.page.picture import picture

    if len(stories) != 1:
        raise ExportError(f"a picture shows one study, not {len(stories)}: give one NAME with --png")
    (told,) = stories
    drawn = [shown.name for shown in told.figures]
    wanted = figure or next((name for name in (*MAIN, *drawn) if name in drawn), None)
    if wanted is None:
        raise ExportError(f"{told.name!r} has nothing to draw yet: go on with `mixtune resume {told.name}`")
    page = poster(told, wanted)
    write_files({png: picture(page.page, page.width, page.height)}, "--png")
    typer.echo(f"Wrote {png}", err=True)


def _write(stories: Sequence["Story"], kind: str | None, out: Path | None) -> None:
    from mixtune.export.base import write_files
    from mixtune.report.page.markdown import markdown
    from mixtune.report.page.story import story_document

    if kind is None:
        _print(stories)
        return
    if kind == "csv" and out is not None:
        from mixtune.report.page.tabular import csv_files

        files = csv_files(stories, out)
    else:
        texts: dict[str, Callable[[], str]] = {
            "html": lambda: _page(stories),
            "md": lambda: markdown(stories),
            "json": lambda: json.dumps([story_document(told) for told in stories], indent=2, ensure_ascii=False) + "\n",
        }
        text = texts[kind]()
        if out is None:
            typer.echo(text, nl=False)
            return
        files = {out: text}
    for path in write_files(files):
        typer.echo(f"Wrote {path}", err=True)


def _page(stories: Sequence["Story"]) -> str:
    from mixtune.report.page.html import page

    return page(stories)


def _print(stories: Sequence["Story"]) -> None:
    from mixtune.report.tables import sheets_report

    console = Console()
    for told in stories:
        console.print(f"{told.name}: {told.answers[0]}", style="bold", markup=False, highlight=False)
        for line in told.answers[1:]:
            console.print(line, markup=False, highlight=False)
        console.print()
        console.print(sheets_report(told.sheets), end="")
        console.print("How to reproduce", style="bold")
        for line in told.commands:
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
        if told.file:
            console.print(f"  where {told.name}.yaml is what --format md shows", markup=False, highlight=False)
        console.print()
