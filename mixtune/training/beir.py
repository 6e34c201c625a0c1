"""Retrieval data in BEIR folders: corpus.jsonl[.gz], queries.jsonl[.gz] and qrels/{train,dev,test}.tsv.

Texts are read through `datasets`, whose Arrow files stay in mixtune's own cache; judgements, which are small, line by
line. Graded and multiple positives are kept as they are.
"""

import gzip
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import datasets
from datasets.exceptions import DatasetGenerationError

from mixtune.errors import DataError
from mixtune.training.cache import stamp
from mixtune.training.texts import JudgedQueries, SourceText, TargetText, content_hash

_FORMAT = "beir-1"

Judgements = dict[str, dict[str, float]]


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
    folder = _folder(location)
    judgements = _judgements(folder, split)
    queries, corpus = _texts(folder, "queries", cache), _texts(folder, "corpus", cache)
    _check(folder, split, judgements, queries, corpus)
    rows = [(key, doc) for key, judged in judgements.items() for doc, grade in judged.items() if grade > 0]
    whole = [(key, doc) for key, doc in rows if queries[key] and corpus[doc]]
    return SourceText(
        tuple(queries[key] for key, _ in whole),
        tuple(corpus[doc] for _, doc in whole),
        tuple(key for key, _ in whole),
        dropped=len(rows) - len(whole),
    )


def task(location: str, dev: str, test: str, cache: Path) -> TargetText:
    """The folder's whole corpus with the judged queries of both splits.

    Raises:
        DataError: as pairs; or a split has no query with a positive judgement.
    """
    folder = _folder(location)
    queries, corpus = _texts(folder, "queries", cache), _texts(folder, "corpus", cache)
    position = {doc: i for i, doc in enumerate(corpus)}

    def judged(split: str) -> JudgedQueries:
        judgements = _judgements(folder, split)
        _check(folder, split, judgements, queries, corpus)
        usable = {key: one for key, one in judgements.items() if any(grade > 0 for grade in one.values())}
        if not usable:
            raise DataError(
                f"{folder / 'qrels' / split}.tsv judges no document of any query as relevant (score > 0):"
                " a target needs judged queries in both of its splits"
            )
        return JudgedQueries(
            tuple(queries[key] for key in usable),
            tuple({position[doc]: grade for doc, grade in one.items()} for one in usable.values()),
        )

    return TargetText(tuple(corpus.values()), judged(dev), judged(test))


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
    """Text by id, in file order: title and text, joined by a space."""
    path = _texts_file(folder, name)
    with _quiet():
        try:
            # load_dataset would call out to the network on every local file, to count it.
            table = datasets.Dataset.from_json(str(path), cache_dir=str(cache / "datasets")).with_format("arrow")[:]
            ids, texts = (table.column(field).to_pylist() for field in ("_id", "text"))
            titles = table.column("title").to_pylist() if "title" in table.column_names else [None] * len(ids)
            whole = None not in ids and None not in texts
            rows = list(zip(ids, titles, texts, strict=True)) if whole else list(_lines(path))
        except (DatasetGenerationError, KeyError, OSError, EOFError, ValueError, zlib.error):
            # Read the lines one by one: to say which one is wrong, or because only `datasets` minds them (fields
            # that nobody asked for and whose type changes from line to line).
            rows = list(_lines(path))
    found: dict[str, str] = {}
    for key, title, text in rows:
        joined = " ".join(f"{title or ''} {text or ''}".encode("utf-8", "replace").decode().split())
        if found.setdefault(str(key), joined) != joined:
            raise DataError(f"{path}: _id {str(key)!r} stands there twice with different texts: ids must be unique")
    if not found:
        raise DataError(f"{path} is empty: every line holds one JSON object with _id and text")
    return found


def _lines(path: Path) -> Iterator[tuple[str, str | None, str]]:
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _record(f"{path}, line {number}", line)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a whole gzip file ({error}): copy it again") from error


def _record(where: str, line: bytes) -> tuple[str, str | None, str]:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 ({error.reason} at byte {error.start}): convert the file") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg} at column {error.colno})") from error
    if not isinstance(row, dict) or "_id" not in row or not isinstance(row.get("text"), str):
        raise DataError(f'{where}: expected an object like {{"_id": "d1", "title": "...", "text": "..."}}')
    title = row.get("title")
    return str(row["_id"]), title if isinstance(title, str) else None, row["text"]


def _judgements(folder: Path, split: str) -> Judgements:
    path = folder / "qrels" / f"{split}.tsv"
    if not path.is_file():
        there = ", ".join(sorted(one.stem for one in (folder / "qrels").glob("*.tsv"))) or "none"
        raise DataError(f"{path} does not exist: splits with judgements in this folder are {there}")
    found: Judgements = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}): convert the file") from error
    for number, line in enumerate(lines, 1):
        fields = line.split("\t")
        if not line.strip() or (number == 1 and fields[-1].strip().lower() == "score"):
            continue
        try:
            key, doc, grade = fields[0], fields[1], float(fields[2])
        except (IndexError, ValueError):
            grade = math.nan
        if len(fields) != 3 or not math.isfinite(grade):
            raise DataError(
                f"{path}, line {number}: expected query-id, corpus-id and score separated by tabs: {line!r}"
            )
        found.setdefault(key, {})[doc] = grade
    return found


def _check(
    folder: Path, split: str, judgements: Judgements, queries: Mapping[str, str], corpus: Mapping[str, str]
) -> None:
    lost_queries = [key for key in judgements if key not in queries]
    lost = [doc for judged in judgements.values() for doc in judged if doc not in corpus]
    for missing, what, name in ((lost_queries, "queries", "queries"), (lost, "documents", "corpus")):
        if missing:
            raise DataError(
                f"{folder / 'qrels' / split}.tsv points at {len(missing)} {what} that {_texts_file(folder, name).name}"
                f" does not hold, first {missing[0]!r}: ids must match exactly"
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the progress bars and log lines of `datasets` inside the block."""
    bars, level = datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    finally:
        datasets.logging.set_verbosity(level)
        if not bars:
            datasets.enable_progress_bars()
