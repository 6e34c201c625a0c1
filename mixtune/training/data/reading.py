"""Sources and targets of a study as text: the readers by kind, samples, and deliberate corruption."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mixtune.errors import DataError
from mixtune.source import Source
from mixtune.target import Target
from mixtune.training.cache import keep, recall
from mixtune.training.data import beir, docstrings, files, hub
from mixtune.training.data.texts import SourceText, TargetText, content_hash

_SAMPLING = "sampling-2"
"""Part of what is remembered about a source: changes with `sampled`, `corrupted` and `prompted`."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How one kind of data is read.

    fingerprint(source or target) says what the data depends on without reading it, and changes when the data may
    have. pairs(source, cache) reads training pairs, task(target, cache) a retrieval task (None: targets cannot be of
    this kind); both leave sampling, corruption and prompts to read_source and read_target. cache is a folder that they
    may keep things in.
    """

    fingerprint: Callable[[Source | Target], str]
    pairs: Callable[[Source, Path], SourceText]
    task: Callable[[Target, Path], TargetText] | None


def _located(
    fingerprint: Callable[[str], str],
    pairs: Callable[[str, str, Path], SourceText],
    task: Callable[[str, str, str, Path], TargetText],
) -> Reader:
    """A reader that asks only where the data is and which splits are meant."""
    return Reader(
        lambda data: fingerprint(_place(data)),
        lambda source, cache: pairs(_place(source), source.split, cache),
        lambda target, cache: task(target.location, target.dev, target.test, cache),
    )


READERS: Mapping[str, Reader] = {
    "beir": _located(beir.fingerprint, beir.pairs, beir.task),
    "csv": Reader(files.fingerprint, files.pairs, None),
    "docstrings": _located(docstrings.fingerprint, docstrings.pairs, docstrings.task),
    "hub": Reader(hub.fingerprint, hub.pairs, hub.task),
    "jsonl": Reader(files.fingerprint, files.pairs, None),
    "parquet": Reader(files.fingerprint, files.pairs, None),
}


def read_source(source: Source, root: Path) -> SourceText:
    """Training pairs of a source, sampled, corrupted and prompted as it says, in this order; root is the cache root.

    Raises:
        DataError: the source cannot be read, or holds fewer than 2 pairs.
    """
    with _named(f"source {source.name!r}"):
        text = _reader(source.kind).pairs(source, root)
    if len(text) < 2:
        left_out = [f"{text.dropped} pairs with an empty text were left out"] if text.dropped else []
        because = "".join(f"; {each}" for each in (*left_out, *text.notes))
        raise DataError(
            f"source {source.name!r} ({source.kind} {', '.join(source.locations)}, split {source.split!r}) has"
            f" {len(text)} usable pairs, and training needs at least 2: check the data and the split, or take the"
            f" source out{because}"
        )
    return corrupted(sampled(text, source.limit), source.corrupt).prompted(source.prompts)


def read_target(target: Target, root: Path) -> TargetText:
    """Corpus and judged queries of a target, prompted as it says; root is the cache root.

    Raises:
        DataError: the target cannot be read, or has no corpus or no judged queries.
    """
    with _named(f"target {target.name!r}"):
        read = _reader(target.kind).task
        if read is None:
            able = ", ".join(kind for kind, reader in READERS.items() if reader.task)
            raise DataError(f"kind {target.kind!r} holds training pairs, not retrieval tasks: use one of {able}")
        text = read(target, root)
    for split, judged in ((target.dev, text.dev), (target.test, text.test)):
        if not judged.queries:
            raise DataError(
                f"target {target.name!r} ({target.kind} {target.location!r}) has no judged queries in split {split!r}:"
                " a target needs them in dev and in test"
            )
    return text.prompted(target.prompts)


def source_hash(source: Source, root: Path) -> str:
    """Content hash of what read_source gives, remembered between calls while the files do not change."""
    with _named(f"source {source.name!r}"):
        state = _reader(source.kind).fingerprint(source)
    question = repr((_SAMPLING, state, replace(source, name="", weight=None, mine=0)))
    return _remembered(question, root, lambda: read_source(source, root).sha256)


def target_hash(target: Target, root: Path) -> str:
    """Content hash of what read_target gives, remembered between calls while the files do not change."""
    with _named(f"target {target.name!r}"):
        state = _reader(target.kind).fingerprint(target)
    question = repr((_SAMPLING, state, replace(target, name="", weight=1.0, pool=0)))
    return _remembered(question, root, lambda: read_target(target, root).sha256)


def sampled(text: SourceText, limit: int | None) -> SourceText:
    """A sample of at most `limit` rows, in their order; which ones depends on the content alone.

    Raises:
        DataError: limit is below 2.
    """
    if limit is None or len(text) <= limit:
        return text
    if limit < 2:
        raise DataError(f"a source's limit must be at least 2 rows, got {limit}")
    return text.take(np.sort(_rng(text, "limit").choice(len(text), limit, replace=False)).tolist())


def corrupted(text: SourceText, share: float) -> SourceText:
    """Give that share of the rows each other's documents, so that none of them keeps its own.

    The rows and the exchange depend on the content alone. Rows with the same document are kept apart as long as no
    document fills more than half of the rows.

    Raises:
        DataError: share is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise DataError(f"corrupt must be a share from 0 to 1, got {share}")
    count = round(share * len(text))
    if count == 0:
        return text
    rng = _rng(text, "corrupt")
    rows = rng.choice(len(text), max(2, count), replace=False)
    # In a circle on which equal documents stand side by side, a step as long as the longest such run leaves them all.
    _, documents, sizes = np.unique([text.documents[row] for row in rows], return_inverse=True, return_counts=True)
    circle = rows[np.argsort(rng.permutation(len(sizes))[documents], kind="stable")]
    giver = np.roll(circle, -int(sizes.max()) if sizes.max() < len(rows) else -1)
    exchanged = list(text.documents)
    for row, other in zip(circle.tolist(), giver.tolist(), strict=True):
        exchanged[row] = text.documents[other]
    return replace(text, documents=tuple(exchanged))


def seeded(content: str, use: str) -> np.random.Generator:
    """A generator that depends on a content hash and on what it is for."""
    return np.random.default_rng(int(content_hash([content, use]), 16))


def _rng(text: SourceText, use: str) -> np.random.Generator:
    return seeded(text.sha256, use)


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Say in a reader's refusal which entry of the study it is about."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{what}: {error}") from error


def _place(data: Source | Target) -> str:
    if not isinstance(data.location, str):
        raise DataError(f"kind {data.kind!r} reads one place, got {len(data.location)}: make a source of each")
    return data.location


def _reader(kind: str) -> Reader:
    if kind not in READERS:
        raise DataError(f"kind {kind!r} is not known: use one of {', '.join(READERS)}")
    return READERS[kind]


def _remembered(question: str, root: Path, answer: Callable[[], str]) -> str:
    path = root / "hashes" / f"{content_hash([question])}.json"
    found = recall(path)
    if not isinstance(found, str):
        found = answer()
        keep(path, found)
    return found
