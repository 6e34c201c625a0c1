"""Hard negatives of a source's own: documents near to a query that are none of its positives."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mixtune.training.data.texts import SourceText
from mixtune.training.prepared import Floats, Rows

RELATIVE_MARGIN = 0.05
"""How much less similar to the query than its positive a negative must be, as a share of the positive's cosine.

Of sentence-transformers' mine_hard_negatives, whose documentation shows this value; its own default is no margin.
"""

_AT_ONCE = 1 << 24
"""Cosines that are held at once."""


def mined(text: SourceText, queries: Rows, documents: Rows, embeddings: Floats, count: int) -> SourceText:
    """The source with up to `count` hard negatives for each pair, from the documents of the source itself.

    They are the documents nearest to the query by the base model's cosine, nearest first, that are no positive of it
    and whose cosine is at most p - 0.05 |p|, p being that of the query's least similar positive (the rule of
    sentence-transformers' mine_hard_negatives with relative_margin 0.05): what is nearer may be an unmarked positive.
    All documents are looked at (theirs are the nearest few): under a weak base model many lie nearer than the positive.
    Pairs of which fewer than `count` are far enough bring fewer, and a note says how many.

    Args:
        text: the source, without negatives.
        queries: row of each query, shape (n,).
        documents: row of each positive, shape (n,).
        embeddings: of every row, of length 1.
        count: negatives wanted per pair, at least 1.
    """
    asked, groups = np.unique(queries, return_inverse=True)
    corpus, places = np.unique(documents, return_inverse=True)
    texts: dict[int, str] = dict(zip(places.tolist(), text.documents, strict=True))
    cosines = np.einsum("nd,nd->n", embeddings[queries], embeddings[documents])
    worst = np.full(len(asked), np.inf, dtype=np.float32)
    np.minimum.at(worst, groups, cosines)
    candidates = np.ascontiguousarray(embeddings[corpus])
    owned = np.unique(np.stack([groups, places]), axis=1)
    found: list[tuple[str, ...]] = []
    step = max(1, _AT_ONCE // len(corpus))
    for start in range(0, len(asked), step):
        scores = embeddings[asked[start : start + step]] @ candidates.T
        limit = worst[start : start + step, None]
        scores[scores > limit - RELATIVE_MARGIN * np.abs(limit)] = -np.inf
        low, high = np.searchsorted(owned[0], [start, start + step])
        scores[owned[0, low:high] - start, owned[1, low:high]] = -np.inf
        nearest = np.argpartition(-scores, min(count, len(corpus)) - 1, axis=1)[:, :count]
        for own, row in zip(nearest, scores, strict=True):
            ordered = own[np.argsort(-row[own], kind="stable")]
            found.append(tuple(texts[place] for place in ordered[np.isfinite(row[ordered])].tolist()))
    return replace(
        text,
        negatives=tuple(found[group] for group in groups.tolist()),
        notes=(*text.notes, *_said(groups, found, count)),
    )


def _said(groups: npt.NDArray[np.intp], found: list[tuple[str, ...]], count: int) -> list[str]:
    sizes = np.array([len(own) for own in found])[groups]
    short = int((sizes < count).sum())
    notes = [f"{int(sizes.sum()):,} hard negatives were mined for {len(sizes):,} pairs"]
    if short:
        none = int((sizes == 0).sum())
        notes.append(
            f"{short:,} of {len(sizes):,} pairs have fewer than {count} mined negatives ({none:,} have none): what is"
            " near to their queries may be a positive"
        )
    return notes
