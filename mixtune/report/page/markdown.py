"""A report as Markdown: the answer, then every table."""

from collections.abc import Iterator, Sequence

from mixtune.report.page.story import Story
from mixtune.report.sheet import Sheet


def markdown(stories: Sequence[Story]) -> str:
    """All studies, one heading each."""
    return "\n".join(line for told in stories for line in _study(told)) + "\n"


def _study(told: Story) -> Iterator[str]:
    yield from (f"# {_text(told.name)}", "")
    yield from (f"**{_text(told.answers[0])}**", "")
    if told.answers[1:]:
        yield from (*(f"- {_text(line)}" for line in told.answers[1:]), "")
    for sheet in told.sheets:
        yield from _sheet(sheet)
    yield from ("## How to reproduce", "", "```bash", *told.commands, "```", "")
    if told.file:
        yield from (f"where {_text(told.name)}.yaml is", "", "```yaml", *told.file.splitlines(), "```", "")


def _sheet(sheet: Sheet) -> Iterator[str]:
    yield from (f"## {_text(sheet.title)}", "")
    if sheet.rows:
        columns = (*sheet.left, *sheet.right)
        yield _row(columns)
        yield _row(("---",) * len(sheet.left) + ("---:",) * len(sheet.right))
        yield from (_row(cells) for cells in sheet.rows)
        yield ""
    if sheet.caption:
        yield from (f"*{_text(sheet.caption)}*", "")
    if sheet.lines:
        yield from (*(f"- {_text(line)}" for line in sheet.lines), "")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell if set(cell) <= {'-', ':'} else _text(cell) for cell in cells)} |"


def _text(text: str) -> str:
    """A text that no Markdown reader takes for markup."""
    for sign in ("\\", "`", "*", "_", "|", "<", "[", "#"):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
