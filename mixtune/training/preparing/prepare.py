"""Preparation of a study: everything that its trials read, computed once and found again by content."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from mixtune.contamination import Decontaminate
from mixtune.feasible import require_mixture, with_rows
from mixtune.preparation import Preparation
from mixtune.source import Source, SourceFacts
from mixtune.study import Study
from mixtune.target import Target, TargetFacts
from mixtune.training import prepared as folders
from mixtune.training.base import Progress
from mixtune.training.cost import dev_flops, fresh_run_flops, mixed_cost
from mixtune.training.data.reading import read_source, read_target, seeded, source_hash, target_hash
from mixtune.training.data.texts import SourceText, TargetText
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.encoding.models import resolve
from mixtune.training.measuring.pools import candidate_pool
from mixtune.training.prepared import Floats, Pairs, Prepared, PreparedTarget, Rows
from mixtune.training.preparing.contamination import FORMAT as COMPARED
from mixtune.training.preparing.contamination import (
    StudyTexts,
    cleaned_texts,
    contamination_of,
    find_shared,
    left_out,
)
from mixtune.training.preparing.examples import dev_signal, pairs_of, split_of
from mixtune.training.preparing.facts import source_facts, target_facts
from mixtune.training.preparing.mining import mined
from mixtune.training.preparing.notes import notes_of
from mixtune.training.proxy import open_proxy
from mixtune.training.teaching.supervision import require_supervision, supervised, will_be_supervised
from mixtune.training.teaching.taught import Teachers, batch_spread, open_teachers, pair_spread
from mixtune.training.teaching.teachers import open_teaching
from mixtune.training.walks.topics import Topics

FORMAT = "prepared-3"
"""Part of every key: a change of what is computed, or of how it is laid out, changes it."""

NEGATIVES = 256
"""Pool documents that every dev query is scored against in the dev loss (ours)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is kept beside the arrays: facts about the data, texts used, and notes for whoever reads the results."""

    sources: Mapping[str, SourceFacts]
    targets: Mapping[str, TargetFacts]
    texts: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What had to be computed: texts that went through the tokeniser and the model, and what the latter cost."""

    tokenised: int = 0
    encoded: int = 0
    flops: float = 0.0


def prepare(study: Study, root: Path, progress: Progress) -> Preparation:
    """Read, tokenise and encode everything that the study's trials need; called again, it finds its own work.

    Sources whose expert weight is 0 are not read. Every other one is compared with every target, and rows that hold
    texts of dev or test are counted and, where the study asks for it, left out of everything else. What is shared with
    other studies under the same cache root is found by content: texts by the text, arrays by a hash over data, model
    and what is trainable. Name, seed, search and budget of the study play no part.

    Args:
        study: what to prepare; its own preparation is not read.
        root: cache root. It may be deleted between runs, never during one.
        progress: told what is being done.

    Raises:
        DataError: a source or target cannot be read, or no run could use it, or the loss needs what sources lack.
        ConfigError: the space allows no mixture of so many rows.
        ModelError: the base model is not there, or cannot be split as `last:n` asks.
    """
    started = time.monotonic()
    model = resolve(study.model)
    table = FeatureTable(root, model, max_length=study.proxy.max_length, precision=study.proxy.precision)
    key = _key(study, table, root, progress)
    source_text = cache(lambda source: read_source(source, root))
    target_text = cache(lambda target: read_target(target, root))
    shared = find_shared(study, root, progress, source_text=source_text, target_text=target_text)
    removed = left_out(study, shared)
    folder = root / "prepared" / key
    layers = frozen_layers(study)
    teachers = open_teachers(study.proxy, root)
    done = _complete(folder, table, layers, teachers)
    if done:
        work = Work()
    else:
        texts = cleaned_texts(study, removed, source_text=source_text, target_text=target_text)
        work = _build(study, texts, folder, table, teachers, progress)
    facts = TypeAdapter(Facts).validate_python(folders.load_record(folder))
    arrays = folders.load(folder)
    require_supervision(study, supervised(arrays.sources))
    teaching = open_teaching(arrays, study.proxy, table, root)
    _find_topics(study, arrays, Topics(table, root), progress)
    proxy = open_proxy(study.model, study.proxy, table)
    return Preparation(
        key=key,
        sources=facts.sources,
        targets=facts.targets,
        run_flops=fresh_run_flops(study, facts.sources, arrays, proxy, teaching),
        model=model.fingerprint,
        encoded=work.encoded,
        tokenised=work.tokenised,
        reused=facts.texts - max(work.tokenised, work.encoded),
        seconds=time.monotonic() - started,
        flops=work.flops,
        notes=facts.notes,
        contamination=contamination_of(study, shared, removed),
        dev_flops=dev_flops(proxy, arrays.targets),
        mixed=mixed_cost(study, arrays, proxy),
    )


