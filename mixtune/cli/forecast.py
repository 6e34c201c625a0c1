"""What a study would take, from its texts alone: no model runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mixtune.cli.optionnotes import option_notes
from mixtune.errors import DataError
from mixtune.feasible import require_mixture, with_rows
from mixtune.preparation import Preparation
from mixtune.recipe import Recipe
from mixtune.searchers import Searcher, make
from mixtune.searchers.base import FoldSearcher
from mixtune.searchers.baselines import Baseline, baseline_recipes
from mixtune.searchers.finalists import choosing_runs
from mixtune.searchers.possible import require_possible
from mixtune.searchers.rehearsal import rehearsed
from mixtune.searchers.surveyed import Surveyed
from mixtune.study import Study
from mixtune.training.base import Progress
from mixtune.training.cost import dev_flops, fresh_run_flops, judging_flops, mixed_cost, search_flops
from mixtune.training.data.reading import read_source, read_target
from mixtune.training.data.texts import SourceText, TargetText
from mixtune.training.encoding.embedder import BaseModel
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.encoding.models import load, resolve
from mixtune.training.prepared import Floats, Pairs, Prepared, PreparedTarget, Rows
from mixtune.training.preparing.contamination import cleaned_texts, contamination_of, find_shared, left_out
from mixtune.training.preparing.examples import dev_signal, pairs_of, split_of
from mixtune.training.preparing.facts import source_facts, target_facts
from mixtune.training.preparing.prepare import NEGATIVES, frozen_layers, used_rows
from mixtune.training.prices import Prices
from mixtune.training.proxy import FullProxy, open_proxy
from mixtune.training.teaching.supervision import require_supervision, will_be_supervised

REHEARSED = 1000
"""Trials of a guided search that are priced one by one; any more cost as they do on average."""

CRAMPED = 1.5
"""Sum of the highest weights below which max_epochs leaves little but proportional sampling: 1 leaves nothing else."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would happen.

    study carries a preparation made of facts and the expected cost of a run. texts counts distinct texts, new those
    that no study has encoded on this machine yet. Costs are floating-point operations: encoding of the new texts,
    the search (estimated where the budget counts trials, see _search_flops), choosing among its finalists, and judging.
    disk is the bytes that preparation adds to the cache. proxy_epochs and final_epochs are under proportional
    weights, baselines the recipes of the study's baselines. notes are what to look at before running.
    """

    study: Study
    texts: int
    new: int
    encoding: float
    search: float
    choosing: float
    judging: float
    disk: int
    proxy_epochs: Mapping[str, float]
    final_epochs: Mapping[str, float]
    baselines: Mapping[str, Recipe]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Lengths:
    """A feature table of which only lengths and the width of an embedding are known."""

    lengths: npt.NDArray[np.int32]
    dim: int

    @property
    def embeddings(self) -> Floats:
        return np.broadcast_to(np.zeros(1, dtype=np.float32), (len(self.lengths), self.dim))

    def tokens(self, rows: Rows) -> Sequence[npt.NDArray[np.int32]]:
        raise DataError("a forecast runs no model")

    def states(self, layers: int, rows: Rows) -> Sequence[npt.NDArray[np.uint16]]:
        raise DataError("a forecast runs no model")


def forecast(study: Study, cache: Path, free: Callable[[Path], int], progress: Progress) -> Forecast:
    """Read the data, tokenise it (kept in the cache for the run), and work out what the study would take.

    Args:
        study: the study of a file.
        cache: the cache root.
        free: bytes that are free at a folder.
        progress: told what is being done.

    Raises:
        DataError: the data cannot be read, or the disk is too small.
        ConfigError: no mixture fits the space, or the search lacks what it starts from.
        ModelError: the base model is not there, or cannot be trained as asked.
    """
    model = resolve(study.model)
    table = FeatureTable(cache, model, max_length=study.proxy.max_length, precision=study.proxy.precision)
    total = len(study.names) + len(study.targets)
    sources: dict[str, SourceText] = {}
    targets: dict[str, TargetText] = {}
    for source in study.sources:
        if source.name in study.names:
            progress("reading", len(sources), total)
            sources[source.name] = read_source(source, cache)
    for target in study.targets:
        progress("reading", len(sources) + len(targets), total)
        targets[target.name] = read_target(target, cache)
    shared = find_shared(
        study,
        cache,
        progress,
        source_text=lambda source: sources[source.name],
        target_text=lambda target: targets[target.name],
    )
    removed = left_out(study, shared)
    sources = dict(
        cleaned_texts(
            study,
            removed,
            source_text=lambda source: sources[source.name],
            target_text=lambda target: targets[target.name],
        ).sources
    )
    require_mixture(with_rows(study, {name: len(text) for name, text in sources.items()}))

    def rows(texts: Sequence[str]) -> Rows:
        return table.add(texts, progress)[0]

    require_supervision(study, will_be_supervised(study, sources))
    mine = {source.name: min(source.mine, study.proxy.negatives) for source in study.sources}
    pairs = {name: _pairs(_as_if_mined(text, mine[name]), rows) for name, text in sources.items()}
    tasks = {target.name: _task(target.name, target.pool, targets[target.name], rows) for target in study.targets}
    prepared = Prepared(pairs, tasks)
    used, layers = used_rows(prepared), frozen_layers(study)
    cached = table.have(used) if layers is None else table.have(used) & table.have(used, layers)
    new = used[~cached]
    base = load(model, study.proxy.max_length) if len(new) else None
    dim = table.embeddings.shape[1] if base is None else base.get_embedding_dimension() or 0
    lengths = _Lengths(table.lengths, dim)
    facts = source_facts(sources, pairs, table.lengths, removed)
    proxy = open_proxy(study.model, study.proxy, lengths)
    unit = fresh_run_flops(study, facts, prepared, proxy)
    untrained = BaseModel(lengths)
    survey = sum(search_flops(untrained, split) for task in tasks.values() for split in (task.dev, task.test))
    judged = unit + judging_flops(proxy, tasks.values())
    study = replace(
        study,
        preparation=Preparation(
            "",
            facts,
            target_facts(targets, tasks),
            unit,
            model.fingerprint,
            contamination=contamination_of(study, shared, removed),
            dev_flops=dev_flops(proxy, tasks),
            mixed=mixed_cost(study, prepared, proxy),
        ),
    )
    searcher = make(study.search)
    require_possible(study, searcher)
    disk = len(new) * 4 * dim + (2 * dim * int(lengths.lengths[new].sum()) if layers is not None else 0)
    room = free(cache)
    if disk > room:
        raise DataError(
            f"preparing study {study.name!r} needs {ceil(disk / 1e6):,} MB in {cache}, where {room // 10**6:,} MB are "
            f"free: make room, set MIXTUNE_HOME to another disk, or lower the sources' limit"
        )
    search = _search_flops(study, searcher, Prices(study, prepared, proxy))
    return Forecast(
        study=study,
        texts=len(used),
        new=len(new),
        encoding=0.0 if base is None else FullProxy(lengths, base, study.proxy.precision).encode_flops(new),
        search=search,
        # A budget of seconds alone has no end that FLOPs could tell.
        choosing=unit * choosing_runs(study, searcher, round(min(search / unit, 1e9))),
        judging=judged * (len(baseline_recipes(study)) + 1) * study.final.seeds + survey,
        disk=disk,
        proxy_epochs=_epochs(study, study.proxy.steps * study.proxy.batch_size),
        final_epochs=_epochs(study, study.final_rows),
        baselines=baseline_recipes(study),
        notes=tuple(_notes(study)),
    )


def _search_flops(study: Study, searcher: Searcher, prices: Prices) -> float:
    """What the search costs at most: its budget of runs, or its trials at their expected cost.

    A baseline is run once, and so is what a survey gives; black-box searches propose fresh runs. A guided search is
    rehearsed, and each of its proposals priced; it may end by itself before its budget.
    """
    unit, budget = study.prepared.run_flops, study.budget
    most = unit * (budget.runs or np.inf)
    if isinstance(searcher, Baseline | Surveyed):
        return unit
    if not isinstance(searcher, FoldSearcher):
        return most if budget.trials is None else min(most, unit * budget.trials)
    wanted, total, count = budget.trials or np.inf, 0.0, 0
    for proposal in islice(rehearsed(study, searcher), REHEARSED):
        if total >= most or count >= wanted:
            break
        total, count = total + prices.of(proposal), count + 1
    if count == REHEARSED:
        total *= wanted / count
    return float(min(most, total))


def _as_if_mined(text: SourceText, count: int) -> SourceText:
    """A source with the documents of the next rows for hard negatives that are yet to be mined: as long on average."""
    if not count or any(text.negatives):
        return text
    after = [text.documents[place % len(text)] for place in range(len(text) + count)]
    return replace(text, negatives=tuple(tuple(after[row + 1 : row + 1 + count]) for row in range(len(text))))


def _pairs(text: SourceText, rows: Callable[[Sequence[str]], Rows]) -> Pairs:
    """A source's pairs without similarities, which no cost depends on."""
    queries, documents = rows(text.queries), rows(text.documents)
    negatives = rows([negative for own in text.negatives for negative in own])
    nothing = np.broadcast_to(np.zeros(1, dtype=np.float32), (1 + int(max(queries.max(), documents.max())), 1))
    return pairs_of(text, queries, documents, negatives, nothing)


