"""Preparation of a study: everything that its trials read, computed once and found again by content."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from mixtune.errors import DataError
from mixtune.feasible import require_mixture, with_rows
from mixtune.preparation import Preparation
from mixtune.source import SourceFacts
from mixtune.study import Study
from mixtune.target import Target, TargetFacts
from mixtune.training import prepared as folders
from mixtune.training.base import Progress
from mixtune.training.cost import fresh_run_flops
from mixtune.training.data import read_source, read_target, seeded, source_hash, target_hash
from mixtune.training.examples import dev_signal, pairs_of, split_of
from mixtune.training.facts import source_facts, target_facts
from mixtune.training.features import FeatureTable
from mixtune.training.losses import NEED_TEACHER
from mixtune.training.models import resolve
from mixtune.training.notes import notes_of
from mixtune.training.pools import candidate_pool
from mixtune.training.prepared import Pairs, Prepared, PreparedTarget, Rows
from mixtune.training.proxy import open_proxy
from mixtune.training.texts import SourceText, TargetText

FORMAT = "prepared-2"
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

    Sources whose expert weight is 0 are not read. What is shared with other studies under the same cache root is
    found by content: texts by the text, arrays by a hash over data, model and what is trainable. Name, seed, search
    and budget of the study play no part.

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
    folder = root / "prepared" / key
    layers = frozen_layers(study)
    work = Work() if _complete(folder, table, layers) else _build(study, root, folder, table, progress)
    facts = TypeAdapter(Facts).validate_python(folders.load_record(folder))
    arrays = folders.load(folder)
    require_teacher(study, arrays.sources)
    return Preparation(
        key=key,
        sources=facts.sources,
        targets=facts.targets,
        run_flops=fresh_run_flops(study, facts.sources, arrays, table),
        model=model.fingerprint,
        encoded=work.encoded,
        tokenised=work.tokenised,
        reused=facts.texts - max(work.tokenised, work.encoded),
        seconds=time.monotonic() - started,
        flops=work.flops,
        notes=facts.notes,
    )


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
        parts.append(("source", source.name, source_hash(source, root)))
        done += 1
    for target in study.targets:
        progress("reading", done, total)
        parts.append(("target", target.name, str(target.pool), target_hash(target, root)))
        done += 1
    progress("reading", total, total)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _complete(folder: Path, table: FeatureTable, layers: int | None) -> bool:
    """Whether the arrays are there, and every row they name is in the table with what the proxy needs."""
    if not folder.is_dir():
        return False
    rows = used_rows(folders.load(folder))
    return int(rows[-1]) < len(table) and bool(
        table.have(rows).all() and (layers is None or table.have(rows, layers).all())
    )


def used_rows(prepared: Prepared) -> Rows:
    """All rows of the feature table that a preparation names, each once, ascending."""
    named = [rows for pairs in prepared.sources.values() for rows in (pairs.queries, pairs.documents, pairs.negatives)]
    for target in prepared.targets.values():
        named += [target.dev.queries, target.dev.documents, target.test.queries, target.test.documents]
    return np.unique(np.concatenate(named))


def require_teacher(study: Study, sources: Mapping[str, Pairs]) -> None:
    """Refuse a loss that sources have no teacher scores or hard negatives for.

    Raises:
        DataError: names them.
    """
    _require_teacher(
        study, {name: bool(pairs.teacher.size and pairs.negatives.size) for name, pairs in sources.items()}
    )


def _require_teacher(study: Study, has: Mapping[str, bool]) -> None:
    loss = study.proxy.loss
    if loss not in NEED_TEACHER:
        return
    if study.proxy.negatives < 1:
        raise DataError(f"loss {loss!r} compares with hard negatives: set proxy.negatives to 1 or more, it is 0")
    without = [name for name, found in has.items() if not found]
    if without:
        raise DataError(
            f"loss {loss!r} needs hard negatives and teacher scores of every source, and these have none:"
            f" {', '.join(without)}; add them, take these sources out (weight: 0), or use loss: infonce"
        )


def _build(study: Study, root: Path, folder: Path, table: FeatureTable, progress: Progress) -> Work:
    sources = {source.name: read_source(source, root) for source in study.sources if source.name in study.names}
    targets = {target.name: read_target(target, root) for target in study.targets}
    require_mixture(with_rows(study, {name: len(text) for name, text in sources.items()}))
    _require_teacher(study, {name: bool(text.teacher) and any(text.negatives) for name, text in sources.items()})
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

    embeddings = table.embeddings
    prepared = Prepared(
        {
            name: pairs_of(text, next(block_rows), next(block_rows), next(block_rows), embeddings)
            for name, text in sources.items()
        },
        {
            target.name: _prepared_target(
                target, targets[target.name], next(block_rows), next(block_rows), next(block_rows), table
            )
            for target in study.targets
        },
    )
    facts = _facts(study, sources, targets, prepared, table)
    folders.save(prepared, folder, TypeAdapter(Facts).dump_python(facts, mode="json"))
    if not len(missing):
        return Work(tokenised)
    whole = open_proxy(study.model, replace(study.proxy, trainable="all"), table)
    return Work(tokenised, len(missing), whole.encode_flops(missing))


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


def _facts(
    study: Study,
    sources: Mapping[str, SourceText],
    targets: Mapping[str, TargetText],
    prepared: Prepared,
    table: FeatureTable,
) -> Facts:
    notes = notes_of(study, sources, targets, prepared)
    return Facts(
        source_facts(sources, prepared.sources, table.lengths),
        target_facts(targets, prepared.targets),
        len(used_rows(prepared)),
        notes,
    )
