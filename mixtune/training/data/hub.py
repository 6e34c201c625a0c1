"""Data sets of the Hugging Face hub, or local copies of such repositories, through `datasets`.

Sources are tables (see `columns`). Targets have the layout of MTEB: the configs `corpus` and `queries` (_id, title,
text) and, as `qrels` or `default`, judgements (query-id, corpus-id, score). What is downloaded stays in the hub's own
cache (HF_HOME), where other programs find it, too; local copies are read through mixtune's own. A streamed source is
the first `limit` rows of a stream that is shuffled through a buffer of SHUFFLE rows with seed SEED: the same rows each
time, but not a uniform sample of a data set that is longer than the buffer.
"""

import logging
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from glob import has_magic
from pathlib import Path

import datasets
from datasets.exceptions import DatasetsError
from huggingface_hub import logging as hub_logging

from mixtune.errors import DataError
from mixtune.source import Source
from mixtune.target import Target
from mixtune.training.cache import lacks_room, no_room, stamp
from mixtune.training.data import jsonl
from mixtune.training.data.beir import text_by_id
from mixtune.training.data.judgements import Collection, Judgements, add, task_of
from mixtune.training.data.tables import Cells, Table, cells_of, text_of
from mixtune.training.data.texts import SourceText, TargetText, content_hash

SHUFFLE = 10_000
"""Rows of the buffer that a stream is shuffled through (ours)."""

SEED = 0
"""Seed of that shuffle."""

_FORMAT = "hub-1"
_COMMIT = re.compile("[0-9a-f]{40}")


def fingerprint(data: Source | Target) -> str:
    """What the data depends on: the commit that the revision is at now, or the files of a local copy.

    A revision that is a commit needs no network.

    Raises:
        DataError: the hub cannot be asked, or has no such data set.
    """
    path = _path(data)
    if Path(path).is_dir():
        state = _state(Path(path))
    elif data.revision is not None and _COMMIT.fullmatch(data.revision):
        state = data.revision
    else:
        config = data.config if isinstance(data, Source) else "corpus"
        state = str(_builder(path, config, data.revision, None).hash)
    return content_hash([_FORMAT, path, state])


def pairs(source: Source, cache: Path) -> SourceText:
    """The pairs of one split of a data set.

    Raises:
        DataError: the data set cannot be reached or read, or its rows are no pairs.
    """
    path = _path(source)
    builder = _builder(path, source.config, source.revision, cache)
    name = f"data set {path}"
    notes: tuple[str, ...] = ()
    with _reading(path, source.config, source.revision):
        if source.streaming:
            rows = list(_streamed(builder, source))
            notes = (
                f"a streamed sample: the first {len(rows)} rows of split {source.split!r} shuffled with seed {SEED}"
                f" through a buffer of {SHUFFLE} rows",
            )
            names = tuple(dict.fromkeys(column for row in rows for column in row))

            def read(wanted: Sequence[str]) -> dict[str, Cells]:
                return {column: [row.get(column) for row in rows] for column in wanted}

        else:
            dataset = _split(builder, source.split)
            names = tuple(dataset.column_names)

            def read(wanted: Sequence[str]) -> dict[str, Cells]:
                return cells_of(dataset, wanted)

    table = Table(name, names, read, lambda row: f"{name}, split {source.split}, row {row + 1}")
    text = text_of([table], source.columns, source.min_score)
    return replace(text, notes=(*notes, *text.notes), revision=_commit(builder))


def task(target: Target, cache: Path) -> TargetText:
    """A retrieval task in the layout of MTEB.

    Raises:
        DataError: the data set cannot be reached or read, or has another layout.
    """
    path = _path(target)
    builders = {name: _builder(path, name, target.revision, cache) for name in ("corpus", "queries")}
    configs = list(builders["corpus"].builder_configs)
    judged = _builder(path, "qrels" if "qrels" in configs else "default", target.revision, cache)

    def judgements(split: str) -> Judgements:
        with _reading(path, judged.config.name, target.revision):
            cells = _cells(_split(judged, split), ("query-id", "corpus-id", "score"), path)
        found: Judgements = {}
        rows = zip(cells["query-id"], cells["corpus-id"], cells["score"], strict=True)
        for i, (key, doc, score) in enumerate(rows, 1):
            where = f"data set {path}, judgements of split {split}, row {i}"
            if not isinstance(score, int | float) or not math.isfinite(score):
                raise DataError(f"{where}: score is {score!r}, where a finite number is expected")
            add(found, str(key), str(doc), float(score), where)
        return found

    with _reading(path, None, target.revision):
        texts = {name: _texts(builder, name, path) for name, builder in builders.items()}
    return task_of(
        Collection(
            queries=texts["queries"],
            corpus=texts["corpus"],
            judgements=judgements,
            judgements_name=lambda split: f"data set {path}, split {split} of {judged.config.name}",
            queries_name="its queries",
            corpus_name="its corpus",
        ),
        target.dev,
        target.test,
    )


