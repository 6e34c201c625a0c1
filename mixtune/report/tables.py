"""A summary as text tables for a terminal of 80 columns or more, with or without colour."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mixtune.recipe import Recipe
from mixtune.report.epochs import epochs_caption, repeated_lines
from mixtune.report.intervals import Interval
from mixtune.report.judged import Judged
from mixtune.report.looks.collected import is_look, look_sheets
from mixtune.report.options import recipe_lines
from mixtune.report.panels.collected import panel_sheets
from mixtune.report.panels.contamination import contamination_line
from mixtune.report.sheet import Sheet
from mixtune.report.summary import Summary, Verdict
from mixtune.study import Study

SHOWN = ("ndcg@10", "recall@20")
"""Test metrics that are always shown; the objective's joins them."""

COLOURS = {Verdict.YES: "green", Verdict.NO: "red", Verdict.NO_WINNER: "yellow"}

SPENT = {"train": "training", "probe": "signals"}
"""Parts of a cost whose names are not words for people; signals are probes and gradients."""

BLOCKS = " ▁▂▃▄▅▆▇█"

OUTSIDE = 3
"""Bounds that are named of those that a baseline breaks."""

BAR = 8
"""Characters of the longest bar."""


def report(summary: Summary) -> Group:
    """The report of a study: best recipe, test results, the answer, and what it cost."""
    parts: list[RenderableType] = []
    if summary.best is not None and not is_look(summary.study):
        parts += [recipe_table(summary.study, summary.best.recipe), Text("")]
        if lines := [Text(line) for line in recipe_lines(summary.best.recipe)]:
            parts += [*lines, Text("")]
    parts.extend(test_tables(summary))
    parts.extend(Text(line) for line in outside_lines(summary))
    if summary.best is not None and not is_look(summary.study):
        parts.extend(Text(line) for line in repeated_lines(summary.study, summary.best.recipe))
    answer = summary.comparisons.get("proportional")
    for baseline, comparison in summary.comparisons.items():
        style = COLOURS.get(comparison.verdict, "") if baseline == "proportional" else ""
        parts.append(Text(comparison.sentence, style=style))
    if answer is None:
        parts.append(Text(summary.answer))
    if summary.panels.holdout.readings:
        parts.append(Text(summary.panels.holdout.sentence))
    parts.append(Text(""))
    parts.extend(Text(line) for line in cost_lines(summary))
    parts.extend(Text(line) for line in corpus_lines(summary.study))
    return Group(*parts)


def panels_report(summary: Summary) -> Group:
    """What a study's trials say beside scores, and what looks into it found, with a line between."""
    study = summary.study
    told = () if is_look(study) else panel_sheets(study, summary.panels)
    return sheets_report((*told, *look_sheets(study, summary.looks)))


def sheets_report(sheets: Iterable[Sheet]) -> Group:
    """Sheets one below the other, with a line between."""
    parts: list[RenderableType] = []
    for sheet in sheets:
        parts += [*_sheet_parts(sheet), Text("")]
    return Group(*parts)


def recipe_table(study: Study, recipe: Recipe, title: str = "Best recipe (weights are shares of batches)") -> Table:
    """Weight by weight beside the proportional share, heaviest first, with the passes of the final training."""
    table = plain_table(title)
    add_columns(table, left=("source",), right=("weight",))
    table.add_column("", min_width=BAR, no_wrap=True)
    add_columns(table, right=("proportional", "kept", "rows", "epochs"))
    proportional, epochs, rows = study.proportional(), study.epochs(recipe), study.rows
    often = study.repeated(recipe)
    heaviest = max(recipe.mixture.values())
    for name in sorted(study.names, key=lambda name: (-recipe.mixture.get(name, 0.0), name)):
        weight = recipe.mixture.get(name, 0.0)
        table.add_row(
            name,
            f"{weight:.3f}",
            bar(weight / heaviest, BAR),
            f"{proportional[name]:.3f}",
            f"{recipe.pruning.share(name):.0%}",
            f"{rows[name]:,}",
            f"{epochs[name]:.1f}{'!' if name in often else ' ' if often else ''}",
        )
    add_caption(table, epochs_caption(study, recipe))
    return table


def test_tables(summary: Summary) -> Iterator[Table]:
    """One table per metric: targets down, base model, baselines and the tuned recipe across, with intervals."""
    study = summary.study
    arms: dict[str, Judged] = {}
    if summary.base_model is not None:
        arms["base model"] = summary.base_model
    arms |= summary.baselines
    if summary.best is not None:
        arms["tuned"] = summary.best.judged
    arms = {name: judged for name, judged in arms.items() if judged.scores}
    for metric in dict.fromkeys((*SHOWN, study.objective.metric)) if arms else ():
        title = f"Test {metric}, mean ± half of the 95 % interval"
        table = plain_table(title)
        add_columns(table, left=("target",), right=tuple(arms))
        found = {name: judged.intervals() for name, judged in arms.items()}
        for target in study.targets:
            table.add_row(target.name, *(_cell(_at(found[name], target.name, metric)) for name in arms))
        if len(study.targets) > 1:
            overall = (_cell(judged.overall(study, metric)) for judged in arms.values())
            table.add_row(f"all ({study.objective.aggregate})", *overall, style="bold")
        yield table


