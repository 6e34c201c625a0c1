"""Exact and near-duplicates among two sets of texts: normalised equality first, then MinHash, then a count."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from datasketch import MinHash, MinHashLSH

from mixtune.contamination import THRESHOLD, WIDTH

BANDS, BAND = 32, 6
"""Bands of the MinHash, and values in each: of pairs at Jaccard .8 one in 17,000 is missed, above it fewer (ours)."""

Shingles = npt.NDArray[np.uint64]

_BASE, _SPREAD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_SLOT = np.uint64(40)
_SLOTS = 1 << 24


class _Collapsed(dict[int, str]):
    """Every character that is no letter, mark or number becomes a space; filled as characters turn up."""

    def __missing__(self, point: int) -> str:
        kept = chr(point) if unicodedata.category(chr(point))[0] in "LMN" else " "
        self[point] = kept
        return kept


_COLLAPSED = _Collapsed()


def normalised(text: str) -> str:
    """A text as it is compared: NFKC, case folded, every run of punctuation, symbols and white space one space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().translate(_COLLAPSED).split())


def shingles(text: str) -> Shingles:
    """The distinct runs of WIDTH characters of a text, as ascending 64-bit hashes; none in a shorter text."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    count = len(codes) - WIDTH + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    mixed = codes[:count].copy()
    for place in range(1, WIDTH):
        mixed *= _BASE
        mixed += codes[place : place + count]
    mixed *= _SPREAD
    mixed.sort()
    return np.asarray(mixed[np.append(True, mixed[1:] != mixed[:-1])])


def jaccard(one: Shingles, other: Shingles) -> float:
    """Shared shingles over all shingles of two texts, 0 where neither has any."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / max(1, len(one) + len(other) - shared)


def near_duplicates(
    texts: Sequence[str], held_out: Sequence[str], progress: Callable[[int, int], None]
) -> Iterator[tuple[int, int]]:
    """Pairs (i, j) of texts[i] and held_out[j], both normalised, whose shingles have a Jaccard of at least THRESHOLD.

    Only texts go on that could have such a partner, because at least that share of their shingles occurs on the other
    side at all; most studies end there. MinHash LSH (datasketch) proposes pairs of what is left, and each pair is
    counted before it is given: none is wrong, and BANDS says how few are missed. Equal texts are pairs too.

    Args:
        texts: distinct texts, however many.
        held_out: distinct texts.
        progress: told how many of the texts are done, and how many there are.
    """
    known = _table(map(shingles, held_out))
    left: dict[int, Shingles] = {}
    for i, text in enumerate(texts):
        if i % 1000 == 0:
            progress(i - len(left), len(texts))
        own = shingles(text)
        if _possible(own, known):
            left[i] = own
    if not left:
        return
    wanted = _table(left.values())
    right = {j: own for j, text in enumerate(held_out) if _possible(own := shingles(text), wanted)}
    index = MinHashLSH(num_perm=BANDS * BAND, params=(BANDS, BAND))
    empty = MinHash(num_perm=BANDS * BAND, hashfunc=int)
    for j, own in right.items():
        index.insert(j, _signature(own, empty))
    for done, (i, own) in enumerate(left.items()):
        if done % 1000 == 0:
            progress(len(texts) - len(left) + done, len(texts))
        for j in sorted(index.query(_signature(own, empty))):
            if jaccard(own, right[j]) >= THRESHOLD:
                yield i, j


def matches(
    texts: Sequence[str], held_out: Mapping[str, int], progress: Callable[[int, int], None]
) -> dict[str, tuple[int, int]]:
    """What each text that is held out is: marks of equal texts, and of near ones that no equal text has.

    Args:
        texts: distinct texts, normalised.
        held_out: text, normalised -> its marks, bits of an int.
        progress: as in near_duplicates.

    Returns:
        text -> (exact, near), for those of texts that have any mark.
    """
    found = {text: (held_out[text], 0) for text in texts if text in held_out}
    names = list(held_out)
    for i, j in near_duplicates(texts, names, progress):
        exact, near = found.get(texts[i], (0, 0))
        found[texts[i]] = (exact, (near | held_out[names[j]]) & ~exact)
    progress(len(texts), len(texts))
    return {text: marks for text, marks in found.items() if any(marks)}


def _table(many: Iterable[Shingles]) -> npt.NDArray[np.bool_]:
    """Where the shingles of texts fall among _SLOTS; another shingle may fall there too, but none is forgotten."""
    table = np.zeros(_SLOTS, dtype=np.bool_)
    for own in many:
        table[own >> _SLOT] = True
    return table


def _possible(own: Shingles, table: npt.NDArray[np.bool_]) -> bool:
    return len(own) > 0 and int(table[own >> _SLOT].sum()) >= THRESHOLD * len(own)


def _signature(own: Shingles, empty: MinHash) -> MinHash:
    """The MinHash of a text's shingles; a copy of an empty one, since making its permutations takes longer."""
    found = empty.copy()
    found.update_batch((own >> np.uint64(32)).tolist())
    return found
