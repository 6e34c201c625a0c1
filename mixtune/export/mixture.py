"""The neutral mixture file from a study's recipe; every other format starts from it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from mixtune.errors import ConfigError, ExportError
from mixtune.export.base import ExportRequest, write_files
from mixtune.mixture_file import (
    BatchingEntry,
    FinalBudget,
    MetricEntry,
    MixtureFile,
    Prior,
    ScheduleEntry,
    SourceEntry,
    read_mixture,
    source_uri,
)
from mixtune.pruning import Pruning, Schedule
from mixtune.source import Source, SourceFacts


def mixture_of(request: ExportRequest) -> MixtureFile:
    """The file's content: all usable sources of the study, those without weight included.

    Raises:
        DataError: the study is not prepared.
        ExportError: the recipe gives weight to a source that the study does not have.
    """
    study, recipe = request.study, request.recipe
    strangers = sorted(set(recipe.mixture) - set(study.names))
    if strangers:
        raise ExportError(
            f"the recipe has sources that study {study.name!r} does not: {', '.join(strangers)}; "
            f"it has {', '.join(study.names)}: export a recipe of this study"
        )
    low, high = study.bounds(recipe.pruning)
    epochs = study.epochs(recipe)
    facts = study.prepared.sources
    named = {source.name: source for source in study.sources}
    expert, pruning, batching = study.expert(), recipe.pruning, recipe.batching
    return MixtureFile(
        schema="mixtune/mixture/1",
        study=study.name,
        trial=request.trial,
        unit="loss" if batching.mixed else "batches",
        budget=FinalBudget(
            steps=study.final.steps,
            batch_size=study.final.batch_size or study.proxy.batch_size,
            rows=study.final_rows,
        ),
        sources=tuple(
            SourceEntry(
                name=name,
                uri=source_uri(_pinned(named[name], facts[name])),
                revision=facts[name].revision,
                rows=facts[name].rows,
                sha256=facts[name].sha256,
                weight=recipe.mixture.get(name, 0.0),
                kept=recipe.pruning.share(name),
                kept_rows=recipe.pruning.rows(name, facts[name].rows),
                floor=float(low[index]),
                cap=float(high[index]),
                implied_epochs=epochs[name],
                left_out=facts[name].left_out,
            )
            for index, name in enumerate(study.names)
        ),
        pruning=_method(pruning),
        schedule=_schedule(pruning.schedule),
        keep_least=pruning.least,
        batch_policy="mixed" if batching.mixed else "topics" if batching.topics else "random",
        batching=BatchingEntry(topics=batching.topics, clusters=batching.clusters, margin_bins=batching.margin_bins),
        negatives=study.proxy.negatives,
        precision=study.proxy.precision,
        prior=Prior(
            kind="proportional" if expert is None else "expert",
            weights=dict(study.proportional() if expert is None else expert),
        ),
        metric=MetricEntry(
            name=request.metric.name,
            value=request.metric.value,
            ci=request.metric.ci,
            seeds=request.metric.seeds,
        ),
        contamination=study.prepared.contamination,
        versions=dict(request.versions),
        created=datetime.fromtimestamp(request.created, UTC).isoformat(timespec="seconds"),
    )


def _method(pruning: Pruning) -> Literal["none", "static", "dynamic", "infobatch"]:
    """What decides which pairs are used: a schedule, if there is one, works on what static pruning leaves."""
    if pruning.schedule is not None:
        return "dynamic" if pruning.schedule.method == "dynamic" else "infobatch"
    return "static" if pruning.kept else "none"


def _schedule(schedule: Schedule | None) -> ScheduleEntry | None:
    if schedule is None or schedule.method != "dynamic":
        return None
    return ScheduleEntry(
        query_end=schedule.query_end,
        cutoff_end=schedule.cutoff_end,
        strength=schedule.strength,
        refresh=schedule.refresh,
    )


def _pinned(source: Source, facts: SourceFacts) -> Source:
    """A hub's data set at the commit that the study read, so that the final training reads the same rows."""
    return replace(source, revision=facts.revision or source.revision) if source.kind == "hub" else source


def check_ours(path: Path) -> None:
    """Make sure that nothing but a mixture file stands where one is to be written.

    Raises:
        ExportError: something else does.
    """
    if path.is_dir():
        raise ExportError(f"{path} is a folder: give the file to write, such as {path / 'mixture.json'}")
    if path.exists():
        try:
            read_mixture(path)
        except ConfigError as error:
            raise ExportError(
                f"{path} exists and is not a mixture file, so it is left alone: remove it or give another --out"
            ) from error


def export_mixture(request: ExportRequest) -> list[Path]:
    """Write the neutral mixture file at request.out; an older mixture file there is replaced.

    Raises:
        DataError: the study is not prepared.
        ExportError: the recipe is not one of this study, or out cannot be written or holds something else.
    """
    file = mixture_of(request)
    check_ours(request.out)
    return write_files({request.out: file.to_json()})
