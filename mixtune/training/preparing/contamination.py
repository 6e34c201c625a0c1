"""Which rows of a study's sources hold texts that its targets are measured with: found once for each pair of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from pydantic import TypeAdapter

from mixtune.contamination import PARTS, THRESHOLD, WIDTH, Contamination, Decontaminate, Overlap, Shared
from mixtune.errors import DataError
from mixtune.feasible import LEAST_ROWS
from mixtune.prompts import Prompts
from mixtune.source import Source
from mixtune.study import Study
from mixtune.target import Target
from mixtune.training.base import Progress
from mixtune.training.cache import keep, recall
from mixtune.training.data.reading import source_hash, target_hash
from mixtune.training.data.texts import SourceText, TargetText, content_hash
from mixtune.training.preparing.heldout import BAND, BANDS, matches, normalised

FORMAT = f"contamination-1 {WIDTH} {THRESHOLD} {BANDS} {BAND}"
"""Part of what is remembered, and of the key of what is prepared without such rows: changes with what is found."""

QUERIES = ("dev_queries", "test_queries")
"""Parts of an Overlap that `queries` takes rows out for; `all` does for every part."""

_HELD = PARTS[:4]


@dataclass(frozen=True, slots=True)
class SharedRows:
    """Row numbers of one source that share a text with one target, by the parts of an Overlap, ascending."""

    exact: Mapping[str, tuple[int, ...]]
    near: Mapping[str, tuple[int, ...]]

    @property
    def overlap(self) -> Overlap:
        """How many they are."""
        return Overlap(**{part: Shared(len(self.exact[part]), len(self.near[part])) for part in PARTS})

    def of(self, parts: Sequence[str]) -> set[int]:
        """The rows of some parts."""
        return {row for found in (self.exact, self.near) for part in parts for row in found[part]}


Found: TypeAlias = Mapping[str, Mapping[str, SharedRows]]
"""Source -> target -> rows, for all usable sources and all targets."""


def find_shared(
    study: Study,
    root: Path,
    progress: Progress,
    *,
    source_text: Callable[[Source], SourceText],
    target_text: Callable[[Target], TargetText],
) -> Found:
    """Compare every usable source with every target; each pair is remembered by the content of the two.

    Texts are compared as `heldout.normalised` has them, without prompts. A row holds a held-out text if its query or
    its positive is equal to it or a near-duplicate of it (see `heldout.near_duplicates`).

    Args:
        study: whose sources and targets are compared.
        root: the cache root.
        progress: told what is being done.
        source_text: reads a source, as read_source does; asked only where something is not remembered.
        target_text: reads a target, likewise.
    """
    found: dict[str, dict[str, SharedRows]] = {}
    for source in study.sources:
        if source.name not in study.names:
            continue
        paths = {target.name: _path(root, source, target) for target in study.targets}
        kept = {name: recall(path) for name, path in paths.items()}
        new = [target for target in study.targets if kept[target.name] is None]
        found[source.name] = {
            name: TypeAdapter(SharedRows).validate_python(rows) for name, rows in kept.items() if rows is not None
        }
        if not new:
            continue
        told = partial(progress, f"comparing {source.name} with dev and test")
        texts = {target.name: (target_text(target), target.prompts) for target in new}
        shared = shared_rows(source_text(source), source.prompts, texts, told)
        for name, rows in shared.items():
            keep(paths[name], TypeAdapter(SharedRows).dump_python(rows, mode="json"))
        found[source.name].update(shared)
    return found


def shared_rows(
    source: SourceText,
    prompts: Prompts,
    targets: Mapping[str, tuple[TargetText, Prompts]],
    progress: Callable[[int, int], None],
) -> dict[str, SharedRows]:
    """The rows of a source that share a text with each target; prompts stand before the texts and are taken off."""
    marks: dict[str, int] = {}
    for place, (text, prompt) in enumerate(targets.values()):
        for bit, held in enumerate(_held_out(text, prompt)):
            for each in held - {""}:
                marks[each] = marks.get(each, 0) | 1 << (len(_HELD) * place + bit)
    queries = [normalised(each.removeprefix(prompts.query)) for each in source.queries]
    documents = [normalised(each.removeprefix(prompts.document)) for each in source.documents]
    negatives = [[normalised(each.removeprefix(prompts.document)) for each in own] for own in source.negatives]
    texts = dict.fromkeys((*queries, *documents, *(each for own in negatives for each in own)))
    known = matches([text for text in texts if text], marks, progress)
    exact: list[dict[str, list[int]]] = [{part: [] for part in PARTS} for _ in targets]
    near: list[dict[str, list[int]]] = [{part: [] for part in PARTS} for _ in targets]
    for row, both in enumerate(zip(queries, documents, strict=True)):
        own, like = _together(known, both)
        its, alike = _together(known, negatives[row] if negatives else ())
        for place in range(len(targets)) if own | like | its | alike else ():
            for bit, part in enumerate(_HELD):
                _note(row, part, len(_HELD) * place + bit, own, like, exact[place], near[place])
            any_of = (1 << len(_HELD)) - 1 << len(_HELD) * place
            if (its | alike) & any_of:
                (exact if its & any_of else near)[place]["negatives"].append(row)
    return {
        name: SharedRows(*({part: tuple(rows) for part, rows in each[place].items()} for each in (exact, near)))
        for place, name in enumerate(targets)
    }


def _held_out(text: TargetText, prompts: Prompts) -> list[set[str]]:
    """Normalised texts of a target, in the order of _HELD."""
    queries = [
        {normalised(each.removeprefix(prompts.query)) for each in part.queries} for part in (text.dev, text.test)
    ]
    places = [{place for one in part.judgements for place in one} for part in (text.dev, text.test)]
    return [
        *queries,
        *({normalised(text.corpus[place].removeprefix(prompts.document)) for place in some} for some in places),
    ]


def _together(known: Mapping[str, tuple[int, int]], texts: Sequence[str]) -> tuple[int, int]:
    """Marks of several texts, exact ones and others that are near."""
    exact = near = 0
    for text in texts:
        one, other = known.get(text, (0, 0))
        exact, near = exact | one, near | other
    return exact, near & ~exact


def _note(
    row: int, part: str, bit: int, own: int, like: int, exact: dict[str, list[int]], near: dict[str, list[int]]
) -> None:
    if own >> bit & 1:
        exact[part].append(row)
    elif like >> bit & 1:
        near[part].append(row)


def left_out(study: Study, found: Found) -> dict[str, tuple[int, ...]]:
    """Rows of each source that the study's `decontaminate` takes out, ascending."""
    parts = {Decontaminate.NONE: (), Decontaminate.QUERIES: QUERIES, Decontaminate.ALL: PARTS}[study.decontaminate]
    return {
        name: tuple(sorted(set().union(*(rows.of(parts) for rows in of_targets.values()))))
        for name, of_targets in found.items()
    }