def _find_topics(study: Study, arrays: Prepared, topics: Topics, progress: Progress) -> None:
    """Cluster the sources' queries for every size that a recipe of the study may ask for."""
    sizes = {study.space.batching.topics, *map(int, study.space.choices.get("topics", ()))} - {0}
    asked = [(name, pairs, size) for size in sorted(sizes) for name, pairs in arrays.sources.items()]
    for done, (name, pairs, size) in enumerate(asked, start=1):
        topics.of(name, pairs, size)
        progress("finding topics", done, len(asked))


def load_prepared(root: Path, key: str) -> Prepared:
    """The arrays of a preparation, memory-mapped.

    Raises:
        DataError: nothing was prepared under that key in this cache.
    """
    return folders.load(root / "prepared" / key)


def frozen_layers(study: Study) -> int | None:
    """The n of `last:n`, None for other proxies."""
    kind, _, layers = study.proxy.trainable.partition(":")
    return int(layers) if kind == "last" else None


def _key(study: Study, table: FeatureTable, root: Path, progress: Progress) -> str:
    sources = [source for source in study.sources if source.name in study.names]
    total, done = len(sources) + len(study.targets), 0
    parts: list[tuple[str, ...]] = [(FORMAT, table.key, study.proxy.trainable)]
    for source in sources:
        progress("reading", done, total)
        mined = (f"mine {source.mine}",) if source.mine else ()
        parts.append(("source", source.name, source_hash(source, root), *mined))
        done += 1
    for target in study.targets:
        progress("reading", done, total)
        parts.append(("target", target.name, str(target.pool), target_hash(target, root)))
        done += 1
    progress("reading", total, total)
    if study.decontaminate is not Decontaminate.NONE:
        parts.append(("decontaminate", study.decontaminate, COMPARED))
    for role, teacher in (("teacher", study.proxy.teacher), ("batch_teacher", study.proxy.batch_teacher)):
        if teacher is not None:
            parts.append((role, teacher.kind, resolve(teacher.model).fingerprint))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _complete(folder: Path, table: FeatureTable, layers: int | None, teachers: Teachers) -> bool:
    """Whether the arrays are there, and every row they name is in the table with what proxy and teacher need."""
    if not folder.is_dir():
        return False
    arrays = folders.load(folder)
    rows = used_rows(arrays)
    if int(rows[-1]) >= len(table) or not table.have(rows).all():
        return False
    if layers is not None and not table.have(rows, layers).all():
        return False
    taken = [rows for pairs in arrays.sources.values() for rows in (pairs.queries, pairs.documents, pairs.negatives)]
    return teachers.batch is None or teachers.batch.knows(table.addresses(np.unique(np.concatenate(taken))))


def used_rows(prepared: Prepared) -> Rows:
    """All rows of the feature table that a preparation names, each once, ascending."""
    named = [rows for pairs in prepared.sources.values() for rows in (pairs.queries, pairs.documents, pairs.negatives)]
    for target in prepared.targets.values():
        named += [target.dev.queries, target.dev.documents, target.test.queries, target.test.documents]
    return np.unique(np.concatenate(named))


