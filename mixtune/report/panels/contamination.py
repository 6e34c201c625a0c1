"""What a study trains on and is also measured with: the panel, its warnings, and the record."""

from collections.abc import Iterator
from dataclasses import asdict

from pydantic import JsonValue as Json
from pydantic import TypeAdapter

from mixtune.contamination import PARTS, Contamination, Overlap, Shared
from mixtune.report.sheet import Sheet, cut

HEADS = ("dev queries", "test queries", "dev docs", "test docs", "negatives")


def contamination_sheet(found: Contamination) -> Sheet:
    """The panel: a line per source and target that share anything, sources that hold queries first."""
    shared = [
        (source, target, overlap)
        for source, targets in found.overlaps.items()
        for target, overlap in targets.items()
        if overlap.found
    ]
    shared.sort(key=lambda each: (-each[2].queries, -_documents(each[2])))
    heads = HEADS if any(overlap.negatives.rows for _, _, overlap in shared) else HEADS[:-1]
    rows, more = cut(
        [(source, target, *_cells(overlap, len(heads))) for source, target, overlap in shared], "source-target pairs"
    )
    return Sheet(
        "Do sources hold what dev and test are made of? Rows per source and target",
        left=("source", "target"),
        right=heads if rows else (),
        rows=rows,
        caption="equal texts + near-duplicates" if rows else "",
        lines=(*more, *contamination_lines(found)),
    )


def contamination_lines(found: Contamination) -> Iterator[str]:
    """What to make of it, and what was done about it."""
    leaking = {
        source: sum(overlap.queries for overlap in targets.values()) for source, targets in found.overlaps.items()
    }
    leaking = {source: rows for source, rows in leaking.items() if rows}
    if not any(overlap.found for targets in found.overlaps.values() for overlap in targets.values()):
        yield "No row holds a text of dev or test, or a near-duplicate of one."
    elif not leaking:
        yield (
            "No row holds a dev or test query. Shared documents alone are usual where source and target have one"
            " corpus, and no leak."
        )
    taken = sum(found.removed.values())
    if found.decontaminate != "none":
        each = ", ".join(f"{source} {rows:,}" for source, rows in found.removed.items())
        yield f"`decontaminate: {found.decontaminate}` took {taken:,} rows out before anything was trained on" + (
            f": {each}." if each else "."
        )
    elif leaking:
        each = ", ".join(f"{source} ({rows:,} times)" for source, rows in leaking.items())
        yield (
            f"Warning: rows hold dev or test queries, which flatters every result: {each}."
            " `decontaminate: queries` in the study file takes them out."
        )


def contamination_line(found: Contamination) -> str:
    """All of it in a few words."""
    pairs = [overlap for targets in found.overlaps.values() for overlap in targets.values()]
    taken, held = sum(found.removed.values()), sum(overlap.queries for overlap in pairs)
    if found.decontaminate != "none":
        return f"{taken:,} rows were left out for what they share with dev and test"
    if held:
        return f"rows hold a dev or test query {held:,} times: see `mixtune show`"
    return "no row holds a dev or test query"


def contamination_document(found: Contamination) -> dict[str, Json]:
    """All of it as JSON, pairs that share nothing included: source -> target -> part -> exact and near rows."""
    document: dict[str, Json] = TypeAdapter(dict[str, Json]).validate_python(asdict(found))
    return document


def _documents(overlap: Overlap) -> int:
    return overlap.dev_documents.rows + overlap.test_documents.rows


def _cells(overlap: Overlap, count: int) -> Iterator[str]:
    for part in PARTS[:count]:
        shared: Shared = getattr(overlap, part)
        yield f"{shared.exact:,} + {shared.near:,}" if shared.rows else "0"
