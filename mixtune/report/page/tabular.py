"""The numbers of every figure as CSV, one file each."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from mixtune.report.page.story import Story


def csv_files(stories: Sequence[Story], folder: Path) -> dict[Path, str]:
    """Path -> text: FOLDER/FIGURE.csv, of several studies FOLDER/STUDY/FIGURE.csv."""
    return {
        (folder / told.name if len(stories) > 1 else folder) / f"{shown.name}.csv": _text(shown.header, shown.cells)
        for told in stories
        for shown in told.figures
    }


def _text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