def outside_lines(summary: Summary) -> Iterator[str]:
    """Which bounds of the study's space the baselines break: they are what their names say, tuned recipes are not."""
    if summary.study.preparation is None:
        return
    for name, judged in summary.baselines.items():
        broken = summary.study.broken_bounds(judged.recipe) if judged.recipe is not None else ()
        if broken:
            more = f" and {len(broken) - OUTSIDE} more" if len(broken) > OUTSIDE else ""
            yield f"{name} lies outside the space: {'; '.join(broken[:OUTSIDE])}{more}"


def cost_lines(summary: Summary) -> Iterator[str]:
    """What it took: the search, and beside it choosing, judging and preparation, which are not charged to it."""
    costs, look = summary.costs, is_look(summary.study)
    runs = "" if costs.runs is None else f", as much as {costs.runs:.2f} fresh runs"
    if not look:
        yield f"Search       {flops(costs.search)}{runs}, {duration(costs.search_seconds)} of trials"
    if len(costs.parts) > 1:
        spent = (f"{SPENT.get(name, name)} {flops(cost)}" for name, cost in costs.parts.items())
        yield f"  on what    {', '.join(spent)}"
    if costs.reference:
        yield f"  of which   {flops(costs.reference)} in reference runs"
    if summary.spared is not None:
        spared = summary.spared
        yield (
            f"Stopping     {spared.runs} of {spared.of_runs} runs ended early, {spared.steps:,} of {spared.of_steps:,} "
            f"steps left out"
        )
    if costs.choosing:
        yield f"Choosing     {flops(costs.choosing)}, {duration(costs.choosing_seconds)} of trials"
    if summary.reused:
        yield f"Reused       {summary.reused} runs that an equal trial had done; they count at what that one cost"
    yield f"{'Look   ' if look else 'Judging'}      {flops(costs.judging)}, {duration(costs.judging_seconds)} of trials"
    yield f"Preparation  {flops(costs.preparation)}, {duration(costs.preparation_seconds)}"
    found = summary.study.preparation
    if found is not None:
        yield f"Cache        {found.encoded:,} texts encoded, {found.tokenised:,} tokenised, {found.reused:,} reused"


def corpus_lines(study: Study) -> Iterator[str]:
    """Which documents the queries were ranked against: all on test, a candidate pool on dev where there are more."""
    if study.preparation is None:
        return
    facts = study.preparation.targets
    yield f"Test         every document: {', '.join(f'{name} {one.documents:,}' for name, one in facts.items())}"
    pools = [f"{name} {one.dev_pool:,}" for name, one in facts.items() if one.dev_pool < one.documents]
    yield f"Dev          candidate pools: {', '.join(pools)}" if pools else "Dev          every document"
    if study.preparation.contamination is not None:
        yield f"Overlap      {contamination_line(study.preparation.contamination)}"


def bar(share: float, width: int) -> str:
    """A horizontal bar of that share of the width, in eighths of a character."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    return "█" * (eighths // 8) + ("▏▎▍▌▋▊▉"[eighths % 8 - 1] if eighths % 8 else "")


def spark(weights: Mapping[str, float], names: tuple[str, ...]) -> str:
    """One upright bar per source, the heaviest one full."""
    heaviest = max(weights.values(), default=0.0) or 1.0
    return "".join(BLOCKS[min(8, round(weights.get(name, 0.0) / heaviest * 8))] for name in names)


def flops(count: float) -> str:
    """Floating-point operations: `1.23 TFLOP`."""
    return f"{scaled(count)}FLOP"


def scaled(count: float) -> str:
    """A large number with a prefix: `1.23 T`, to be followed by its unit."""
    for size, prefix in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if count >= size:
            return f"{count / size:.2f} {prefix}"
    return f"{count:.0f} "


def duration(seconds: float) -> str:
    """A time for people: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60:02d} min"


def plain_table(title: str | None = None) -> Table:
    """A table with a line under its head and no other, its title on the left and in one line."""
    return Table(
        title=title,
        min_width=len(title or ""),
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def add_caption(table: Table, caption: str) -> None:
    """A line below a table, which is at least as wide."""
    table.caption = caption
    table.min_width = max(table.min_width or 0, len(caption))


def add_columns(table: Table, *, left: Sequence[str] = (), right: Sequence[str] = ()) -> None:
    """Columns of names, which give way where the terminal is narrow, then columns of numbers, which never do."""
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)


def _sheet_parts(sheet: Sheet) -> Iterator[RenderableType]:
    """A panel for a terminal: its table, if it has rows, and the lines below."""
    if sheet.rows:
        table = plain_table(sheet.title)
        add_columns(table, left=sheet.left, right=sheet.right)
        for row in sheet.rows:
            table.add_row(*row)
        if sheet.caption:
            add_caption(table, sheet.caption)
        yield table
    else:
        yield Text(sheet.title, style="bold")
    yield from (Text(line) for line in sheet.lines)


def _at(found: Mapping[str, Mapping[str, Interval]], target: str, metric: str) -> Interval | None:
    return found.get(target, {}).get(metric)


def _cell(found: Interval | None) -> str:
    return "-" if found is None else f"{found.value:.3f}±{found.half:.3f}".replace("±0.", "±.")
