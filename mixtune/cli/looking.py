"""Running the studies that look into a finished one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mixtune.cli.asking import refuse_others
from mixtune.cli.counts import counted
from mixtune.cli.options import hint
from mixtune.cli.parts import Parts
from mixtune.errors import ConfigError, NotReady, StudyNotFound

if TYPE_CHECKING:
    from mixtune.recipe import Recipe
    from mixtune.store.base import Store, StudyRecord
    from mixtune.study import Study

Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        parser=counted(1, 20, why="every recipe is run on at least one seed"),
        metavar="1-20",
        help="Training seeds of each run.",
    ),
]


def finished(store: "Store", name: str, url: str) -> "tuple[Study, Recipe]":
    """A finished study and the recipe that it recommends.

    Raises:
        StudyNotFound: no study of that name.
        ConfigError: it is a look into a study itself, or a part of a comparison.
        NotReady: it has not run to its end, or has nothing to recommend.
    """
    from mixtune.cli.reading import summary_of
    from mixtune.study import StudyState

    record = store.study(name).told
    if record.study.of:
        raise ConfigError(f"study {name!r} is a part of {record.study.of!r}: look into a study of its own")
    if record.state is not StudyState.COMPLETE:
        raise NotReady(
            f"study {name!r} is {record.state.value}, and only a finished one can be looked into: go on with "
            f"`mixtune resume {name}{hint(url)}`"
        )
    best = summary_of(store, name).best
    if best is None:
        raise NotReady(f"study {name!r} has no finished trial to recommend a recipe from")
    return record.study, best.recipe


def run_looks(parts: Parts, store: "Store", study: "Study", looks: Sequence["Study"], url: str, *, told: bool) -> None:
    """Run what is left of the looks into a study, watched; what each takes is said before the first one starts.

    A look that is complete already stays as it is. told leaves standard output to what comes after.

    Raises:
        StudyExists: there is one of another list, proxy or number of seeds.
        ModelError: a larger proxy is not possible; nothing is stored then.
        StudyStopped: one failed.
        Exit: it was interrupted.
    """
    from mixtune.cli.live import Output
    from mixtune.cli.running import drive_watched
    from mixtune.config import home
    from mixtune.study import StudyState

    console = Output(stderr=told)
    kept = _stored(store, looks)
    refuse_others({name: record.study for name, record in kept.items()}, looks, study.name, hint(url))
    done = {name for name, record in kept.items() if record.state is StudyState.COMPLETE}
    fresh = study.prepared.run_flops
    said = []
    for look in looks:  # what is not possible is found here, before anything is told or stored
        if look.name in done:
            said.append(f"{look.name} has been run already")
        else:
            unit = fresh if look.proxy == study.proxy else parts.price(look, home().ready().cache)
            said.append(_price(look, unit, fresh))
    for line in said:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    records = [kept.get(look.name) or _created(store, look) for look in looks]
    for record in records:
        if record.study.name not in done:
            drive_watched(parts, store, record, url, console)


def _price(look: "Study", unit: float, fresh: float) -> str:
    """Its runs, their cost, and that in fresh runs of the study; unit is the cost of one run of the look."""
    from mixtune.report.looks.fidelity import proxy_name
    from mixtune.report.tables import flops

    runs = look.budget.trials or 0
    return (
        f"{look.name}: {runs} runs of {proxy_name(look.proxy)}, about {flops(runs * unit)}, as much as "
        f"{runs * unit / fresh:,.1f} fresh runs of the study"
    )


def _stored(store: "Store", looks: Sequence["Study"]) -> "dict[str, StudyRecord]":
    """Those of the looks that are stored and have something to lose: they are as wanted, or have trials."""
    from mixtune.cli.specification import differences

    found: dict[str, StudyRecord] = {}
    for look in looks:
        try:
            record = store.study(look.name)
        except StudyNotFound:
            continue
        if not differences(record.study, look) or store.trials(look.name):
            found[look.name] = record
    return found


def _created(store: "Store", look: "Study") -> "StudyRecord":
    """The look, stored; another one of its name, which never had a trial, makes room."""
    if look.name in {record.study.name for record in store.studies()}:
        store.delete_study(look.name)
    return store.create_study(look)