def _task(name: str, pool: int, text: TargetText, rows: Callable[[Sequence[str]], Rows]) -> PreparedTarget:
    """A target whose candidate pool has its size but not yet its documents: those depend on embeddings."""
    corpus = rows(text.corpus)
    judged = {position for one in text.dev.judgements for position in one}
    others = [position for position in range(len(corpus)) if position not in judged]
    wanted = len(corpus) if pool == 0 else max(pool, len(judged))
    positions = np.sort(np.array([*judged, *others], dtype=np.int64)[:wanted])
    signal = dev_signal(name, len(text.dev.queries), np.random.default_rng(0))
    negatives = np.arange(min(NEGATIVES, len(positions)))
    everything = np.arange(len(corpus))
    dev = split_of(text.dev, rows(text.dev.queries), corpus, positions)
    test = split_of(text.test, rows(text.test.queries), corpus, everything)
    return PreparedTarget(dev, test, signal, negatives)


def _epochs(study: Study, drawn: int) -> dict[str, float]:
    """Passes over each source when that many rows are drawn in proportion to size."""
    proportional = study.proportional()
    return {name: proportional[name] * drawn / rows for name, rows in study.rows.items()}


def _notes(study: Study) -> Iterator[str]:
    """What a person should look at before running."""
    batch = study.proxy.batch_size
    small = [name for name, rows in study.rows.items() if rows < batch]
    if small:
        yield f"{', '.join(small)}: fewer rows than a batch of {batch}, so their batches are smaller"
    for name, facts in study.prepared.sources.items():
        if facts.unique_queries < 0.9 * facts.rows:
            yield f"{name}: {facts.rows - facts.unique_queries:,} of {facts.rows:,} rows repeat a query"
    for name, found in study.prepared.targets.items():
        if found.dev_queries < 50:
            yield f"target {name}: {found.dev_queries} dev queries; below 50 the search sees little but noise"
    yield from option_notes(study)
    teacher = study.proxy.batch_teacher
    if teacher is not None and teacher.kind == "cross-encoder":
        documents = batch * (2 if study.proxy.negatives else 1)
        yield (
            f"proxy.batch_teacher is a cross-encoder: it scores up to {batch * documents:,} pairs of texts for each "
            "new batch, before its trial can go on"
        )
    if study.space.max_epochs is not None:
        high = dict(zip(study.names, study.bounds()[1].tolist(), strict=True))
        capped = [name for name in study.names if high[name] < study.space.cap.get(name, 1.0)]
        if capped:
            tightest = min(capped, key=lambda name: high[name])
            plural = "" if len(capped) == 1 else "s, the tightest"
            yield f"space.max_epochs caps {len(capped)} source{plural} {tightest} at weight {high[tightest]:.3f}"
        room = sum(high.values())
        if room < CRAMPED and len(capped) == len(high):
            yield (
                f"space.max_epochs {study.space.max_epochs:g} leaves the search little room (highest weights sum to "
                f"{room:.2f}): the final training sees every row {study.final_rows / sum(study.rows.values()):.1f} "
                f"times anyway; allow more epochs, or lower final.steps"
            )
