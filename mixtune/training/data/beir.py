"""Retrieval data in BEIR folders: corpus.jsonl[.gz], queries.jsonl[.gz] and qrels/{train,dev,test}.tsv.

Texts are read through `datasets`, whose Arrow files stay in mixtune's own cache; judgements, which are small, line by
line. Graded and multiple positives are kept as they are.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from mixtune.errors import DataError
from mixtune.training.cache import stamp
from mixtune.training.data import jsonl
from mixtune.training.data.judgements import Collection, Judgements, add, pairs_of, task_of
from mixtune.training.data.tables import cells_of
from mixtune.training.data.texts import SourceText, TargetText, content_hash, tidy

_FORMAT = "beir-2"


def fingerprint(location: str) -> str:
    """What the data of a folder depends on, without reading its files."""
    folder = _folder(location)
    files = [_texts_file(folder, "corpus"), _texts_file(folder, "queries"), *sorted((folder / "qrels").glob("*.tsv"))]
    return content_hash([_FORMAT, str(folder), stamp(files, folder)])


def pairs(location: str, split: str, cache: Path) -> SourceText:
    """One row per positive judgement of the split, in the order of the judgements.

    Raises:
        DataError: a file is missing or broken, or judgements point at texts that are not there.
    """
    return pairs_of(_collection(location, cache), split)


def task(location: str, dev: str, test: str, cache: Path) -> TargetText:
    """The folder's whole corpus with the judged queries of both splits.

    Raises:
        DataError: as pairs; or a split has no query with a positive judgement.
    """
    return task_of(_collection(location, cache), dev, test)


def text_by_id(found: dict[str, str], key: object, title: object, text: str, where: str) -> None:
    """Add a text: title and text, joined by a space.

    Raises:
        DataError: the id has another text already.
    """
    joined = tidy(f"{title if isinstance(title, str) else ''} {text}")
    if found.setdefault(str(key), joined) != joined:
        raise DataError(f"{where}: _id {str(key)!r} stands there twice with different texts: ids must be unique")


def _collection(location: str, cache: Path) -> Collection:
    folder = _folder(location)
    return Collection(
        queries=_texts(folder, "queries", cache),
        corpus=_texts(folder, "corpus", cache),
        judgements=lambda split: _judgements(folder, split),
        judgements_name=lambda split: f"{folder / 'qrels' / split}.tsv",
        queries_name=_texts_file(folder, "queries").name,
        corpus_name=_texts_file(folder, "corpus").name,
    )


def _folder(location: str) -> Path:
    folder = Path(location).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"BEIR folder {location!r} does not exist: give a folder with corpus.jsonl[.gz], queries.jsonl[.gz] and"
            " qrels/{train,dev,test}.tsv"
        )
    return folder.resolve()


def _texts_file(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.jsonl", folder / f"{name}.jsonl.gz"):
        if path.is_file():
            return path
    raise DataError(f"BEIR folder {folder} has neither {name}.jsonl nor {name}.jsonl.gz")


def _texts(folder: Path, name: str, cache: Path) -> dict[str, str]:
    """Text by id, in file order."""
    path = _texts_file(folder, name)
    found: dict[str, str] = {}
    for key, title, text in _fast(path, cache) or _slow(path):
        text_by_id(found, key, title, text, str(path))
    if not found:
        raise DataError(f"{path} is empty: every line holds one JSON object with _id and text")
    return found


def _fast(path: Path, cache: Path) -> list[tuple[object, object, str]] | None:
    """All rows at once, or None where the lines have to be looked at one by one."""
    dataset = jsonl.opened(path, cache)
    if dataset is None or not {"_id", "text"} <= set(dataset.column_names):
        return None
    names = [name for name in ("_id", "title", "text") if name in dataset.column_names]
    if not jsonl.as_it_stands(dataset, names):
        return None
    try:
        cells = cells_of(dataset, names)
    except UnicodeDecodeError:
        return None
    texts = [text for text in cells["text"] if isinstance(text, str)]
    if None in cells["_id"] or len(texts) < len(dataset):
        return None
    return list(zip(cells["_id"], cells.get("title", [None] * len(dataset)), texts, strict=True))


def _slow(path: Path) -> Iterator[tuple[object, object, str]]:
    for where, record in jsonl.records(path):
        text = record.get("text")
        if record.get("_id") is None or not isinstance(text, str):
            raise DataError(f'{where}: expected an object like {{"_id": "d1", "title": "...", "text": "..."}}')
        yield record["_id"], record.get("title"), text


def _judgements(folder: Path, split: str) -> Judgements:
    path = folder / "qrels" / f"{split}.tsv"
    if not path.is_file():
        there = ", ".join(sorted(one.stem for one in (folder / "qrels").glob("*.tsv"))) or "none"
        raise DataError(f"{path} does not exist: splits with judgements in this folder are {there}")
    found: Judgements = {}
    for number, raw in jsonl.lines(path):
        where = f"{path}, line {number}"
        line = jsonl.decoded(where, raw).rstrip("\r\n")
        fields = line.split("\t")
        if number == 1 and fields[-1].strip().lower() == "score":
            continue
        try:
            grade = float(fields[2]) if len(fields) == 3 else math.nan
        except ValueError:
            grade = math.nan
        if not math.isfinite(grade):
            raise DataError(f"{where}: expected query-id, corpus-id and score separated by tabs: {line!r}")
        add(found, fields[0], fields[1], grade, where)
    return found