def _texts(builder: datasets.DatasetBuilder, name: str, path: str) -> dict[str, str]:
    """Text by id. The one split of a config is named after it, or anyhow."""
    builder.download_and_prepare()
    splits = list(builder.info.splits)
    dataset = builder.as_dataset(split=name if name in splits else splits[0])
    has_title = "title" in dataset.column_names
    cells = _cells(dataset, ("_id", "text", *(["title"] if has_title else [])), path)
    titles = cells["title"] if has_title else [None] * len(dataset)
    found: dict[str, str] = {}
    for key, title, text in zip(cells["_id"], titles, cells["text"], strict=True):
        if not isinstance(text, str):
            raise DataError(f"data set {path}, {name}: text of _id {key!r} is {text!r}, where a text is expected")
        text_by_id(found, key, title, text, f"data set {path}, {name}")
    return found


def _cells(dataset: datasets.Dataset, names: Sequence[str], path: str) -> dict[str, Cells]:
    lost = [name for name in names if name not in dataset.column_names]
    if lost:
        raise DataError(
            f"data set {path} has no column {lost[0]!r}, it has {', '.join(dataset.column_names)}: a target has the"
            " configs corpus and queries (_id, text) and qrels or default (query-id, corpus-id, score)"
        )
    return cells_of(dataset, names)


def _streamed(builder: datasets.DatasetBuilder, source: Source) -> Iterator[dict[str, object]]:
    if source.limit is None:
        raise DataError("a streamed source needs a limit: say how many rows to take, such as limit: 10000")
    stream = builder.as_streaming_dataset(split=source.split)
    yield from stream.shuffle(seed=SEED, buffer_size=SHUFFLE).take(source.limit)


def _split(builder: datasets.DatasetBuilder, split: str) -> datasets.Dataset:
    builder.download_and_prepare()
    return builder.as_dataset(split=split)


def _builder(path: str, config: str | None, revision: str | None, cache: Path | None) -> datasets.DatasetBuilder:
    with _reading(path, config, revision):
        if cache is None or not Path(path).is_dir():
            return datasets.load_dataset_builder(path, config, revision=revision)
        # `datasets` does not always see that the files of a local copy have changed.
        place = cache / "datasets" / content_hash([_FORMAT, _state(Path(path))])[:16]
        return datasets.load_dataset_builder(path, config, cache_dir=str(place))


def _state(folder: Path) -> str:
    """What a local copy depends on."""
    return stamp(sorted(file for file in folder.rglob("*") if file.is_file()), folder)


def _commit(builder: datasets.DatasetBuilder) -> str | None:
    """The commit that was read; None for a local copy, which has none."""
    found = str(builder.hash)
    return found if _COMMIT.fullmatch(found) else None


def _path(data: Source | Target) -> str:
    if not isinstance(data.location, str):
        raise DataError("a hub source names one data set: make a source of each")
    if has_magic(data.location) and Path(data.location).is_dir():
        raise DataError(
            f"folder {data.location!r} cannot be read as a copy of a data set: `datasets` takes its name for a pattern"
            " that other folders fit; rename it without *, ?, [ and ]"
        )
    return data.location


@contextmanager
def _reading(path: str, config: str | None, revision: str | None) -> Iterator[None]:
    """Turn what `datasets` says when it cannot read something into one error with a next step."""
    level = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.CRITICAL)
    try:
        with jsonl.quiet():
            yield
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        if lacks_room(error):
            raise no_room(Path(datasets.config.HF_CACHE_HOME), error, "HF_HOME") from error
        which = "".join(f", {key} {value}" for key, value in (("config", config), ("revision", revision)) if value)
        why = " ".join(str(error.__cause__ or error).split())
        step = (
            "without a network, set HF_HUB_OFFLINE=1 if it was downloaded before, or copy its files here and name their"
            " folder as path, or give them to kind parquet or jsonl"
            if isinstance(error, ConnectionError)
            else "check path, config, split and revision, and that you may read it (`hf auth login`)"
        )
        raise DataError(f"data set {path!r}{which} cannot be read ({why:.300}): {step}") from error
    finally:
        hub_logging.set_verbosity(level)
