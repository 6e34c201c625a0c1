"""What the data of a study looks like, in numbers: no model runs and nothing is kept."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mixtune.prompts import Prompts
from mixtune.source import Source
from mixtune.study import Study
from mixtune.target import Target
from mixtune.training.base import Progress
from mixtune.training.data import languages
from mixtune.training.data.reading import read_source, read_target, seeded
from mixtune.training.data.texts import JudgedQueries, SourceText, TargetText

SAMPLE = 500
"""Rows whose language is looked at, or documents of a target."""

EXAMPLES = 2
"""Rows that are shown of a source."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths of texts in characters: the median and the 95th percentile."""

    median: int
    p95: int

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Lengths":
        """Lengths of at least one text."""
        median, p95 = np.percentile([len(text) for text in texts], [50, 95])
        return cls(round(median), round(p95))


@dataclass(frozen=True, slots=True)
class SourceInspection:
    """What a source's rows are, after its limit and corruption and before prompts.

    repeated counts rows whose pair stands earlier in the source; elsewhere, rows whose pair stands in any other source;
    shared, per other source, distinct pairs that stand there too, most first; judged, per target, rows whose query is
    one of its dev or test queries (training on those flatters the result). Languages are shares of a seeded sample of
    rows. dropped counts pairs with an empty text. sha256 is that of the texts as they are trained on, prompts included.
    """

    rows: int
    unique_queries: int
    query: Lengths
    document: Lengths
    query_languages: Mapping[str, float]
    document_languages: Mapping[str, float]
    repeated: int
    elsewhere: int
    shared: Mapping[str, int]
    judged: Mapping[str, int]
    dropped: int
    negatives: float
    notes: tuple[str, ...]
    examples: tuple[tuple[str, str], ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class SplitInspection:
    """Judged queries of a split, and the mean number of relevant documents of each."""

    queries: int
    relevant: float


@dataclass(frozen=True, slots=True)
class TargetInspection:
    """What a target's corpus and queries are, before prompts. Languages are shares of a seeded sample of documents."""

    documents: int
    document: Lengths
    query: Lengths
    languages: Mapping[str, float]
    dev: SplitInspection
    test: SplitInspection
    sha256: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """Sources and targets by name, in the study's order."""

    sources: Mapping[str, SourceInspection]
    targets: Mapping[str, TargetInspection]


def inspect(study: Study, root: Path, progress: Progress) -> Inspection:
    """Read the sources and targets of a study and count; root is the cache root.

    Raises:
        DataError: one of them cannot be read.
    """
    total = len(study.sources) + len(study.targets)
    targets, texts = {}, {}
    for done, target in enumerate(study.targets):
        progress(f"reading {target.name}", done, total)
        targets[target.name] = read_target(replace(target, prompts=Prompts()), root)
    for done, source in enumerate(study.sources, start=len(targets)):
        progress(f"reading {source.name}", done, total)
        texts[source.name] = read_source(replace(source, prompts=Prompts()), root)
    progress("counting", 0, 0)
    holders = _holders(texts)
    judged = {name: {*text.dev.queries, *text.test.queries} for name, text in targets.items()}
    return Inspection(
        {source.name: _source(source, texts[source.name], holders, judged) for source in study.sources},
        {target.name: _target(target, targets[target.name]) for target in study.targets},
    )


def _holders(texts: Mapping[str, SourceText]) -> dict[Pair, set[str]]:
    """The sources that hold each pair."""
    holders: defaultdict[Pair, set[str]] = defaultdict(set)
    for name, text in texts.items():
        for pair in zip(text.queries, text.documents, strict=True):
            holders[pair].add(name)
    return holders


def _source(
    source: Source, text: SourceText, holders: Mapping[Pair, Collection[str]], judged: Mapping[str, set[str]]
) -> SourceInspection:
    rng = seeded(text.sha256, "inspection")
    sample = np.sort(rng.choice(len(text), min(SAMPLE, len(text)), replace=False)).tolist()
    shown = sorted(rng.choice(len(text), min(EXAMPLES, len(text)), replace=False).tolist())
    known = {name: sum(query in queries for query in text.queries) for name, queries in judged.items()}
    pairs = list(zip(text.queries, text.documents, strict=True))
    shared = Counter(other for pair in set(pairs) for other in holders[pair] if other != source.name)
    return SourceInspection(
        rows=len(text),
        unique_queries=len(set(text.keys)),
        query=Lengths.of(text.queries),
        document=Lengths.of(text.documents),
        query_languages=languages.shares(text.queries[row] for row in sample),
        document_languages=languages.shares(text.documents[row] for row in sample),
        repeated=len(pairs) - len(set(pairs)),
        elsewhere=sum(len(holders[pair]) > 1 for pair in pairs),
        shared={name: shared[name] for name in sorted(shared, key=lambda name: (-shared[name], name))},
        judged={name: count for name, count in known.items() if count},
        dropped=text.dropped,
        negatives=sum(map(len, text.negatives)) / len(text),
        notes=text.notes,
        examples=tuple((text.queries[row], text.documents[row]) for row in shown),
        sha256=text.prompted(source.prompts).sha256,
    )


def _target(target: Target, text: TargetText) -> TargetInspection:
    documents = len(text.corpus)
    sample = seeded(text.sha256, "inspection").choice(documents, min(SAMPLE, documents), replace=False)
    return TargetInspection(
        documents=documents,
        document=Lengths.of(text.corpus),
        query=Lengths.of((*text.dev.queries, *text.test.queries)),
        languages=languages.shares(text.corpus[row] for row in sample.tolist()),
        dev=_split(text.dev),
        test=_split(text.test),
        sha256=text.prompted(target.prompts).sha256,
    )


def _split(judged: JudgedQueries) -> SplitInspection:
    relevant = sum(grade > 0 for each in judged.judgements for grade in each.values())
    return SplitInspection(len(judged.queries), relevant / len(judged.queries))
