"""A comparison as the commands drive, show and tell it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from mixtune.cli.memory import require_memory
from mixtune.cli.options import INTERRUPTED, hint, print_json
from mixtune.cli.parts import Parts
from mixtune.cli.patience import patiently
from mixtune.errors import SearchExhausted, StudyNotFound, StudyStopped

if TYPE_CHECKING:
    from mixtune.comparison import Comparison, Member
    from mixtune.recipe import Recipe
    from mixtune.report.comparing.compared import Compared, Played
    from mixtune.store.base import Store, StudyRecord
    from mixtune.study import Study
    from mixtune.trial import Trial
    from mixtune.tuning.listener import Listener


def drive_comparison(
    parts: Parts,
    store: "Store",
    comparison: "Comparison",
    url: str,
    *,
    levels: Sequence[float] = (),
    as_json: bool,
    reuse: bool = True,
) -> None:
    """Run what is left of a stored comparison, watched, and tell what came out; without reuse nothing is taken over.

    Raises:
        StudyStopped: a member failed; what the others showed has been told.
    """
    from mixtune.cli.live import Output
    from mixtune.config import home
    from mixtune.study import StudyState

    place, console = home().ready(), Output(stderr=as_json)
    require_memory(comparison.base.budget.workers, parts.memory())
    trainer = parts.trainer(place.cache)
    total = len(comparison.contenders) * comparison.replicates
    order = {member.study.name: position for position, member in enumerate(comparison.members(), start=1)}

    @contextmanager
    def watch(member: "Member", record: "StudyRecord") -> Iterator["Listener"]:
        from mixtune.cli.live import watching

        place_in = f"[{order[member.study.name]}/{total}] {member.label}, replicate {member.replicate + 1}"
        console.print(f"{place_in} of {comparison.replicates}", markup=False, highlight=False)
        with watching(console, record, store.trials(record.study.name)) as listener:
            yield listener

    records = patiently(
        parts, lambda: parts.compare(store, comparison, trainer, artifacts=place.artifacts, watch=watch, reuse=reuse)
    )
    name, suffix = comparison.name, hint(url)
    if records[-1].state is StudyState.STOPPED:
        typer.echo(f"Stopped ({records[-1].reason}). Go on with `mixtune resume {name}{suffix}`.", err=True)
        raise typer.Exit(INTERRUPTED)
    tell(compared_of(store, comparison, levels), as_json=as_json)
    failed = [record for record in records if record.state is StudyState.FAILED]
    if failed:
        raise StudyStopped(
            f"{len(failed)} of {total} members failed, the first one ({failed[0].study.name}) because: "
            f"{failed[0].reason}. Mend the cause, then `mixtune resume {name}{suffix}`"
        )
    if not as_json:
        again = f"\nNext:\n  mixtune show {name}{suffix}\n      this report again (--json for programs)"
        console.print(again, markup=False, highlight=False, soft_wrap=True)


def show_comparison(store: "Store", name: str, *, as_json: bool) -> None:
    """Show a stored comparison as it stands. Raises StudyNotFound."""
    comparison = store.comparison(name).comparison
    found = compared_of(store, comparison, ())
    if not as_json:
        done = sum(member.state == "complete" for member in found.members)
        total = len(comparison.contenders) * comparison.replicates
        typer.echo(f"Comparison {name}: {done} of {total} searches complete\n")
    tell(found, as_json=as_json)


def tell(found: "Compared", *, as_json: bool) -> None:
    """Print a comparison."""
    from mixtune.report.comparing.document import compared_document
    from mixtune.report.comparing.sheets import compared_sheets
    from mixtune.report.tables import sheets_report

    if as_json:
        print_json(compared_document(found))
        return
    console = Console()
    console.print(sheets_report(compared_sheets(found)), end="")
    console.print(found.answer, markup=False, highlight=False, soft_wrap=True)


def compared_of(store: "Store", comparison: "Comparison", levels: Sequence[float]) -> "Compared":
    """Read and sum up a comparison in any state."""
    from mixtune.report.comparing.compared import compared

    played = []
    for member in comparison.members():
        try:
            record = store.study(member.study.name)
        except StudyNotFound:
            continue
        played.append(played_by(store, member.label, member.replicate, record))
    return compared(comparison, played, levels=levels)


def played_by(store: "Store", label: str, replicate: int, record: "StudyRecord") -> "Played":
    """A study as a comparison reads it: its trials, and the recipe that it recommends."""
    from mixtune.report.comparing.compared import Played

    name, record = record.study.name, record.told
    trials = store.trials(name)
    recipe = recommended(record.study, trials)
    scores_of = partial(store.scores, name)
    return Played(
        label, replicate, record.study, record.state, record.reason, trials, recipe, scores_of, record.versions or {}
    )


def recommended(study: "Study", trials: Sequence["Trial"]) -> "Recipe | None":
    """What a study recommends as it stands, None while it recommends nothing."""
    from mixtune.searchers import make
    from mixtune.searchers.finalists import crowned

    if study.preparation is not None:
        with suppress(SearchExhausted):
            return crowned(study, make(study.search), trials)
    return None
