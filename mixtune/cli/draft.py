"""A first study file for data that was found, with comments that say what can be changed."""

import json
import re
from collections.abc import Iterator
from math import ceil
from pathlib import Path

from mixtune.cli.finding import Findings, FoundSource, FoundTarget

BATCH = 32
FINAL_STEPS = 5000
"""Most steps of the final training that a first study plans for."""

MANY = 50_000
"""Rows of a source from which on a limit is worth a thought: every row is encoded once."""


def draft(name: str, model: str, found: Findings, folder: Path) -> str:
    """The text of a study file that lies in `folder`.

    Without a target it says in a comment how one is written, and cannot be run yet.
    """
    return "\n".join(_lines(name, model, found, folder)) + "\n"


def _lines(name: str, model: str, found: Findings, folder: Path) -> Iterator[str]:
    steps, epochs = _final(found.rows)
    yield "# Look at the data with `mixtune sources`, at what a run costs with `mixtune check`, then `mixtune run`."
    yield "# Every key stands in mixtune's README; a mistake is told with its line."
    yield ""
    yield "# The study's name in the database. Run the file again and it goes on where it stood."
    yield f"name: {_text(name)}"
    yield ""
    yield "# The model to train: offline:all-MiniLM-L6-v2, a name on the Hugging Face hub, or a folder."
    yield f"model: {_text(model)}"
    yield ""
    yield "# The short training run that tries out a mixture in place of the real one."
    yield "proxy:"
    yield "  trainable: head # head: one layer on frozen embeddings (seconds) | last:2 | all: the whole model (minutes)"
    yield "  steps: 300"
    yield f"  batch_size: {BATCH}"
    yield ""
    yield f"# What can be trained on: {found.rows:,} pairs. `limit: N` takes a sample, `weight: X` states your mixture."
    yield "sources:"
    for source in found.sources:
        yield from _source(source, folder)
    yield ""
    yield from _targets(found.targets, folder)
    yield ""
    yield "# Which mixtures are allowed. The final training may not see a row more often than this."
    yield f"space: {{max_epochs: {epochs}}}"
    yield ""
    yield "# How to search: scout, infdds, tpe, gp, qmc, random, ...; uniform and proportional are always run."
    yield "search: {algorithm: scout}"
    yield ""
    yield "# When to stop: after as much compute as six fresh proxy runs take. workers is how many run at once."
    yield "budget: {runs: 6, workers: 2}"
    yield ""
    yield "# The training that the recipe is for (its steps decide how often rows are seen), and the seeds judging it."
    yield f"final: {{steps: {steps}, batch_size: {BATCH}, seeds: 3}}"


def _source(source: FoundSource, folder: Path) -> Iterator[str]:
    more = ", consider a limit such as `limit: 20000`" if source.rows > MANY else ""
    entry = f"{{kind: {source.kind}, path: {_path(source.path, folder)}}}"
    yield f"  {_text(source.name)}: {entry} # {source.rows:,} pairs, {_size(source.size)}{more}"


def _targets(targets: list[FoundTarget], folder: Path) -> Iterator[str]:
    if not targets:
        yield "# What the model should become good at. NO TARGET WAS FOUND: the study cannot run before one is here."
        yield "# A target is a BEIR folder: corpus.jsonl, queries.jsonl, qrels/dev.tsv (steers the search) and"
        yield "# qrels/test.tsv (read once, for the report). Take the # away and set the path:"
        yield "# targets:"
        yield "#   my-task: {kind: beir, path: path/to/folder}"
        return
    yield "# What the model should become good at: dev queries steer the search, test queries are read once it is over."
    yield "targets:"
    for target in targets:
        counts = f"{target.documents:,} documents, {target.dev_queries:,} dev and {target.test_queries:,} test queries"
        yield f"  {_text(target.name)}: {{kind: beir, path: {_path(target.path, folder)}}} # {counts}"


def _final(rows: int) -> tuple[int, int]:
    """Steps of a final training of about three passes over all rows, and a bound on passes that leaves room around."""
    steps = min(FINAL_STEPS, max(50, ceil(3 * rows / BATCH / 50) * 50))
    return steps, max(20, ceil(4 * steps * BATCH / max(1, rows)))


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"


def _path(path: Path, folder: Path) -> str:
    """A path as the study file names it: from its own folder where the data lies below that, else the whole path.

    A link below the folder is named, not what it leads to.
    """
    for whole, own in ((path.absolute(), folder.absolute()), (path.resolve(), folder.resolve())):
        if whole.is_relative_to(own) and ".." not in whole.parts:
            return _text(str(whole.relative_to(own)))
    return _text(str(path.resolve()))


def _text(text: str) -> str:
    """Text as YAML: as it is where that means nothing else, or in quotes."""
    plain = re.fullmatch(r"[A-Za-z/][A-Za-z0-9_/.-]*(:[A-Za-z0-9_.-]+)?", text)
    return text if plain and text.lower() not in ("null", "true", "false") else json.dumps(text, ensure_ascii=False)
