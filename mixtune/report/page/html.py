"""A report as one HTML file that needs nothing else: no network, no fonts, no other file."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template

from plotly.offline import get_plotlyjs

from mixtune.report.figures import Shown
from mixtune.report.figures.answers import answers
from mixtune.report.page.story import Story
from mixtune.report.sheet import Sheet

MAIN = "weights"
"""The figure that stands for a study where there is room for one."""


def page(stories: Sequence[Story]) -> str:
    """The report of one study, or of several with their answers side by side.

    Every text is escaped, and the page's own policy lets no script run but its two.
    """
    drawn: dict[str, str] = {}
    parts = list(_side_by_side(stories, drawn)) if len(stories) > 1 else []
    parts += [_study(told, f"s{index}", drawn) for index, told in enumerate(stories)]
    return _page(" · ".join(told.name for told in stories), "\n".join(parts), drawn)


POSTER = 860
"""Width of a poster in pixels."""


@dataclass(frozen=True, slots=True)
class Poster:
    """A page that holds one figure and the answer, and its size in pixels."""

    page: str
    width: int
    height: int


def poster(told: Story, name: str) -> Poster:
    """One figure of a study alone on a page, for a picture.

    Raises:
        KeyError: the story has no such figure.
    """
    shown = {each.name: each for each in told.figures}[name]
    drawn: dict[str, str] = {}
    answer = _told(told.answers[0])
    body = f'<div class="poster"><p class="answer {told.mark}">{answer}</p>{_figure(shown, "s0", drawn)}</div>'
    lines = len(told.answers[0]) // 80 + 1
    return Poster(_page(told.name, body, drawn), POSTER, int(shown.draw().layout.height) + 26 * lines + 110)


def _page(title: str, body: str, drawn: dict[str, str]) -> str:
    files = resources.files("mixtune.report.page")
    script, plotly = (files / "page.js").read_text("utf-8"), get_plotlyjs()
    hashes = " ".join(f"'sha256-{_digest(text)}'" for text in (plotly, script))
    figures = "{" + ",".join(f"{json.dumps(place)}:{figure}" for place, figure in drawn.items()) + "}"
    return Template((files / "page.html").read_text("utf-8")).substitute(
        title=escape(title),
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {hashes}",
        style=(files / "page.css").read_text("utf-8"),
        body=body,
        figures=figures.replace("<", "\\u003c"),
        plotly=plotly,
        script=script,
    )


def _told(text: str) -> str:
    """A sentence, escaped, what stands between backticks as code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escape(text))


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _side_by_side(stories: Sequence[Story], drawn: dict[str, str]) -> Iterator[str]:
    """The answers of all, before any of them."""
    rows = "".join(
        f'<tr><td><a href="#s{index}">{escape(told.name)}</a></td><td>{_told(told.answers[0])}</td></tr>'
        for index, told in enumerate(stories)
    )
    yield f'<header class="top"><p class="kicker">mixtune report</p><h1>{len(stories)} answers</h1></header>'
    yield f'<div class="grid"><section class="card wide"><div class="scroll"><table>{rows}</table></div></section>'
    gains = [told.gain for told in stories if told.gain is not None]
    if gains:
        yield _figure(answers(gains), "all", drawn)
    yield "</div>"


def _study(told: Story, place: str, drawn: dict[str, str]) -> str:
    tiles = "".join(f"<div><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>" for key, value in told.facts)
    others = "".join(f"<p>{_told(line)}</p>" for line in told.answers[1:])
    figures = "".join(_figure(shown, place, drawn) for shown in told.figures)
    panels = "".join(f'<section class="card">{_sheet(sheet)}</section>' for sheet in told.panels)
    sheets = "".join(_sheet(sheet) for sheet in told.provenance)
    provenance = sheets and f'<section class="card wide" data-section="provenance">{sheets}</section>'
    file = f"<details open><summary>{escape(told.name)}.yaml</summary><pre>{escape(told.file)}</pre></details>"
    commands = escape("\n".join(told.commands))
    return (
        f'<article id="{place}"><header class="top"><p class="kicker">mixtune report</p><h1>{escape(told.name)}</h1>'
        f'<p class="answer {told.mark}">{_told(told.answers[0])}</p><div class="others">{others}</div>'
        f"{tiles and f'<dl class=tiles>{tiles}</dl>'}</header>"
        f'<div class="grid">{figures}{panels}{provenance}'
        f'<section class="card wide" data-section="reproduce"><h3>How to reproduce</h3><pre>{commands}</pre>'
        f"{file if told.file else ''}"
        "</section></div></article>"
    )


def _figure(shown: Shown, place: str, drawn: dict[str, str]) -> str:
    spot = f"{place}-{shown.name}"
    drawn[spot] = shown.draw().to_json()
    wide = " wide" if shown.wide else ""
    said = "".join(f"<p>{_told(line)}</p>" for line in shown.sheet.lines)
    return (
        f'<figure class="card{wide}" data-figure="{escape(shown.name)}"><h3>{escape(shown.sheet.title)}</h3>'
        f'<ul class="legend" hidden></ul>'
        f'<div class="plot" id="{spot}" role="img" aria-label="{escape(shown.sheet.title)}"></div>'
        f"<figcaption>{_told(shown.reading)}</figcaption>{said and f'<div class=said>{said}</div>'}"
        f"<details><summary>Numbers</summary>{_table(shown.sheet)}</details></figure>"
    )


def _sheet(sheet: Sheet) -> str:
    said = "".join(f"<p>{_told(line)}</p>" for line in sheet.lines)
    return f"<h3>{escape(sheet.title)}</h3>{_table(sheet)}{said and f'<div class=said>{said}</div>'}"


def _table(sheet: Sheet) -> str:
    if not sheet.rows:
        return ""
    wide = len(sheet.left)

    def cells(values: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{'' if index < wide else ' class=n'}>{escape(value)}</{tag}>" for index, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in sheet.rows)
    caption = f"<p class=caption>{_told(sheet.caption)}</p>" if sheet.caption else ""
    head = f"<thead><tr>{cells((*sheet.left, *sheet.right), 'th')}</tr></thead>"
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>{caption}'