def _build(
    study: Study, read: StudyTexts, folder: Path, table: FeatureTable, teachers: Teachers, progress: Progress
) -> Work:
    entries = {source.name: source for source in study.sources if source.name in study.names}
    sources, targets = read.sources, read.targets
    require_mixture(with_rows(study, {name: len(text) for name, text in sources.items()}))
    require_supervision(study, will_be_supervised(study, sources))
    for name, text in targets.items():
        dev_signal(name, len(text.dev.queries), seeded(text.sha256, "signal"))

    blocks: list[Sequence[str]] = []
    for source in sources.values():
        blocks += [source.queries, source.documents, [text for own in source.negatives for text in own]]
    for target in targets.values():
        blocks += [target.corpus, target.dev.queries, target.test.queries]
    rows, tokenised = table.add([text for block in blocks for text in block], progress)
    block_rows = iter(np.split(rows, np.cumsum([len(block) for block in blocks])[:-1]))

    # The base model's embeddings serve pruning, pools, and the base model's own line in the results.
    layers = frozen_layers(study)
    everything = np.unique(rows)
    missing = everything[~(table.have(everything) & (layers is None or table.have(everything, layers)))]
    if layers is not None:
        table.freeze(layers, everything, progress)
    table.embed(everything, progress)

    texts, pairs = {}, {}
    for name, own in sources.items():
        sides = next(block_rows), next(block_rows), next(block_rows)
        texts[name], pairs[name] = _pairs(entries[name], own, *sides, table.embeddings, progress)
    pairs = teachers.teach(texts, pairs, table, progress)
    prepared = Prepared(
        pairs,
        {
            target.name: _prepared_target(
                target, targets[target.name], next(block_rows), next(block_rows), next(block_rows), table
            )
            for target in study.targets
        },
        spread=pair_spread(pairs.values(), table.embeddings),
        batch_spread=batch_spread(pairs.values(), table, teachers.batch, progress) if teachers.batch else None,
    )
    notes = notes_of(study, texts, prepared)
    facts = Facts(
        source_facts(sources, prepared.sources, table.lengths, read.left_out),
        target_facts(targets, prepared.targets),
        len(used_rows(prepared)),
        notes,
    )
    folders.save(prepared, folder, TypeAdapter(Facts).dump_python(facts, mode="json"))
    if not len(missing):
        return Work(tokenised, 0, teachers.flops)
    whole = open_proxy(study.model, replace(study.proxy, trainable="all"), table)
    return Work(tokenised, len(missing), teachers.flops + whole.encode_flops(missing))


def _pairs(
    source: Source,
    text: SourceText,
    queries: Rows,
    documents: Rows,
    negatives: Rows,
    embeddings: Floats,
    progress: Progress,
) -> tuple[SourceText, Pairs]:
    """A source's texts with the hard negatives that are mined for it, if any are, and its pairs."""
    if source.mine and not len(negatives):
        progress(f"mining hard negatives of {source.name}", 0, 0)
        text = mined(text, queries, documents, embeddings, source.mine)
        row = dict(zip(text.documents, documents.tolist(), strict=True))
        negatives = np.array([row[each] for own in text.negatives for each in own], dtype=np.int64)
    return text, pairs_of(text, queries, documents, negatives, embeddings)


def _prepared_target(
    target: Target, text: TargetText, corpus: Rows, dev: Rows, test: Rows, table: FeatureTable
) -> PreparedTarget:
    content = text.sha256
    judged = np.unique([position for one in text.dev.judgements for position in one])
    embeddings = table.embeddings
    pool = candidate_pool(
        embeddings[dev], embeddings[corpus], judged.astype(np.int64), target.pool, seeded(content, "pool")
    )
    negatives = seeded(content, "negatives").choice(len(pool), min(NEGATIVES, len(pool)), replace=False)
    return PreparedTarget(
        dev=split_of(text.dev, dev, corpus, pool),
        test=split_of(text.test, test, corpus, np.arange(len(corpus), dtype=np.int64)),
        signal=dev_signal(target.name, len(dev), seeded(content, "signal")),
        negatives=np.sort(negatives).astype(np.int64),
    )