def _cleaned(name: str, text: SourceText, rows: Sequence[int], decontaminate: Decontaminate) -> SourceText:
    if not rows:
        return text
    if len(text) - len(rows) < LEAST_ROWS:
        raise DataError(
            f"source {name!r}: `decontaminate: {decontaminate}` takes {len(rows):,} of its {len(text):,} rows out,"
            " which hold copies or near-duplicates of what dev and test are made of, and leaves"
            f" {len(text) - len(rows)}; {LEAST_ROWS} must be left: take the source out (weight: 0), or leave"
            " `decontaminate` out and take the results for what they are then worth"
        )
    return text.without(rows)


@dataclass(frozen=True, slots=True)
class StudyTexts:
    """What a study reads: texts of usable sources, left_out rows gone, and of all targets, prompted."""

    sources: Mapping[str, SourceText]
    targets: Mapping[str, TargetText]
    left_out: Mapping[str, tuple[int, ...]]


def cleaned_texts(
    study: Study,
    removed: Mapping[str, tuple[int, ...]],
    *,
    source_text: Callable[[Source], SourceText],
    target_text: Callable[[Target], TargetText],
) -> StudyTexts:
    """The texts of a study without the removed rows of each source.

    Raises:
        DataError: fewer than LEAST_ROWS rows of a source are left.
    """
    sources = {
        source.name: _cleaned(source.name, source_text(source), removed[source.name], study.decontaminate)
        for source in study.sources
        if source.name in study.names
    }
    return StudyTexts(sources, {target.name: target_text(target) for target in study.targets}, removed)


def contamination_of(study: Study, found: Found, removed: Mapping[str, Sequence[int]]) -> Contamination:
    """What was found and taken out, as it goes into the record."""
    return Contamination(
        overlaps={
            source: {target: rows.overlap for target, rows in of_targets.items()}
            for source, of_targets in found.items()
        },
        removed={name: len(rows) for name, rows in removed.items() if rows},
        decontaminate=study.decontaminate,
    )


def _path(root: Path, source: Source, target: Target) -> Path:
    question = repr((FORMAT, source_hash(source, root), source.prompts, target_hash(target, root), target.prompts))
    return root / "contamination" / f"{content_hash([question])}.json"
