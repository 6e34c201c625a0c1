"""The compare command: searchers head to head."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mixtune.cli.memory import require_memory
from mixtune.cli.options import AsJson, Db, database, hint, print_json
from mixtune.cli.parts import Parts, parts_of
from mixtune.errors import SearchExhausted, StudyExists, StudyNotFound, StudyStopped

if TYPE_CHECKING:
    from mixtune.comparison import Comparison, Member
    from mixtune.report.comparing.compared import Compared, Played
    from mixtune.store.base import Store, StudyRecord
    from mixtune.tuning.listener import Listener

INTERRUPTED = 130


def compare(
    context: typer.Context,
    what: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Study file; with --studies, names.", show_default=False)
    ],
    studies: Annotated[
        bool, typer.Option("--studies", help="Compare finished studies, whose names are given instead of a file.")
    ] = False,
    searchers: Annotated[
        str | None, typer.Option("--searchers", metavar="A,B,...", help="Algorithms to compare, for those in the file.")
    ] = None,
    replicates: Annotated[int | None, typer.Option("--replicates", min=1, help="How often. Default: 5")] = None,
    equal: Annotated[
        str | None, typer.Option("--equal", metavar="flops|trials|seconds", help="What each search gets alike.")
    ] = None,
    reach: Annotated[
        list[float] | None, typer.Option("--reach", help="Dev score whose compute is asked for; may be repeated.")
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Put search algorithms head to head on one study file.

    Same space, seeds and compute for all, several replicates; uniform, proportional and expert weights always take
    part. Goes on where it stands; more searchers or replicates are added to what is there.
    """
    parts, levels = parts_of(context), tuple(reach or ())
    if studies:
        if searchers or replicates or equal:
            raise typer.BadParameter("--searchers, --replicates and --equal are for a study file, not for --studies")
        with closing(parts.open_store(database(db))) as store:
            tell(_of_studies(store, what, levels), as_json=as_json)
        return
    if len(what) != 1:
        raise typer.BadParameter("give one study file, or names of studies behind --studies", param_hint="FILE")

    from mixtune.config import load_comparison

    named = tuple(name.strip() for name in searchers.split(",")) if searchers else ()
    loaded = load_comparison(Path(what[0]), searchers=named, replicates=replicates, equal=equal)
    url = database(db, loaded.db)
    with closing(parts.open_store(url, create=True)) as store:
        comparison = _stored(store, loaded.comparison, url)
        drive_comparison(parts, store, comparison, url, levels=levels, as_json=as_json)


def drive_comparison(
    parts: Parts, store: "Store", comparison: "Comparison", url: str, *, levels: Sequence[float] = (), as_json: bool
) -> None:
    """Run what is left of a stored comparison, watched, and tell what came out.

    Raises:
        StudyStopped: a member failed; what the others showed has been told.
    """
    from mixtune.cli.live import Output
    from mixtune.cli.running import patiently
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
        parts, lambda: parts.compare(store, comparison, trainer, artifacts=place.artifacts, watch=watch)
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
        played.append(_played(store, member.label, member.replicate, record))
    return compared(comparison, played, levels=levels)


def _of_studies(store: "Store", names: Sequence[str], levels: Sequence[float]) -> "Compared":
    from mixtune.report.comparing.compared import compared
    from mixtune.report.comparing.studies import side_by_side

    side = side_by_side([store.study(name).told for name in dict.fromkeys(names)])
    played = [_played(store, label, replicate, store.study(name)) for label, replicate, name in side.members]
    return compared(side.comparison, played, levels=levels, notes=side.notes)


def _played(store: "Store", label: str, replicate: int, record: "StudyRecord") -> "Played":
    from mixtune.report.comparing.compared import Played
    from mixtune.searchers import make
    from mixtune.searchers.finalists import crowned

    name, record = record.study.name, record.told
    trials = store.trials(name)
    recipe = None
    if record.study.preparation is not None:
        with suppress(SearchExhausted):
            recipe = crowned(record.study, make(record.study.search), trials)
    scores_of = partial(store.scores, name)
    return Played(label, replicate, record.study, record.state, record.reason, trials, recipe, scores_of)


def _stored(store: "Store", wanted: "Comparison", url: str) -> "Comparison":
    """The stored comparison of this description, new or with what is wanted more of it.

    Raises:
        StudyExists: a study has the name, or the comparison that has it is another one.
    """
    from mixtune.cli.specification import differences, said

    names = [record.comparison.name for record in store.comparisons()]
    if wanted.name not in names:
        return store.create_comparison(wanted).comparison
    stored = store.comparison(wanted.name).comparison
    found = [said(each) for each in differences(stored.base, replace(wanted.base, search=stored.base.search))]
    if wanted.equal is not stored.equal:
        found.append(f"equal is {stored.equal.value!r}, now {wanted.equal.value!r} is asked for")
    for label, search in wanted.contenders.items():
        if stored.contenders.get(label, search) != search:
            found.append(f"searcher {label!r} has other settings")
    if found:
        lines = "\n  ".join([f"comparison {wanted.name!r} exists with another specification:", *found])
        raise StudyExists(
            f"{lines}\nGive the new one another `name`, or remove the old one with "
            f"`mixtune rm {wanted.name}{hint(url)}`."
        )
    grown = replace(
        stored,
        contenders={**stored.contenders, **wanted.contenders},
        replicates=max(stored.replicates, wanted.replicates),
    )
    return stored if grown == stored else store.update_comparison(grown).comparison
