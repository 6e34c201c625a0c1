"""The compare command: searchers head to head."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixtune.cli.contest import drive_comparison, played_by, tell
from mixtune.cli.options import AsJson, Db, database, hint
from mixtune.cli.parts import parts_of
from mixtune.errors import StudyExists

if TYPE_CHECKING:
    from mixtune.comparison import Comparison
    from mixtune.report.comparing.compared import Compared
    from mixtune.store.base import Store


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
    replicates: Annotated[int | None, typer.Option("--replicates", help="How often, 1 or more. Default: 5")] = None,
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
    parts, levels = parts_of(context), _levels(reach or ())
    if replicates is not None and replicates < 1:
        raise typer.BadParameter(f"{replicates} is too few: give 1 or more", param_hint="--replicates")
    if searchers is not None and not searchers.strip():
        raise typer.BadParameter(f"{searchers!r} names no algorithm: give some, as scout,tpe", param_hint="--searchers")
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


def _levels(given: Sequence[float]) -> tuple[float, ...]:
    """Dev scores to reach, each once."""
    for level in given:
        if not 0 <= level <= 1:
            text = f"{level:g} is no score to reach: give one between 0 and 1, as 0.61"
            raise typer.BadParameter(text, param_hint="--reach")
    return tuple(dict.fromkeys(given))


def _of_studies(store: "Store", names: Sequence[str], levels: Sequence[float]) -> "Compared":
    from mixtune.report.comparing.compared import compared
    from mixtune.report.comparing.studies import side_by_side

    side = side_by_side([store.study(name).told for name in dict.fromkeys(names)])
    played = [played_by(store, label, replicate, store.study(name)) for label, replicate, name in side.members]
    return compared(side.comparison, played, levels=levels, notes=side.notes)


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
